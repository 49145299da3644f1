/* state.h: the text in a commit's metadata is read back, and nothing else is. */
#include "totalizer/state.h"

#include "guard.h"

#include <string.h>

#include <cmocka.h>

static const struct state widest = {
	.next = INT64_MAX, .count = INT64_MAX, .total = { INT64_MIN, 0 }
};

static bool
parses(struct state *s, int64_t offset, const char *text, size_t len)
{
	char *copy = guard_copy(text, len);
	bool parsed = state_parse(s, offset, copy, len);

	guard_free(copy, len);
	return parsed;
}

static void
test_round_trip(void **unused)
{
	const struct state states[] = { { 0 }, { .next = 1 }, { .next = 1, .count = 1 },
		{ .next = 120, .count = 118, .total = { -1, UINT64_C(1) << 62 } },
		{ .next = INT64_MAX, .count = 1, .total = { INT64_MAX, UINT64_MAX } }, widest };

	(void)unused;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		char text[STATE_TEXT];
		struct state back;
		size_t n = state_format(&states[i], text);
		assert_int_equal(n, strlen(text));
		assert_true(parses(&back, states[i].next, text, n));
		assert_true(state_equal(&back, &states[i]));
	}
}

static void
test_text(void **unused)
{
	const struct state s = { .next = 120, .count = 118, .total = total_of(INT64_MIN) };
	char text[STATE_TEXT];

	(void)unused;
	state_format(&s, text);
	assert_string_equal(text, "totalizer/1 next=120 count=118 total=-9223372036854775808;");
	assert_int_equal(state_format(&widest, text), 110); /* as the header says */
}

static void
test_refused(void **unused)
{
	static const struct {
		int64_t offset;
		const char *text;
	} rows[] = {
		{ 0, "" }, { 5, "v1 5 3" }, { 5, "totalizer/2 next=5 count=3 total=7;" },
		{ 6, "totalizer/1 next=5 count=3 total=7;" }, /* moved by hand */
		{ -1001, "totalizer/1 next=-1001 count=0 total=0;" },
		{ 5, "totalizer/1 next=5 count=6 total=7;" },
		{ 5, "totalizer/1 next=5 count=-1 total=7;" },
		{ 5, "totalizer/1 next=5 count=18446744073709551619 total=7;" }, /* 3 in 64 bits */
		{ 5, "totalizer/1 next=5 count=0 total=7;" },
		{ 5, "totalizer/1 next=05 count=3 total=7;" },
		{ 5, "totalizer/1 next=5  count=3 total=7;" },
		{ 5, "totalizer/1 next=5 count=3 total=7; " },
		{ 5, "totalizer/1 next=5 count=3 total=7;\n" },
		{ 5, "totalizer/1 next=5 count=3 total=7; more=1" },
		{ 5, " totalizer/1 next=5 count=3 total=7;" },
		{ 5, "totalizer/1 next=5 count=3 total=+7;" },
		{ 5, "totalizer/1 next=5 count=3 total=7.0;" },
		{ 5, "totalizer/1 next=5 count=3 total=7" },
		{ 5, "totalizer/1 next=5 count=3 total=7;;" },
		{ 5, "totalizer/1 next=5 count=3 total=;" },
		{ 5, "totalizer/1 count=3 next=5 total=7;" },
		{ 5, "totalizer/1 next=5 count=3 total=170141183460469231731687303715884105728;" },
		{ 5, "totalizer/1 next=18446744073709551621 count=3 total=7;" }, /* 5 in 64 bits */
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct state s;
		if (parses(&s, rows[i].offset, rows[i].text, strlen(rows[i].text)))
			fail_msg("accepted: %s", rows[i].text);
	}
}

/* No beginning of a text is a text but the whole. */
static void
test_truncated(void **unused)
{
	static const char text[] = "totalizer/1 next=9223372036854775807 count=4 total=-512;";
	size_t whole = sizeof(text) - 1;
	struct state s;

	(void)unused;
	for (size_t n = 0; n < whole; n++)
		assert_false(parses(&s, INT64_MAX, text, n));
	assert_true(parses(&s, INT64_MAX, text, whole));
}

/* A byte changed is a state refused, or a state that is written so. */
static void
test_changed_byte(void **unused)
{
	static const char text[] = "totalizer/1 next=120 count=118 total=-4611;";

	(void)unused;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (int byte = 0; byte < 256; byte++) {
			char changed[sizeof(text)], again[STATE_TEXT];
			struct state s;
			memcpy(changed, text, sizeof(text));
			changed[i] = (char)byte;
			if (!parses(&s, 120, changed, sizeof(text) - 1))
				continue;
			assert_int_equal(state_format(&s, again), sizeof(text) - 1);
			assert_memory_equal(changed, again, sizeof(text) - 1);
		}
	}
}

static void
test_longest(void **unused)
{
	char text[STATE_TEXT + 1];
	struct state s;

	(void)unused;
	memset(text, '7', sizeof(text));
	assert_false(parses(&s, 5, text, STATE_TEXT - 1));
	assert_false(parses(&s, 5, text, STATE_TEXT));
	assert_false(parses(&s, 5, text, STATE_TEXT + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_changed_byte),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
