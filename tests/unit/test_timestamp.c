/* timestamp.h against libc's calendar, and on what RFC 3339 allows and forbids. */
#include "totalizer/timestamp.h"

#include "guard.h"

#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static bool
parses(struct wall *w, const char *text, size_t len)
{
	char *copy = guard_copy(text, len);
	bool parsed = timestamp_parse(w, copy, len);

	guard_free(copy, len);
	return parsed;
}

static void
test_accepted(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:00.000000001Z", 1 },
		{ "1970-01-01T00:00:00.5Z", 500000000 },
		{ "1970-01-01T00:00:00.1234567899Z", 123456789 },
		{ "1970-01-01t00:00:01z", 1000000000 },
		{ "1970-01-01T01:00:00+01:00", 0 },
		{ "1969-12-31T23:30:00-00:30", 0 },
		{ "2026-11-23T10:00:00.123456789Z", 1795428000123456789 },
		{ "2026-11-23T12:00:00.123456789+02:00", 1795428000123456789 },
		{ "2000-02-29T00:00:00Z", 951782400000000000 },
		{ "2016-12-31T23:59:60Z", 1483228800000000000 }, /* a leap second */
		{ "2262-04-11T23:47:16.854775807Z", INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wall w;
		if (!parses(&w, rows[i].text, strlen(rows[i].text)))
			fail_msg("refused: %s", rows[i].text);
		assert_int_equal(w.ns, rows[i].ns);
	}
}

static void
test_refused(void **state)
{
	static const char *const rows[] = { "", "now", "2026-11-23", "2026-11-23T10:00:00",
		"2026-11-23 10:00:00Z", "2026-11-23T10:00Z", "2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
		"2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
		"2026-01-01T00:00:00.Z", "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00+0000", "2026-01-01T00:00:00ZZ",
		"2026-01-01T00:00:00Z ", " 2026-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+00:01", "2262-04-11T23:47:16.854775808Z",
		"9999-12-31T23:59:59Z", "20260-01-01T00:00:00Z", "-026-01-01T00:00:00Z",
		"2026-1-1T00:00:00Z" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wall w;
		if (parses(&w, rows[i], strlen(rows[i])))
			fail_msg("accepted: %s", rows[i]);
	}
}

static void
test_truncated(void **state)
{
	static const char text[] = "2026-11-23T10:00:00.123456789+02:00";
	struct wall w;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_false(parses(&w, text, n));
	assert_true(parses(&w, text, sizeof(text) - 1));
}

/* Every day of the range, and odd instants, as libc writes them; read back the same. */
static void
test_like_libc(void **state)
{
	const uint64_t step = 86400 * CLOCK_SECOND + 3661123456789;

	(void)state;
	for (uint64_t ns = 0; ns <= INT64_MAX - step; ns += step) {
		char expected[64], text[TIMESTAMP_TEXT];
		time_t seconds = (time_t)(ns / CLOCK_SECOND);
		struct wall back;
		struct tm tm;
		gmtime_r(&seconds, &tm);
		snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		    (unsigned)(ns % CLOCK_SECOND));
		assert_int_equal(timestamp_format((struct wall){ ns }, text), TIMESTAMP_TEXT - 1);
		assert_string_equal(text, expected);
		assert_true(parses(&back, text, TIMESTAMP_TEXT - 1));
		assert_int_equal(back.ns, ns);
	}
}

static void
test_format_ends(void **state)
{
	char text[TIMESTAMP_TEXT];

	(void)state;
	timestamp_format((struct wall){ INT64_MAX }, text);
	assert_string_equal(text, "2262-04-11T23:47:16.854775807Z");
	timestamp_format((struct wall){ UINT64_MAX }, text);
	assert_string_equal(text, "2262-04-11T23:47:16.854775807Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_like_libc),
		cmocka_unit_test(test_format_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
