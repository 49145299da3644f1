/* What the vectors do not show of decode: how much work an event cut to pieces is, and where structure is judged. */
#include "sidecar/decode.h"

#include "guard.h"
#include "packer.h"

#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Fed a byte at a time, an event costs one turn of the template for each byte, and none looks back. */
static void
test_a_byte_at_a_time(void **state)
{
	struct packer p = packer_new();
	struct decoder d = { .used = 0 };
	struct event e;

	(void)state;
	packer_array(&p, 3);
	packer_uint(&p, WIRE_TYPES);
	packer_array(&p, 5000); /* many tokens */
	for (int i = 0; i < 5000; i++)
		packer_uint(&p, 1);
	packer_head(&p, 0xda, 11000, 2); /* and a long one */
	p.n += 11000;
	assert_true(p.n <= WIRE_EVENT_MAX);
	for (size_t n = 1; n < p.n; n++) {
		uint32_t before = d.scan.at;

		assert_int_equal(decode(&d, p.bytes, n, &e), DECODE_MORE);
		assert_int_equal(d.scan.turns, n);
		assert_true(d.scan.at >= before);
		assert_true(d.scan.at <= n);
		/* What is left is less than one token, or the str's payload, of which nothing is looked at. */
		assert_true(n - d.scan.at < 9 || n > 5010);
	}
	assert_int_equal(decode(&d, p.bytes, p.n, &e), DECODE_OK);
	assert_int_equal(d.used, p.n);
	free(p.bytes);
}

struct fault {
	const char *name;
	const char *bytes;
	size_t n;
	enum decode_outcome outcome; /* with all of the bytes; DECODE_MORE with one less */
};

#define BYTES(literal) literal, sizeof(literal) - 1

/* Faults of structure are said with the byte that shows them, whatever else there is. */
static void
test_first_byte_that_shows(void **state)
{
	static const struct fault faults[] = {
		{ "c1", BYTES("\x92\x0f\xc1"), DECODE_MALFORMED },
		{ "c1 inside",
		    BYTES("\x92\x0f\x81\xa1"
			  "a"
			  "\xc1"),
		    DECODE_MALFORMED },
		{ "depth", BYTES("\x92\x0f\x91\x91\x91\x91\x91\x91\x91\x91"), DECODE_TOO_DEEP },
		{ "depth, empty", BYTES("\x92\x0f\x91\x91\x91\x91\x91\x91\x91\x90"),
		    DECODE_TOO_DEEP },
		{ "items", BYTES("\xdd\x00\x00\x40\x00"), DECODE_OVERSIZED },
		{ "items in two", BYTES("\x93\x0f\xdc\x20\x00\xdc\x1f\xfd"), DECODE_OVERSIZED },
		{ "items and pairs", BYTES("\x93\x0f\xde\x10\x00\xdc\x1f\xfd"), DECODE_OVERSIZED },
		{ "as many items as may be", BYTES("\x93\x0f\xde\x10\x00\xdc\x1f\xfc"),
		    DECODE_MORE },
		{ "pairs", BYTES("\x92\x0f\xdf\x80\x00\x00\x00"), DECODE_OVERSIZED },
		{ "str", BYTES("\x92\x0f\xdb\xff\xff\xff\xff"), DECODE_OVERSIZED },
		{ "str that just does not fit", BYTES("\x92\x0f\xda\x3f\xfc"), DECODE_OVERSIZED },
		{ "bin", BYTES("\x92\x0f\xc6\x00\x00\x40\x00"), DECODE_OVERSIZED },
		{ "ext", BYTES("\x92\x0f\xc9\x00\x00\x40\x00"), DECODE_OVERSIZED },
		{ "ext whose length and type wrap", BYTES("\x92\x0f\xc9\xff\xff\xff\xff"),
		    DECODE_OVERSIZED },
	};
	struct event e;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault *f = &faults[i];

		for (size_t cut = 1; cut <= f->n; cut++) {
			struct decoder d = { .used = 0 };
			uint8_t *guarded = guard_copy(f->bytes, cut);
			enum decode_outcome outcome = decode(&d, guarded, cut, &e);

			if (outcome != (cut < f->n ? DECODE_MORE : f->outcome))
				fail_msg("%s, %zu bytes: %d", f->name, cut, outcome);
			guard_free(guarded, cut);
		}
	}
}

/* The longest str that fits, and the same event with one byte less. */
static void
test_largest(void **state)
{
	struct packer p = packer_new();
	struct decoder d = { .used = 0 };
	uint8_t *guarded;
	struct event e;

	(void)state;
	packer_array(&p, 2);
	packer_uint(&p, WIRE_TYPES);
	packer_head(&p, 0xda, WIRE_EVENT_MAX - 5, 2);
	p.n = WIRE_EVENT_MAX;
	guarded = guard_copy(p.bytes, p.n);
	assert_int_equal(decode(&d, guarded, p.n, &e), DECODE_OK);
	assert_int_equal(d.used, WIRE_EVENT_MAX);
	d = (struct decoder){ .used = 0 };
	assert_int_equal(decode(&d, p.bytes, p.n - 1, &e), DECODE_MORE);
	guard_free(guarded, p.n);
	free(p.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_byte_at_a_time),
		cmocka_unit_test(test_first_byte_that_shows),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
