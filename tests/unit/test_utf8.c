/* UTF-8 against a slow twin that knows only how characters are encoded, on every short text of telling bytes. */
#include "sidecar/utf8.h"

#include "guard.h"

#include <stdbool.h>
#include <stdio.h>

#include <cmocka.h>

/* Bytes of the character at p, by encoding each code point that may be there; 0: none. */
static uint32_t
twin_character(const uint8_t *p, uint32_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 },
			     mask[] = { 0, 0, 0x1f, 0x0f, 0x07 };
	uint32_t code;

	if (p[0] < 0x80)
		return 1;
	for (uint32_t size = 2; size <= 4 && size <= n; size++) {
		bool tail = true;

		if ((p[0] & (uint8_t)~mask[size]) != lead[size])
			continue;
		code = p[0] & mask[size];
		for (uint32_t i = 1; i < size; i++) {
			tail &= (p[i] & 0xc0) == 0x80;
			code = code << 6 | (p[i] & 0x3f);
		}
		if (tail && code >= least[size] && code <= 0x10ffff &&
		    (code < 0xd800 || code > 0xdfff))
			return size;
	}
	return 0;
}

static void
check(const uint8_t *bytes, uint32_t n, uint32_t limit)
{
	uint8_t expected[32], got[32];
	char *guarded = guard_copy(bytes, n);
	uint32_t keep = 0, size;
	struct utf8 u;
	bool clean = true;

	for (uint32_t at = 0; at < n; at += size) {
		size = twin_character(bytes + at, n - at);
		memcpy(expected + at, bytes + at, size);
		if (size == 0) {
			expected[at] = '?';
			clean = false;
			size = 1;
		}
		if (at + size <= limit)
			keep = at + size;
	}
	u = utf8_fit(guarded, n, limit);
	assert_int_equal(u.keep, keep);
	assert_int_equal(u.clean, clean);
	utf8_clean((char *)got, guarded, n);
	assert_memory_equal(got, expected, n);
	guard_free(guarded, n);
}

/* Every ending of every range that Unicode tells apart, in texts of up to four bytes, behind 0 to 9 of ASCII. */
static void
test_against_twin(void **state)
{
	static const uint8_t telling[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
		0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff };
	enum { TELLING = sizeof(telling) };
	uint8_t bytes[16] = "012345678";

	(void)state;
	for (uint32_t n = 1; n <= 4; n++) {
		uint32_t texts = 1;

		for (uint32_t i = 0; i < n; i++)
			texts *= TELLING;
		/* All short ones; of those of four bytes every 13th: 13 and 21 have no common factor. */
		for (uint32_t text = 0; text < texts; text += n == 4 ? 13 : 1) {
			uint32_t before = text % 10, rest = text;

			memcpy(bytes, "012345678", 9);
			for (uint32_t i = 0; i < n; i++, rest /= TELLING)
				bytes[before + i] = telling[rest % TELLING];
			check(bytes, before + n, before + text % (n + 1));
		}
	}
}

static void
test_limits(void **state)
{
	(void)state;
	check((const uint8_t *)"", 0, 0);
	check((const uint8_t *)"abc", 3, 2);
	check((const uint8_t *)"abc", 3, 3);
	check((const uint8_t *)"0123456789abcdef", 16, 8);
	check((const uint8_t *)"0123456\xc3\xa9", 9, 8); /* the cut falls inside the character */
	check((const uint8_t *)"0123456\xc3\xa9", 9, 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_twin),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
