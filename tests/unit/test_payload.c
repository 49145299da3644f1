/* payload.h: the bytes of the message, its bound, and times against a naive calendar. */
#include "adder/payload.h"

#include "base/buf.h"
#include "client/sidecar_types.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sidecar_context none;

static struct sidecar_context
some(void)
{
	struct sidecar_context c = none;

	for (uint8_t i = 0; i < 16; i++)
		c.trace_id[i] = (uint8_t)(i * 0x11);
	memcpy(c.span_id, "\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 8);
	return c;
}

static void
expect(int64_t sum, uint64_t ns, const struct sidecar_context *c, const char *expected)
{
	char bytes[PAYLOAD_MAX + 1];
	struct buf b;

	buf_init(&b, bytes, PAYLOAD_MAX);
	payload_write(&b, sum, (struct wall){ ns }, c);
	assert_false(b.failed);
	bytes[b.len] = '\0';
	assert_string_equal(bytes, expected);
}

static void
test_bytes(void **state)
{
	struct sidecar_context c = some();

	(void)state;
	expect(5, UINT64_C(1795428000123456789), &c,
	    "{\"sum\":5,\"produced_at\":\"2026-11-23T10:00:00.123456789Z\","
	    "\"trace_id\":\"00112233445566778899aabbccddeeff\",\"span_id\":\"00f067aa0ba902b7\"}");
	expect(-5, 1, &none, "{\"sum\":-5,\"produced_at\":\"1970-01-01T00:00:00.000000001Z\"}");
	expect(0, 0, &none, "{\"sum\":0,\"produced_at\":\"1970-01-01T00:00:00.000000000Z\"}");
}

static void
test_longest_fits_as_the_header_says(void **state)
{
	struct sidecar_context c = some();
	char bytes[PAYLOAD_MAX];
	struct buf b;

	(void)state;
	for (size_t cap = 0; cap <= PAYLOAD_MAX; cap++) {
		buf_init(&b, bytes, cap);
		payload_write(&b, INT64_MIN, (struct wall){ UINT64_MAX }, &c);
		assert_int_equal(b.failed, cap < 150);
	}
	assert_int_equal(b.len, 150);
}

/* Days to a date by counting. */
static void
naive_date(uint64_t ns, char out[64])
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	uint64_t seconds = ns / CLOCK_SECOND, days = seconds / 86400;
	int year = 1970, month = 0;

	for (;; year++) {
		uint64_t n = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 366 : 365;

		if (days < n) {
			for (;; month++) {
				uint64_t m = (uint64_t)lengths[month] + (month == 1 && n == 366);

				if (days < m)
					break;
				days -= m;
			}
			break;
		}
		days -= n;
	}
	snprintf(out, 64, "%04d-%02d-%02dT%02d:%02d:%02d.%09" PRIu64 "Z", year, month + 1,
	    (int)days + 1, (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60),
	    (int)(seconds % 60), ns % CLOCK_SECOND);
}

static void
test_times_against_counting(void **state)
{
	/* Half a year and an odd rest apart: leap years, century, year ends, to 2500. */
	const uint64_t step = UINT64_C(15768001) * CLOCK_SECOND + 987654321;
	char date[64], expected[128];

	(void)state;
	for (uint64_t ns = 0; ns < UINT64_C(16725225600) * CLOCK_SECOND; ns += step) {
		naive_date(ns, date);
		snprintf(expected, sizeof(expected), "{\"sum\":1,\"produced_at\":\"%s\"}", date);
		expect(1, ns, &none, expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_longest_fits_as_the_header_says),
		cmocka_unit_test(test_times_against_counting),
	};

	setenv("TZ", "Asia/Kathmandu", 1); /* the time is UTC wherever it is written */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
