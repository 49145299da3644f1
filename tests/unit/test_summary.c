/* summary.h: percentiles against a sorted array, the sum beyond 64 bits, and what is printed. */
#include "adder/summary.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct summary summary;

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* A value with a random number of bits: all magnitudes alike. */
static uint64_t
any(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (*seed >> 1) >> (*seed >> 58);
}

static void
test_percentiles_against_a_sorted_array(void **state)
{
	static const double shares[] = { 0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };
	enum { N = 5000 };
	static uint64_t values[N];
	uint64_t seed = 1;

	(void)state;
	summary_init(&summary);
	for (size_t i = 0; i < N; i++) {
		values[i] = any(&seed);
		summary_add(&summary, STATUS_OK, 0, values[i]);
	}
	qsort(values, N, sizeof(values[0]), compare);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		size_t rank = (size_t)ceil(shares[i] * N);
		uint64_t truth = values[rank > 0 ? rank - 1 : 0];
		uint64_t found = summary_percentile(&summary, shares[i]);

		assert_true(found >= truth);
		assert_true(found - truth <= truth / SUMMARY_STEPS);
	}
	assert_int_equal(summary.latency_max, values[N - 1]);
	assert_int_equal(summary_percentile(&summary, 1), values[N - 1]);
}

/* Alone, a value is its own percentile: the bucket's top is cut to the maximum. With a larger
 * one beside it, it is that of its bucket, which must hold it at both of its ends. */
static void
test_every_bucket_edge(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		for (int64_t near = -1; near <= 1; near++) {
			uint64_t v = (UINT64_C(1) << bit) + (uint64_t)near, found;

			summary_init(&summary);
			summary_add(&summary, STATUS_OK, 0, v);
			assert_int_equal(summary_percentile(&summary, 0.5), v);
			summary_add(&summary, STATUS_OK, 0, UINT64_MAX);
			found = summary_percentile(&summary, 0.5);
			assert_true(found >= v && found - v <= v / SUMMARY_STEPS);
		}
	}
}

static void
test_nothing(void **state)
{
	(void)state;
	summary_init(&summary);
	assert_int_equal(summary_percentile(&summary, 0.5), 0);
	assert_int_equal(summary_unknown(&summary), 0);
	assert_true(summary_all_ok(&summary));
}

static void
test_outcomes(void **state)
{
	uint64_t unknown = 0;

	(void)state;
	summary_init(&summary);
	for (int code = 1; code < STATUS_CODES; code++) {
		summary_add(&summary, (enum status)code, 1000, 1);
		unknown += status_is_unknown_outcome((enum status)code);
		assert_int_equal(summary_unknown(&summary), unknown);
		assert_false(summary_all_ok(&summary));
	}
	assert_int_equal(summary.calls, STATUS_CODES - 1);
	assert_true(summary.sum == 0);
	summary_init(&summary);
	summary.not_started = 1;
	assert_false(summary_all_ok(&summary));
}

static void
expect_printed(
    void (*print)(const struct summary *, double, struct buf *), double seconds, const char *text)
{
	char out[2048];
	struct buf b;

	buf_init(&b, out, sizeof(out) - 1);
	print(&summary, seconds, &b);
	assert_false(b.failed);
	out[b.len] = '\0';
	assert_string_equal(out, text);
}

static void
test_printed(void **state)
{
	(void)state;
	summary_init(&summary);
	for (int i = 0; i < 3; i++)
		summary_add(&summary, STATUS_OK, INT64_MIN, 1000000);
	summary_add(&summary, STATUS_UNAVAILABLE, 0, 2500000);
	summary_add(&summary, STATUS_OUT_OF_RANGE, 0, 1);
	expect_printed(summary_print, 2,
	    "calls    5 in 2.0 s (2.5 a second)\n"
	    "latency  p50 1.008 ms, p90 2.500 ms, p99 2.500 ms, max 2.500 ms\n"
	    "OK       3\n"
	    "OUT_OF_RANGE 1\n"
	    "UNAVAILABLE 1\n"
	    "sum      -27670116110564327424 acknowledged\n"
	    "unknown  1 outcomes\n");
	expect_printed(summary_print_json, 2,
	    "{\"calls\":5,\"ok\":3,\"unknown\":1,\"not_started\":0,\"sum\":-27670116110564327424,"
	    "\"seconds\":2.000,\"rate\":2.500,"
	    "\"codes\":{\"OK\":3,\"OUT_OF_RANGE\":1,\"UNAVAILABLE\":1},"
	    "\"latency_ms\":{\"p50\":1.007615,\"p90\":2.500000,\"p99\":2.500000,\"max\":2.500000}}"
	    "\n");
}

static void
test_sums_at_the_ends_of_128_bits(void **state)
{
	const unsigned __int128 top = (unsigned __int128)1 << 127;

	(void)state;
	summary_init(&summary);
	summary.sum = (__int128)(top - 1);
	expect_printed(summary_print, 0,
	    "calls    0 in 0.0 s (0.0 a second)\n"
	    "latency  p50 0.000 ms, p90 0.000 ms, p99 0.000 ms, max 0.000 ms\n"
	    "sum      170141183460469231731687303715884105727 acknowledged\n"
	    "unknown  0 outcomes\n");
	summary.sum = -(__int128)(top - 1) - 1;
	expect_printed(summary_print, 0,
	    "calls    0 in 0.0 s (0.0 a second)\n"
	    "latency  p50 0.000 ms, p90 0.000 ms, p99 0.000 ms, max 0.000 ms\n"
	    "sum      -170141183460469231731687303715884105728 acknowledged\n"
	    "unknown  0 outcomes\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles_against_a_sorted_array),
		cmocka_unit_test(test_every_bucket_edge),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_printed),
		cmocka_unit_test(test_sums_at_the_ends_of_128_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
