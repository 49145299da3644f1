/* status.h: gRPC's numbers and names, and the two judgements, as a table of their own. */
#include "adder/status.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* From the gRPC status code page and the semantic conventions for gRPC spans. */
static const struct {
	int number;
	const char *name;
	bool server_error, unknown;
} table[] = {
	{ 0, "OK", false, false },
	{ 1, "CANCELLED", false, true },
	{ 2, "UNKNOWN", true, true },
	{ 3, "INVALID_ARGUMENT", false, false },
	{ 4, "DEADLINE_EXCEEDED", true, true },
	{ 5, "NOT_FOUND", false, false },
	{ 6, "ALREADY_EXISTS", false, false },
	{ 7, "PERMISSION_DENIED", false, false },
	{ 8, "RESOURCE_EXHAUSTED", false, false },
	{ 9, "FAILED_PRECONDITION", false, false },
	{ 10, "ABORTED", false, true },
	{ 11, "OUT_OF_RANGE", false, false },
	{ 12, "UNIMPLEMENTED", true, false },
	{ 13, "INTERNAL", true, true },
	{ 14, "UNAVAILABLE", true, true },
	{ 15, "DATA_LOSS", true, true },
	{ 16, "UNAUTHENTICATED", false, false },
};

static void
test_table(void **state)
{
	(void)state;
	assert_int_equal(STATUS_CODES, sizeof(table) / sizeof(table[0]));
	for (int i = 0; i < STATUS_CODES; i++) {
		enum status code = status_of(table[i].number);

		assert_int_equal(table[i].number, i);
		assert_int_equal(code, i);
		assert_string_equal(status_name(code), table[i].name);
		assert_int_equal(status_is_server_error(code), table[i].server_error);
		assert_int_equal(status_is_unknown_outcome(code), table[i].unknown);
	}
}

static void
test_other_numbers(void **state)
{
	static const int others[] = { -1, INT_MIN, STATUS_CODES, STATUS_CODES + 1, INT_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(status_of(others[i]), STATUS_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_other_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
