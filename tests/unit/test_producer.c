/* producer.h on librdkafka's mock cluster inside the test: acknowledgements, refusals, and the
 * faults that decide whether an OK can be trusted. The producer's own handle is caught as it is
 * made. */
#include "adder/producer.h"

#include "base/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PATIENCE = 60 /* s; only a fault waits that long */ };
enum { PRODUCE = 0, LIST_OFFSETS = 2 }; /* Kafka's ApiKeys */

typedef rd_kafka_t *new_function(rd_kafka_type_t, rd_kafka_conf_t *, char *, size_t);
typedef void delivery(rd_kafka_t *, const rd_kafka_message_t *, void *);
typedef void set_delivery(rd_kafka_conf_t *, delivery *);

static rd_kafka_t *handle;
static delivery *on_delivery;
static bool last_partition_refuses; /* once, when it is asked for its offsets */

/* Found before librdkafka's own by the producer's object, and passed on. */
rd_kafka_t *
rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *error, size_t n)
{
	new_function *real;

	*(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_new");
	handle = real(type, conf, error, n);
	if (handle != NULL && last_partition_refuses)
		/* Two requests a partition, for its first and its next offset; both must fail, as
		 * librdkafka may forget the first's failure over the second's success. */
		rd_kafka_mock_push_request_errors(rd_kafka_handle_mock_cluster(handle),
		    LIST_OFFSETS, 8, 0, 0, 0, 0, 0, 0, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
		    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	return handle;
}

void
rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t *conf, delivery *cb)
{
	set_delivery *real;

	*(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_conf_set_dr_msg_cb");
	on_delivery = cb;
	real(conf, cb);
}

/* ---- what the producer said */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t said = PTHREAD_COND_INITIALIZER;
static unsigned changes, receipts, stored;
static char last_error[64];
static int64_t last_offset;
static char first_why[256];
static struct producer *producer;

static void
settled(void *arg, const struct producer_receipt *r)
{
	pthread_mutex_lock(&lock);
	++*(int *)arg;
	receipts++;
	stored += r->error == NULL;
	last_offset = r->offset;
	snprintf(last_error, sizeof(last_error), "%s", r->error != NULL ? r->error : "");
	pthread_cond_broadcast(&said);
	pthread_mutex_unlock(&lock);
}

static void
changed(void *arg)
{
	char why[256] = "";

	(void)arg;
	if (changes == 0) /* only this thread, the producer's, writes it meanwhile */
		producer_state(rd_kafka_opaque(handle), why, sizeof(why));
	pthread_mutex_lock(&lock);
	if (changes++ == 0)
		snprintf(first_why, sizeof(first_why), "%s", why);
	pthread_cond_broadcast(&said);
	pthread_mutex_unlock(&lock);
}

/* Until *counter is at least n. */
static void
wait_for(const unsigned *counter, unsigned n)
{
	struct timespec until;
	int e = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE;
	pthread_mutex_lock(&lock);
	while (*counter < n && e == 0)
		e = pthread_cond_timedwait(&said, &lock, &until);
	pthread_mutex_unlock(&lock);
	assert_int_equal(e, 0);
}

static void
wait_state(enum producer_state state)
{
	unsigned seen = 0;

	while (producer_state(producer, NULL, 0) != state)
		wait_for(&changes, ++seen);
}

static void
open_with(const char *extra)
{
	const char *pairs[] = { "test.mock.num.brokers=1", extra };
	const struct option_list settings = { pairs, extra != NULL ? 2 : 1 };
	const struct producer_options o = { .brokers = "127.0.0.1:1",
		.topic = "sums",
		.settings = &settings,
		.settled = settled,
		.changed = changed };
	char error[256] = "";

	changes = receipts = stored = 0;
	producer = producer_open(&o, error, sizeof(error));
	if (producer == NULL)
		fail_msg("%s", error);
	wait_state(PRODUCER_READY);
}

static rd_kafka_mock_cluster_t *
cluster(void)
{
	return rd_kafka_handle_mock_cluster(handle);
}

static const char *
put(int *counter)
{
	const struct producer_message m = {
		.payload = "{\"sum\":5}", .len = 9, .key = "k", .traceparent = "00-1-2-01"
	};

	return producer_send(producer, &m, counter);
}

/* ---- the tests */

static void
test_every_partition_must_answer_first(void **state)
{
	(void)state;
	open_with(NULL);
	wait_for(&changes, 1); /* the state is there a moment before the word of it */
	assert_string_equal(first_why, "");
	producer_close(producer, 0);
	last_partition_refuses = true;
	open_with(NULL);
	last_partition_refuses = false;
	wait_for(&changes, 2);
	assert_memory_equal(first_why, "partition 3 of 4 does not answer: ", 34);
	producer_close(producer, 0);
}

static void
test_each_message_is_settled_once(void **state)
{
	enum { N = 500 };
	static int seen[N];

	(void)state;
	open_with(NULL);
	for (int i = 0; i < N; i++)
		assert_null(put(&seen[i]));
	wait_for(&receipts, N);
	for (int i = 0; i < N; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(stored, N);
	/* One key, one partition: the last offset is the count. */
	assert_int_equal(last_offset, N - 1);
	producer_close(producer, 0);
}

static void
test_a_refusal_of_the_broker_has_its_name(void **state)
{
	int seen = 0;

	(void)state;
	open_with(NULL);
	rd_kafka_mock_push_request_errors(
	    cluster(), PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	assert_null(put(&seen));
	wait_for(&receipts, 1);
	assert_string_equal(last_error, "MSG_SIZE_TOO_LARGE");
	assert_int_equal(producer_state(producer, NULL, 0), PRODUCER_READY);
	producer_close(producer, 0);
}

static void
test_a_passing_fault_is_tried_again(void **state)
{
	int seen = 0;

	(void)state;
	open_with("retry.backoff.ms=1");
	rd_kafka_mock_push_request_errors(cluster(), PRODUCE, 2,
	    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
	assert_null(put(&seen));
	wait_for(&receipts, 1);
	assert_int_equal(stored, 1);
	producer_close(producer, 0);
}

/* "Stored", but nobody knows where: not to be believed. */
static void
test_an_acknowledgement_without_an_offset_is_a_failure(void **state)
{
	static const int64_t offsets[] = { RD_KAFKA_OFFSET_INVALID, -1, INT64_MIN };
	int seen = 0;

	(void)state;
	open_with(NULL);
	for (size_t i = 0; i < 3; i++) {
		const rd_kafka_message_t m = { .offset = offsets[i], ._private = &seen };

		on_delivery(handle, &m, rd_kafka_opaque(handle));
		assert_int_equal(receipts, i + 1);
		assert_string_equal(last_error, "_NO_OFFSET");
	}
	on_delivery(handle, &(rd_kafka_message_t){ .offset = 0, ._private = &seen },
	    rd_kafka_opaque(handle));
	assert_string_equal(last_error, "");
	assert_int_equal(stored, 1);
	producer_close(producer, 0);
}

static void
test_a_fatal_error_settles_all_and_is_final(void **state)
{
	int seen[3] = { 0 };
	char why[256];

	(void)state;
	open_with(NULL);
	rd_kafka_mock_broker_set_down(cluster(), 1);
	for (int i = 0; i < 3; i++)
		assert_null(put(&seen[i]));
	rd_kafka_test_fatal_error(
	    handle, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "as the test says");
	wait_state(PRODUCER_FAILED);
	wait_for(&receipts, 3);
	assert_int_equal(stored, 0);
	assert_int_equal(seen[0] + seen[1] + seen[2], 3);
	producer_state(producer, why, sizeof(why));
	assert_non_null(strstr(why, "as the test says"));
	assert_string_equal(put(&seen[0]), "OUT_OF_ORDER_SEQUENCE_NUMBER");
	producer_close(producer, 0);
	assert_int_equal(receipts, 3);
}

static void
test_a_full_queue_and_what_is_left_at_the_end(void **state)
{
	int seen[3] = { 0 };

	(void)state;
	open_with("queue.buffering.max.messages=2");
	rd_kafka_mock_broker_set_down(cluster(), 1);
	assert_null(put(&seen[0]));
	assert_null(put(&seen[1]));
	assert_string_equal(put(&seen[2]), "_QUEUE_FULL");
	producer_close(producer, 0);
	assert_int_equal(receipts, 2);
	assert_int_equal(stored, 0);
	assert_true(seen[0] == 1 && seen[1] == 1 && seen[2] == 0);
}

static void
test_purge(void **state)
{
	int seen = 0;

	(void)state;
	open_with(NULL);
	rd_kafka_mock_broker_set_down(cluster(), 1);
	assert_null(put(&seen));
	producer_purge(producer);
	wait_for(&receipts, 1);
	assert_int_equal(strncmp(last_error, "_PURGE_", 7), 0);
	assert_int_equal(producer_state(producer, NULL, 0), PRODUCER_READY);
	producer_close(producer, 0);
}

static void
test_close_waits_for_the_grace(void **state)
{
	int seen = 0;

	(void)state;
	open_with("linger.ms=300");
	assert_null(put(&seen));
	producer_close(producer, PATIENCE * 1000);
	assert_int_equal(stored, 1);
	producer_close(NULL, 0);
}

static void
test_settings(void **state)
{
	static const struct {
		const char *pair;
		bool good;
	} table[] = {
		{ "linger.ms=7", true },
		{ "message.timeout.ms=500", true },
		{ "acks=1", false },
		{ "request.required.acks=1", false },
		{ "enable.idempotence=false", false },
		{ "max.in.flight=2", false },
		{ "max.in.flight.requests.per.connection=2", false },
		{ "transactional.id=x", false },
		{ "no.such=1", false },
		{ "linger.ms=never", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *pair = table[i].pair;
		const struct option_list settings = { &pair, 1 };
		const struct producer_options o = {
			.brokers = "127.0.0.1:1", .topic = "sums", .settings = &settings
		};
		char error[256] = "";

		assert_int_equal(producer_check(&o, error, sizeof(error)), table[i].good ? 0 : -1);
		assert_int_equal(error[0] == '\0', table[i].good);
		if (!table[i].good)
			assert_null(producer_open(&o, error, sizeof(error)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_partition_must_answer_first),
		cmocka_unit_test(test_each_message_is_settled_once),
		cmocka_unit_test(test_a_refusal_of_the_broker_has_its_name),
		cmocka_unit_test(test_a_passing_fault_is_tried_again),
		cmocka_unit_test(test_an_acknowledgement_without_an_offset_is_a_failure),
		cmocka_unit_test(test_a_fatal_error_settles_all_and_is_final),
		cmocka_unit_test(test_a_full_queue_and_what_is_left_at_the_end),
		cmocka_unit_test(test_purge),
		cmocka_unit_test(test_close_waits_for_the_grace),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
