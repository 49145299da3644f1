/* load.h in simulated time: a client that answers when the test says, and a clock that only it
 * moves. */
#include "adder/load.h"

#include "adder/client.h"
#include "adder/summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define MS CLOCK_MILLI

enum { CALLS_MAX = 4096 };

static struct mono now;
static struct pending {
	struct client_call call;
	uint64_t started, done;
} calls[CALLS_MAX];
static size_t made, answered, outstanding_max;
static uint64_t latency, stall_from, stall_to; /* of the service: nothing is answered in a stall */
static size_t fail_start;                      /* the call that cannot be started; 0: all can */
static volatile sig_atomic_t stop;
static size_t stop_after;
static char first_traceparent[TRACEPARENT_SIZE], last_traceparent[TRACEPARENT_SIZE];

struct mono
clock_mono(void)
{
	return now;
}

bool
client_start(struct client *c, const struct client_call *call)
{
	struct pending *p = &calls[made];

	(void)c;
	assert_true(made < CALLS_MAX);
	if (fail_start != 0 && made + 1 == fail_start) {
		fail_start = 0;
		return false;
	}
	assert_true(call->x >= -LOAD_NUMBER_MAX && call->x <= LOAD_NUMBER_MAX);
	assert_true(call->y >= -LOAD_NUMBER_MAX && call->y <= LOAD_NUMBER_MAX);
	assert_true(call->due.ns <= now.ns);
	memcpy(last_traceparent, call->traceparent, TRACEPARENT_SIZE);
	if (made == 0)
		memcpy(first_traceparent, call->traceparent, TRACEPARENT_SIZE);
	p->call = *call;
	p->started = now.ns;
	p->done = now.ns + latency;
	if (p->done >= stall_from && p->done < stall_to)
		p->done = stall_to;
	made++;
	if (made - answered > outstanding_max)
		outstanding_max = made - answered;
	if (made == stop_after)
		stop = 1;
	return true;
}

bool
client_next(struct client *c, struct mono until, struct client_reply *reply)
{
	struct pending *p = &calls[answered];

	(void)c;
	if (answered == made || p->done > until.ns) {
		now.ns = until.ns > now.ns ? until.ns : now.ns;
		return false;
	}
	now.ns = p->done > now.ns ? p->done : now.ns;
	*reply = (struct client_reply){ .sum = p->call.x + p->call.y, .due = p->call.due };
	answered++;
	return true;
}

static int
setup(void **state)
{
	(void)state;
	now.ns = 5 * CLOCK_SECOND;
	made = answered = outstanding_max = fail_start = stop_after = 0;
	latency = 2 * MS;
	stall_from = stall_to = 0;
	stop = 0;
	return 0;
}

static struct summary summary;

static double
run(uint64_t rate, uint64_t seconds, uint64_t outstanding)
{
	struct load l = { .rate = rate,
		.seconds = seconds,
		.outstanding = outstanding,
		.deadline = CLOCK_SECOND,
		.stop = &stop };

	summary_init(&summary);
	return load_run(NULL, &l, &summary);
}

static void
test_calls_are_due_at_the_rate(void **state)
{
	__int128 sum = 0;

	(void)state;
	assert_true(run(300, 3, 1000) < 3.01);
	assert_int_equal(made, 900);
	assert_int_equal(summary.codes[STATUS_OK], 900);
	for (size_t i = 0; i < made; i++) {
		uint64_t due = 5 * CLOCK_SECOND + i * CLOCK_SECOND / 300;

		assert_int_equal(calls[i].call.due.ns, due);
		assert_in_range(calls[i].started, due, due + 2 * MS);
		sum += calls[i].call.x + calls[i].call.y;
	}
	assert_true(summary.sum == sum);
	assert_in_range(summary.latency_max, 2 * MS, 4 * MS);
}

/* The service stands still for a second: calls stay due, and those that had to wait for a place
 * show it. */
static void
test_waiting_for_a_place_counts_as_latency(void **state)
{
	(void)state;
	stall_from = 6 * CLOCK_SECOND;
	stall_to = 7 * CLOCK_SECOND;
	run(1000, 3, 100);
	assert_int_equal(made, 3000);
	assert_int_equal(outstanding_max, 100);
	assert_in_range(summary.latency_max, 999 * MS, 1010 * MS);
	/* A third of the calls fell due in the stall, evenly: half of them waited half a second. */
	assert_in_range(summary_percentile(&summary, 5.0 / 6), 450 * MS, 550 * MS);
}

static void
test_one_at_a_time(void **state)
{
	(void)state;
	run(1000, 1, 1);
	assert_int_equal(made, 1000);
	assert_int_equal(outstanding_max, 1);
	assert_in_range(now.ns, 7 * CLOCK_SECOND - 10 * MS, 7 * CLOCK_SECOND + 10 * MS);
}

static void
test_stop_waits_for_what_is_under_way(void **state)
{
	(void)state;
	stop_after = 50;
	latency = 700 * MS;
	run(1000, 100, 1000);
	assert_in_range(made, 50, 51);
	assert_int_equal(answered, made);
	assert_int_equal(summary.calls, made);
}

static void
test_a_call_that_cannot_be_made(void **state)
{
	(void)state;
	fail_start = 10;
	run(100, 1, 10);
	assert_int_equal(made, 99);
	assert_int_equal(summary.not_started, 1);
	assert_int_equal(summary.calls, 99);
	assert_false(summary_all_ok(&summary));
}

static void
test_a_new_trace_for_each_call(void **state)
{
	(void)state;
	run(10, 1, 10);
	assert_memory_equal(first_traceparent, "00-", 3);
	assert_string_equal(first_traceparent + 52, "-01");
	assert_int_equal(strspn(first_traceparent + 3, "0123456789abcdef"), 32);
	assert_int_equal(strspn(first_traceparent + 36, "0123456789abcdef"), 16);
	assert_memory_not_equal(first_traceparent, last_traceparent, 35);
}

static void
test_numbers_of_both_signs(void **state)
{
	size_t negative = 0;

	(void)state;
	run(1000, 1, 10);
	for (size_t i = 0; i < made; i++)
		negative += calls[i].call.x < 0;
	assert_in_range(negative, 300, 700); /* 12 standard deviations */
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_calls_are_due_at_the_rate),
		TEST(test_waiting_for_a_place_counts_as_latency),
		TEST(test_one_at_a_time),
		TEST(test_stop_waits_for_what_is_under_way),
		TEST(test_a_call_that_cannot_be_made),
		TEST(test_a_new_trace_for_each_call),
		TEST(test_numbers_of_both_signs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
