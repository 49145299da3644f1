/* health.h against a server of functions: answers, watchers, a change while another is told. */
#include "adder/health.h"

#include "fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { CHECK, LIST, WATCH };
enum { UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN };

static struct health *health;
static struct server_method methods[HEALTH_METHODS];

static int
setup(void **state)
{
	(void)state;
	health = health_open("the.Service");
	health_methods(health, methods);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	health_close(health);
	return 0;
}

static void
ask(struct server_call *c, int method, const char *service)
{
	uint8_t request[64] = { 0x0a };
	size_t n = strlen(service);

	fake_call_init(c, &methods[method]);
	request[1] = (uint8_t)n;
	memcpy(request + 2, service, n);
	methods[method].message(c, request, n + 2);
}

/* What the last message says; the field is left out when it is 0. */
static int
said(const struct server_call *c)
{
	assert_true(c->n == 2 && c->bytes[0] == 0x08);
	return c->bytes[1];
}

static void
test_check(void **state)
{
	struct server_call c;

	(void)state;
	ask(&c, CHECK, "");
	assert_int_equal(said(&c), NOT_SERVING);
	health_set(health, true);
	ask(&c, CHECK, "the.Service");
	assert_int_equal(c.status, STATUS_OK);
	assert_int_equal(said(&c), SERVING);
	ask(&c, CHECK, "the.Servic");
	assert_int_equal(c.status, STATUS_NOT_FOUND);
	fake_call_init(&c, &methods[CHECK]);
	methods[CHECK].message(&c, (const uint8_t *)"\x0a\x05", 2);
	assert_int_equal(c.status, STATUS_INTERNAL);
	fake_call_init(&c, &methods[CHECK]);
	methods[CHECK].message(&c, NULL, 0);
	assert_int_equal(c.status, STATUS_INTERNAL);
}

static void
test_list(void **state)
{
	/* The empty key is left out, as a field that has its default. */
	static const char expected[] = "\x0a\x04\x12\x02\x08\x02"
				       "\x0a\x11\x0a\x0bthe.Service\x12\x02\x08\x02";
	struct server_call c;

	(void)state;
	ask(&c, LIST, "");
	assert_int_equal(c.status, STATUS_OK);
	assert_int_equal(c.n, sizeof(expected) - 1);
	assert_memory_equal(c.bytes, expected, c.n);
}

static void
test_watch_tells_each_change_once(void **state)
{
	struct server_call c;

	(void)state;
	ask(&c, WATCH, "the.Service");
	assert_int_equal(said(&c), NOT_SERVING);
	methods[WATCH].written(&c);
	health_set(health, false);
	assert_int_equal(c.sent, 1);
	health_set(health, true);
	assert_int_equal(c.sent, 2);
	assert_int_equal(said(&c), SERVING);
	methods[WATCH].written(&c);
	methods[WATCH].over(&c);
	assert_int_equal(c.finished, 1);
	assert_false(c.failed);
	health_set(health, false); /* nobody is left to be told */
	assert_int_equal(c.sent, 2);
}

static void
test_a_change_while_a_message_is_on_its_way_waits(void **state)
{
	struct server_call c;

	(void)state;
	ask(&c, WATCH, "");
	health_set(health, true);
	health_set(health, false);
	health_set(health, true);
	assert_int_equal(c.sent, 1);
	methods[WATCH].written(&c);
	assert_int_equal(c.sent, 2);
	assert_int_equal(said(&c), SERVING);
	health_set(health, false);
	health_set(health, true); /* there and back: nothing to tell */
	methods[WATCH].written(&c);
	assert_int_equal(c.sent, 2);
	methods[WATCH].over(&c);
}

static void
test_stop_tells_and_then_ends(void **state)
{
	struct server_call known, unknown, late;

	(void)state;
	health_set(health, true);
	ask(&known, WATCH, "");
	methods[WATCH].written(&known);
	ask(&unknown, WATCH, "nobody");
	assert_int_equal(said(&unknown), SERVICE_UNKNOWN);
	health_stop(health);
	assert_int_equal(said(&known), NOT_SERVING);
	assert_int_equal(known.finished + unknown.finished, 0);
	methods[WATCH].written(&known);
	methods[WATCH].written(&unknown);
	assert_int_equal(known.status, STATUS_UNAVAILABLE);
	assert_int_equal(unknown.status, STATUS_UNAVAILABLE);
	assert_int_equal(known.finished + unknown.finished, 2);
	health_set(health, true); /* too late */
	ask(&late, WATCH, "");
	assert_int_equal(said(&late), NOT_SERVING);
	methods[WATCH].written(&late);
	assert_int_equal(late.status, STATUS_UNAVAILABLE);
	methods[WATCH].over(&late);
	methods[WATCH].over(&unknown);
	methods[WATCH].over(&known);
	assert_false(known.failed || unknown.failed || late.failed);
}

static void
test_watchers_leave_in_any_order(void **state)
{
	static const int orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 0, 2 }, { 1, 2, 0 } };
	struct server_call c[3];

	(void)state;
	for (size_t o = 0; o < sizeof(orders) / sizeof(orders[0]); o++) {
		bool gone[3] = { false };

		health_set(health, false);
		for (int i = 0; i < 3; i++) {
			ask(&c[i], WATCH, "");
			methods[WATCH].written(&c[i]);
		}
		for (int i = 0; i < 3; i++) {
			methods[WATCH].over(&c[orders[o][i]]);
			gone[orders[o][i]] = true;
			health_set(health, i % 2 == 0);
			for (int k = 0; k < 3; k++) {
				if (!gone[k])
					methods[WATCH].written(&c[k]);
				assert_int_equal(c[k].finished, gone[k]);
			}
		}
	}
}

static void
test_streams_that_ask_nothing(void **state)
{
	struct server_call c;

	(void)state;
	fake_call_init(&c, &methods[WATCH]);
	methods[WATCH].over(&c);
	assert_int_equal(c.status, STATUS_CANCELLED);
	fake_call_init(&c, &methods[WATCH]);
	methods[WATCH].message(&c, NULL, 0);
	assert_int_equal(c.status, STATUS_INTERNAL);
	methods[WATCH].over(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watch_tells_each_change_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_change_while_a_message_is_on_its_way_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_tells_and_then_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watchers_leave_in_any_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_streams_that_ask_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
