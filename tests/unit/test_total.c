/* total.h against the compiler's own 128-bit integers, and at the ends of the range. */
#include "totalizer/total.h"

#include "guard.h"

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

static const char lowest[] = "-170141183460469231731687303715884105728";
static const char highest[] = "170141183460469231731687303715884105727";

static wide
wide_of(struct total t)
{
	return (wide)((uwide)(uint64_t)t.hi << 64 | t.lo);
}

static struct total
total_from(wide w)
{
	return (struct total){ .hi = (int64_t)(w >> 64), .lo = (uint64_t)w };
}

/* Digit by digit, from the right. */
static void
naive_format(wide w, char out[TOTAL_TEXT])
{
	char reversed[TOTAL_TEXT];
	uwide rest = w < 0 ? -(uwide)w : (uwide)w;
	size_t n = 0;

	do {
		reversed[n++] = (char)('0' + (int)(rest % 10));
		rest /= 10;
	} while (rest);
	if (w < 0)
		reversed[n++] = '-';
	for (size_t i = 0; i < n; i++)
		out[i] = reversed[n - 1 - i];
	out[n] = '\0';
}

static uint64_t
random64(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Of every magnitude: half of them use the whole range. */
static wide
random_wide(void)
{
	uwide u = (uwide)random64() << 64 | random64();

	return (wide)u >> (random64() % 2 ? 0 : random64() % 128);
}

static void
test_int64_ends(void **state)
{
	static const int64_t values[] = { 0, 1, -1, INT64_MAX, INT64_MIN, INT64_MIN + 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_true(wide_of(total_of(values[i])) == values[i]);
}

static void
test_format_and_parse_ends(void **state)
{
	static const struct {
		struct total total;
		const char *text;
	} rows[] = {
		{ { 0, 0 }, "0" },
		{ { 0, 1 }, "1" },
		{ { -1, UINT64_MAX }, "-1" },
		{ { 0, 999999999 }, "999999999" },
		{ { 0, 1000000000 }, "1000000000" },
		{ { 0, UINT64_MAX }, "18446744073709551615" },
		{ { 1, 0 }, "18446744073709551616" },
		{ { -1, 0 }, "-18446744073709551616" },
		{ { INT64_MAX, UINT64_MAX }, highest },
		{ { INT64_MIN, 0 }, lowest },
		{ { INT64_MIN, 1 }, "-170141183460469231731687303715884105727" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[TOTAL_TEXT];
		struct total back;
		assert_int_equal(total_format(rows[i].total, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
		assert_true(total_parse(&back, text, strlen(text)));
		assert_true(total_equal(back, rows[i].total));
	}
}

static void
test_random_format_and_parse(void **state)
{
	(void)state;
	for (int i = 0; i < 200000; i++) {
		wide w = random_wide();
		char text[TOTAL_TEXT], naive[TOTAL_TEXT];
		struct total back;
		size_t n = total_format(total_from(w), text);
		naive_format(w, naive);
		assert_string_equal(text, naive);
		assert_int_equal(n, strlen(naive));
		assert_true(total_parse(&back, text, n));
		assert_true(wide_of(back) == w);
	}
}

static void
test_random_add(void **state)
{
	int overflows = 0;

	(void)state;
	for (int i = 0; i < 500000; i++) {
		wide a = random_wide(), b = random_wide(), naive;
		struct total sum = total_from(a);
		bool fits = !__builtin_add_overflow(a, b, &naive);
		assert_int_equal(total_add(&sum, total_from(b)), fits);
		assert_true(wide_of(sum) == (fits ? naive : a));
		overflows += !fits;
	}
	assert_true(overflows > 100); /* the case was met */
}

static void
test_add_ends(void **state)
{
	const struct total max = { INT64_MAX, UINT64_MAX }, min = { INT64_MIN, 0 };
	struct total t = max;

	(void)state;
	assert_false(total_add(&t, total_of(1)));
	assert_true(total_equal(t, max));
	assert_true(total_add(&t, total_of(-1)) && total_add(&t, total_of(1)));
	assert_true(
	    total_add(&t, min)); /* their sum is -1: two steps of which one alone would overflow */
	assert_true(total_equal(t, total_of(-1)));
	t = min;
	assert_false(total_add(&t, total_of(-1)));
	assert_false(total_add(&t, min));
	assert_true(total_equal(t, min));
	t = (struct total){ INT64_MIN,
		1 }; /* hi alone would overflow; the carry from lo saves it */
	assert_true(total_add(&t, (struct total){ -1, UINT64_MAX }));
	assert_true(total_equal(t, min));
}

static void
test_parse_refuses(void **state)
{
	static const char *const bad[] = { "", "-", "+1", "00", "01", "-0", "-01", " 1", "1 ",
		"1.0", "0x1", "1e3", "--1", "1-", "\xd9\xa1",
		"170141183460469231731687303715884105728",
		"-170141183460469231731687303715884105729",
		"340282366920938463463374607431768211456",
		"1701411834604692317316873037158841057270",
		"9999999999999999999999999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct total t;
		char *text = guard_copy(bad[i], strlen(bad[i]));
		assert_false(total_parse(&t, text, strlen(bad[i])));
		guard_free(text, strlen(bad[i]));
	}
}

/* Whatever is accepted is written again as it was read. */
static void
test_parse_is_canonical(void **state)
{
	static const char alphabet[] = "0123456789--0";

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char text[48], again[TOTAL_TEXT];
		size_t n = random64() % 45;
		struct total t;
		for (size_t k = 0; k < n; k++)
			text[k] = alphabet[random64() % (k ? 10 : sizeof(alphabet) - 1)];
		if (!total_parse(&t, text, n))
			continue;
		assert_int_equal(total_format(t, again), n);
		assert_memory_equal(text, again, n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_int64_ends),
		cmocka_unit_test(test_format_and_parse_ends),
		cmocka_unit_test(test_random_format_and_parse),
		cmocka_unit_test(test_random_add),
		cmocka_unit_test(test_add_ends),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_parse_is_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
