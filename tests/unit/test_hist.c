/*
 * A slot found by table must be the slot that a scan over the bounds finds; sums must be exact past
 * 64 bits.
 */
#include "sidecar/hist.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hist_layout layouts[HIST_KINDS];

static int
setup(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < HIST_KINDS; kind++)
		hist_layout_init(&layouts[kind], kind);
	return 0;
}

static unsigned
scan(const struct hist_layout *l, uint64_t ns)
{
	unsigned slot = 0;

	while (slot < l->n && ns > l->ns[slot])
		slot++;
	return slot;
}

/* The bounds as they stand in the specifications. */
static void
test_bounds(void **state)
{
	static const double latency[] = { 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000,
		10000 };
	static const double seconds[] = { .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5,
		7.5, 10 };
	static const double otel[] = { 0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000,
		7500, 10000 };

	(void)state;
	assert_int_equal(layouts[HIST_LATENCY].n, 12);
	assert_memory_equal(layouts[HIST_LATENCY].bounds, latency, sizeof(latency));
	assert_int_equal(layouts[HIST_SECONDS].n, 14);
	assert_memory_equal(layouts[HIST_SECONDS].bounds, seconds, sizeof(seconds));
	assert_int_equal(layouts[HIST_DEFAULT].n, 15);
	assert_memory_equal(layouts[HIST_DEFAULT].bounds, otel, sizeof(otel));
	assert_int_equal(layouts[HIST_LATENCY].ns[1], 5 * CLOCK_MILLI);
	assert_int_equal(layouts[HIST_SECONDS].ns[4], 75 * CLOCK_MILLI);
}

/* Below, at and above each bound: the bound itself belongs to its bucket. */
static void
test_inclusive(void **state)
{
	(void)state;
	for (unsigned kind = HIST_LATENCY; kind <= HIST_SECONDS; kind++)
		for (unsigned i = 0; i < layouts[kind].n; i++) {
			uint64_t bound = layouts[kind].ns[i];

			assert_int_equal(hist_slot(&layouts[kind], bound - 1), i);
			assert_int_equal(hist_slot(&layouts[kind], bound), i);
			assert_int_equal(hist_slot(&layouts[kind], bound + 1), i + 1);
		}
}

static void
test_table_is_scan(void **state)
{
	uint64_t x = 88172645463325252;

	(void)state;
	for (unsigned kind = HIST_LATENCY; kind <= HIST_SECONDS; kind++) {
		const struct hist_layout *l = &layouts[kind];

		for (unsigned bit = 0; bit < 64; bit++)
			for (uint64_t quarter = 4; quarter < 8; quarter++)
				for (uint64_t off = 0; off < 3;
				     off++) { /* cells' edges, one to each side */
					uint64_t edge =
					    bit < 2 ? quarter >> (2 - bit) : quarter << (bit - 2);

					assert_int_equal(
					    hist_slot(l, edge + off - 1), scan(l, edge + off - 1));
				}
		for (int i = 0; i < 1000000; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;

			uint64_t v = x >> (x % 61); /* every magnitude */

			assert_int_equal(hist_slot(l, v), scan(l, v));
		}
		assert_int_equal(hist_slot(l, 0), 0);
		assert_int_equal(hist_slot(l, UINT64_MAX), l->n);
	}
}

static void
test_record(void **state)
{
	const struct hist_layout *l = &layouts[HIST_LATENCY];
	struct hist h = { .counts = { 0 } };

	(void)state;
	hist_record(&h, l, 0);
	hist_record(&h, l, 1500000);
	hist_record(&h, l, 12 * CLOCK_SECOND);
	assert_int_equal(hist_count(&h, l), 3);
	assert_int_equal(h.counts[0], 1);
	assert_int_equal(h.counts[1], 1);
	assert_int_equal(h.counts[12], 1);
	assert_true(hist_sum(&h, l) == 12001.5);
}

/* Wild clocks: ten latencies of 54 years each are more than 64 bits of nanoseconds hold. */
static void
test_sum_is_wide(void **state)
{
	const struct hist_layout *l = &layouts[HIST_LATENCY];
	struct hist h = { .counts = { 0 } };

	(void)state;
	for (int i = 0; i < 1000; i++)
		hist_record(&h, l, UINT64_C(1700000000000000000));
	assert_true(hist_sum(&h, l) == 1.7e15);
	h = (struct hist){ .counts = { 0 } };
	for (int i = 0; i < 3; i++)
		hist_record(&h, l, UINT64_MAX);
	hist_record(&h, l, 3); /* 3 * (2^64 - 1) + 3 */
	assert_true(hist_sum(&h, l) == 3 * 0x1p64 / 1e6);
}

/* A million times 0.1 s is what one multiplication says, to the last bit; doubles added up would
 * drift. */
static void
test_sum_is_exact(void **state)
{
	const struct hist_layout *l = &layouts[HIST_SECONDS];
	struct hist h = { .counts = { 0 } }, samples = { .counts = { 0 } };
	double naive = 0;

	(void)state;
	for (int i = 0; i < 1000000; i++) {
		hist_record(&h, l, 100 * CLOCK_MILLI);
		hist_record_double(&samples, l, 0.1);
		naive += 0.1;
	}
	assert_true(hist_sum(&h, l) == 1e5);
	assert_true(total_value(&samples.sum.samples) == 1e5);
	assert_true(naive != 1e5);
}

static void
test_doubles(void **state)
{
	static const struct {
		double v;
		unsigned slot;
	} rows[] = { { -1, 0 }, { -0.0, 0 }, { 0, 0 }, { 5e-324, 1 }, { 5, 1 },
		{ 5.000000000000001, 2 }, { 74.99, 5 }, { 75, 5 }, { 10000, 14 },
		{ 10000.000000000002, 15 }, { 1.7e308, 15 }, { -1.7e308, 0 } };
	const struct hist_layout *l = &layouts[HIST_DEFAULT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hist h = { .counts = { 0 } };

		hist_record_double(&h, l, rows[i].v);
		assert_int_equal(h.counts[rows[i].slot], 1);
		assert_int_equal(hist_count(&h, l), 1);
		assert_true(total_value(&h.sum.samples) == rows[i].v);
	}
}

static void
test_totals(void **state)
{
	struct total t = { .sum = 0 };

	(void)state;
	total_add(&t, 0x1p53);
	for (int i = 0; i < 1000; i++)
		total_add(&t, 1); /* each alone is rounded away */
	assert_true(total_value(&t) == 0x1p53 + 1000);
	total_add(&t, -0x1p53);
	assert_true(total_value(&t) == 1000);

	t = (struct total){ .sum = 0 };
	total_add(&t, 1.7e308);
	total_add(&t, 1.7e308);
	assert_true(isinf(total_value(&t)) && total_value(&t) > 0);
	total_add(&t, -1);
	assert_true(isinf(total_value(&t)));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_inclusive),
		cmocka_unit_test(test_table_is_scan),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_sum_is_wide),
		cmocka_unit_test(test_sum_is_exact),
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_totals),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
