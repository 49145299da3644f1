/* sum.h between a server, a producer and a sidecar of functions: every way a call can end, and
 * two threads that end it at the same moment. */
#include "adder/sum.h"

#include "adder/producer.h"
#include "base/clock.h"
#include "fake_server.h"
#include "fake_telemetry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* ---- the producer */

static enum producer_state kafka_state;
static const char *kafka_refuses; /* error of producer_send(); NULL: it takes the message */
static void *taken;               /* last message's argument */
static atomic_int settled_left;   /* messages taken and not settled */
static char payload[512], key[64], traceparent[64];

enum producer_state
producer_state(struct producer *p, char *why, size_t size)
{
	(void)p;
	if (why != NULL)
		snprintf(why, size, "the reason");
	return kafka_state;
}

const char *
producer_send(struct producer *p, const struct producer_message *m, void *arg)
{
	(void)p;
	snprintf(payload, sizeof(payload), "%.*s", (int)m->len, (const char *)m->payload);
	snprintf(key, sizeof(key), "%s", m->key != NULL ? m->key : "");
	snprintf(
	    traceparent, sizeof(traceparent), "%s", m->traceparent != NULL ? m->traceparent : "");
	if (kafka_refuses != NULL)
		return kafka_refuses;
	taken = arg;
	settled_left++;
	return NULL;
}

static void
settle(const char *error, int32_t partition, int64_t offset)
{
	const struct producer_receipt r = { error, partition, offset };

	settled_left--;
	sum_settled(taken, &r);
}

/* ---- the tests */

bool
server_refused(const struct server_call *c)
{
	return c->refused;
}

static struct sum *sum;
static struct server_method method;
static struct sum_totals totals;

static const uint8_t two_and_three[] = { 0x08, 2, 0x10, 3 };

static int
setup(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	memset(&send, 0, sizeof(send));
	produced = errors = settled_left = 0;
	kafka_state = PRODUCER_READY;
	kafka_refuses = NULL;
	sum = sum_open(NULL, "the-topic", 2);
	sum_set_producer(sum, NULL);
	sum_method(sum, &method);
	return 0;
}

/* After every test, as the service stops: all spans ended, every call finished once. */
static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(settled_left, 0);
	assert_int_equal(server.started, server.ended);
	assert_int_equal(send.started, send.ended);
	sum_close(sum);
	return 0;
}

static void
begin(struct server_call *c, const uint8_t *bytes, size_t n)
{
	fake_call_init(c, &method);
	if (c->finished == 0)
		method.message(c, bytes, n);
}

static void
over(struct server_call *c, enum status expected)
{
	method.over(c);
	assert_int_equal(c->finished, 1);
	assert_int_equal(c->status, expected);
	assert_false(c->failed);
}

static void
test_acknowledged(void **state)
{
	uint64_t before = clock_wall().ns;
	struct server_call c;

	(void)state;
	begin(&c, two_and_three, 4);
	assert_int_equal(c.finished, 0);
	assert_int_equal(server.ended + send.ended, 0);
	assert_memory_equal(&send.parent.span_id, "\x01\x01\x01\x01\x01\x01\x01\x01", 8);
	settle(NULL, 3, 77);
	assert_memory_equal(c.bytes, "\x08\x05", 2);
	assert_int_equal(produced, 1);
	assert_in_range(produced_at, before, clock_wall().ns);
	assert_string_equal(server.attrs,
	    "rpc.system.name=grpc rpc.method=sum.SumNumbersService/SumNumbers "
	    "server.address=adder.example server.port=50051 rpc.response.status_code=OK ");
	assert_string_equal(send.attrs,
	    "messaging.system=kafka messaging.operation.name=send messaging.operation.type=send "
	    "messaging.destination.name=the-topic messaging.destination.partition.id=3 "
	    "messaging.kafka.offset=77 ");
	assert_int_equal(server.status, SIDECAR_UNSET);
	assert_int_equal(send.status, SIDECAR_UNSET);
	over(&c, STATUS_OK);
	sum_count(sum, &totals);
	assert_int_equal(totals.ok, 1);
}

static void
test_what_is_sent_names_the_send_span(void **state)
{
	struct server_call c;

	(void)state;
	next_id = 0xa0;
	begin(&c, two_and_three, 4);
	assert_non_null(strstr(payload, "\"span_id\":\"a2a2a2a2a2a2a2a2\""));
	assert_string_equal(key, "a2a2a2a2a2a2a2a2");
	assert_memory_equal(traceparent + 36, "a2a2a2a2a2a2a2a2-01", 20);
	settle(NULL, 3, 0);
	over(&c, STATUS_OK);
}

static void
test_failed_after_it_was_taken(void **state)
{
	struct server_call c;

	(void)state;
	begin(&c, two_and_three, 4);
	settle("_MSG_TIMED_OUT", -1, -1001);
	over(&c, STATUS_UNAVAILABLE);
	assert_string_equal(c.text, "not known to be published: _MSG_TIMED_OUT");
	assert_int_equal(errors, 1);
	assert_int_equal(produced, 0);
	assert_string_equal(error_type, "_MSG_TIMED_OUT");
	assert_int_equal(server.status, SIDECAR_FAILED);
	assert_int_equal(send.status, SIDECAR_FAILED);
	assert_non_null(strstr(server.attrs, " error.type=UNAVAILABLE "));
	assert_non_null(strstr(send.attrs, " error.type=_MSG_TIMED_OUT "));
	assert_null(strstr(send.attrs, "partition"));
	assert_null(strstr(send.attrs, "offset"));
}

static void
test_refused_by_the_producer(void **state)
{
	struct server_call c;

	(void)state;
	kafka_refuses = "_QUEUE_FULL";
	begin(&c, two_and_three, 4);
	over(&c, STATUS_UNAVAILABLE);
	assert_string_equal(c.text, "nothing was published: _QUEUE_FULL");
	assert_int_equal(errors, 1);
	assert_int_equal(send.status, SIDECAR_FAILED);
}

static void
test_not_ready(void **state)
{
	static const enum producer_state states[] = { PRODUCER_WAITING, PRODUCER_FAILED };
	struct server_call c;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		kafka_state = states[i];
		begin(&c, two_and_three, 4);
		over(&c, STATUS_UNAVAILABLE);
		assert_string_equal(c.text, "not ready, nothing was published: the reason");
	}
	assert_int_equal(send.started + errors, 0);
}

static const struct {
	const uint8_t *bytes;
	size_t n;
	enum status code;
	bool failed;
} bad[] = {
	/* INT64_MAX + 1, INT64_MIN - 1 */
	{ (const uint8_t *)"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10\x01", 12,
	    STATUS_OUT_OF_RANGE, false },
	{ (const uint8_t
		  *)"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x10\xff\xff\xff\xff\xff\xff"
		    "\xff\xff\xff\x01",
	    22, STATUS_OUT_OF_RANGE, false },
	{ (const uint8_t *)"\x08", 1, STATUS_INTERNAL, true },
	{ NULL, 0, STATUS_INTERNAL, true },
};

static void
test_refused_for_what_it_asks(void **state)
{
	struct server_call c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(&c, bad[i].bytes, bad[i].n);
		over(&c, bad[i].code);
		assert_int_equal(server.status, bad[i].failed ? SIDECAR_FAILED : SIDECAR_UNSET);
		assert_int_equal(strstr(server.attrs, "error.type") != NULL, bad[i].failed);
	}
	assert_int_equal(send.started, 0);
	sum_count(sum, &totals);
	assert_int_equal(totals.rejected, 4);
}

static void
test_deadline_before_it_was_read(void **state)
{
	struct server_call c;

	(void)state;
	fake_call_init(&c, &method);
	c.expired = true;
	method.message(&c, two_and_three, 4);
	over(&c, STATUS_DEADLINE_EXCEEDED);
	assert_int_equal(send.started, 0);
}

/* gRPC has answered by itself: the span says the same as the caller heard. */
static void
test_a_request_that_is_too_large(void **state)
{
	struct server_call c;

	(void)state;
	fake_call_init(&c, &method);
	c.refused = true;
	over(&c, STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(server.status, SIDECAR_UNSET);
	assert_int_equal(send.started, 0);
	sum_count(sum, &totals);
	assert_int_equal(totals.refused, 1);
	assert_int_equal(totals.gone, 0);
}

static void
test_the_caller_goes_first(void **state)
{
	struct server_call c;

	(void)state;
	for (int expired = 0; expired < 2; expired++) {
		begin(&c, two_and_three, 4);
		c.expired = expired != 0;
		over(&c, expired ? STATUS_DEADLINE_EXCEEDED : STATUS_CANCELLED);
		assert_int_equal(server.status, expired ? SIDECAR_FAILED : SIDECAR_UNSET);
		assert_int_equal(send.ended, expired);
		settle(NULL, 3, 5); /* stored all the same */
		assert_int_equal(c.finished, 1);
	}
	assert_int_equal(produced, 2);
	sum_count(sum, &totals);
	assert_int_equal(totals.gone, 2);
	assert_int_equal(totals.late, 2);
	assert_int_equal(totals.ok, 0);
}

static void
test_limit(void **state)
{
	struct server_call c[4];
	void *first;

	(void)state;
	begin(&c[0], two_and_three, 4);
	first = taken;
	begin(&c[1], two_and_three, 4);
	begin(&c[2], two_and_three, 4);
	over(&c[2], STATUS_RESOURCE_EXHAUSTED);
	over(&c[1], STATUS_CANCELLED); /* gone, but its message is under way: it counts */
	begin(&c[3], two_and_three, 4);
	over(&c[3], STATUS_RESOURCE_EXHAUSTED);
	settle(NULL, 3, 0);
	begin(&c[3], two_and_three, 4); /* room again */
	settle(NULL, 3, 1);
	over(&c[3], STATUS_OK);
	taken = first;
	settle(NULL, 3, 2);
	over(&c[0], STATUS_OK);
	sum_count(sum, &totals);
	assert_int_equal(totals.refused, 2);
}

/* A caller that has its answer makes its next call, and may be faster than gRPC's word that the
 * last one is over. */
static void
test_an_answered_call_makes_room(void **state)
{
	struct server_call c[5];

	(void)state;
	kafka_state = PRODUCER_WAITING;
	begin(&c[0], two_and_three, 4);
	kafka_state = PRODUCER_READY;
	begin(&c[1], two_and_three, 4);
	settle(NULL, 3, 0);
	begin(&c[2], two_and_three, 4);
	settle(NULL, 3, 1);
	begin(&c[3], two_and_three, 4);
	settle("_MSG_TIMED_OUT", -1, -1001);
	kafka_refuses = "_QUEUE_FULL";
	begin(&c[4], two_and_three, 4);
	over(&c[0], STATUS_UNAVAILABLE);
	over(&c[1], STATUS_OK);
	over(&c[2], STATUS_OK);
	over(&c[3], STATUS_UNAVAILABLE);
	over(&c[4], STATUS_UNAVAILABLE);
	sum_count(sum, &totals);
	assert_int_equal(totals.refused, 0);
}

static void *
settle_on_thread(void *arg)
{
	(void)arg;
	settle(NULL, 3, 1);
	return NULL;
}

/* Acknowledged on one thread while the call ends on another: one answer, whoever is first. */
static void
test_both_at_once(void **state)
{
	struct server_call c;
	pthread_t thread;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		begin(&c, two_and_three, 4);
		assert_int_equal(pthread_create(&thread, NULL, settle_on_thread, NULL), 0);
		method.over(&c);
		pthread_join(thread, NULL);
		assert_int_equal(c.finished, 1);
		assert_true(c.status == STATUS_OK || c.status == STATUS_CANCELLED);
	}
	sum_count(sum, &totals);
	assert_int_equal(totals.ok + totals.gone, 2000);
	assert_int_equal(totals.gone, totals.late);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_acknowledged),
		TEST(test_what_is_sent_names_the_send_span),
		TEST(test_failed_after_it_was_taken),
		TEST(test_refused_by_the_producer),
		TEST(test_not_ready),
		TEST(test_refused_for_what_it_asks),
		TEST(test_deadline_before_it_was_read),
		TEST(test_a_request_that_is_too_large),
		TEST(test_the_caller_goes_first),
		TEST(test_limit),
		TEST(test_an_answered_call_makes_room),
		TEST(test_both_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
