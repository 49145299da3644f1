/* authority.h: what callers put into :authority, good and bad. */
#include "adder/authority.h"

#include "guard.h"

#include <cmocka.h>

static const struct {
	const char *text, *host; /* host NULL: refused */
	uint16_t port;
} table[] = {
	{ "localhost", "localhost", 0 },
	{ "localhost:50051", "localhost", 50051 },
	{ "127.0.0.1:1", "127.0.0.1", 1 },
	{ "sums.example.:65535", "sums.example.", 65535 },
	{ "a:00080", "a", 80 },
	{ "[::1]", "::1", 0 },
	{ "[::1]:50051", "::1", 50051 },
	{ "[fe80::1%eth0]:7", "fe80::1%eth0", 7 },
	{ "", NULL, 0 },
	{ ":50051", NULL, 0 },
	{ "host:", NULL, 0 },
	{ "host:0", NULL, 0 },
	{ "host:65536", NULL, 0 },
	{ "host:99999", NULL, 0 },
	{ "host:000080", NULL, 0 },
	{ "host:4294967376", NULL, 0 },
	{ "host:80x", NULL, 0 },
	{ "host:-1", NULL, 0 },
	{ "host: 80", NULL, 0 },
	{ "::1", NULL, 0 },
	{ "[", NULL, 0 },
	{ "[]", NULL, 0 },
	{ "[]:80", NULL, 0 },
	{ "[::1", NULL, 0 },
	{ "[::1]80", NULL, 0 },
	{ "[::1]:", NULL, 0 },
	{ "[::1]:x", NULL, 0 },
};

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t n = strlen(table[i].text) + 1;
		char *text = guard_copy(table[i].text, n);
		uint16_t port = 12345;
		bool ok = authority_split(text, &port);

		if (ok != (table[i].host != NULL))
			fail_msg("'%s'", table[i].text);
		if (ok) {
			assert_string_equal(text, table[i].host);
			assert_int_equal(port, table[i].port);
		}
		guard_free(text, n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
