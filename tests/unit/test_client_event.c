/* What each public call puts on the wire, as the peer reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/sidecar.h"
#include "client_peer.h"

static struct peer *peer;
static struct sidecar *sidecar;

static int
setup(void **state)
{
	struct sidecar_options options = { .size = sizeof(options), .service_name = "svc" };

	(void)state;
	peer = peer_start(NULL);
	options.socket_path = peer_path(peer);
	options.attributes = "service.version=1.2.3";
	sidecar = sidecar_open(&options);
	assert_non_null(sidecar);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sidecar_close(sidecar, 10000);
	peer_stop(peer);
	return 0;
}

static size_t
fields(const struct event *e)
{
	return e->message.data.via.array.size;
}

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Within a second of now, which it must be when 0 was given. */
static void
assert_now(const struct event *e, size_t field)
{
	assert_in_range(now() - event_uint(e, field) + 1000000, 0, 60000000000u);
}

static void
hello_first(void **state)
{
	const struct event *e = peer_wait_type(peer, WIRE_HELLO, 0);

	(void)state;
	assert_ptr_equal(peer_event(peer, 0), e);
	assert_int_equal(fields(e), 4);
	assert_int_equal(event_uint(e, 1), WIRE_VERSION);
	assert_non_null(event_get(event_field(e, 2), "service.name"));
	assert_non_null(event_get(event_field(e, 2), "service.version"));
}

static void
a_root_span(void **state)
{
	struct sidecar_attr attrs[] = { sidecar_str("k", "v"), sidecar_int("i", -7) };
	struct sidecar_context linked = { .trace_id = { 1 }, .span_id = { 2 } };
	struct sidecar_span span;
	const struct event *e;

	(void)state;
	sidecar_span_start(sidecar, &span, "GET /", SIDECAR_SERVER, NULL, 0, attrs, 2);
	assert_int_equal(span.context.flags, SIDECAR_SAMPLED | SIDECAR_RANDOM);
	sidecar_span_set(&span, attrs, 2);
	sidecar_span_event(&span, "retry", 5000000000, attrs, 1);
	sidecar_span_link(&span, &linked, NULL, 0);
	sidecar_span_end(&span, SIDECAR_FAILED, "broke", 0, attrs + 1, 1);

	e = peer_wait_type(peer, WIRE_START, 0);
	assert_int_equal(fields(e), 10);
	assert_true(event_is_bin(e, 1, span.context.trace_id, 16));
	assert_true(event_is_bin(e, 2, span.context.span_id, 8));
	assert_true(event_is_nil(e, 3));
	assert_true(event_is_str(e, 4, "GET /"));
	assert_int_equal(event_uint(e, 5), SIDECAR_SERVER);
	assert_now(e, 6);
	assert_int_equal(event_uint(e, 7), 3);
	assert_int_equal(event_field(e, 8)->via.map.size, 2);
	assert_true(event_is_nil(e, 9));
	for (size_t i = 0; i < 2; i++) {
		e = peer_wait_type(peer, WIRE_ATTR, i);
		assert_int_equal(fields(e), 4);
		assert_true(event_is_bin(e, 1, span.context.span_id, 8));
		assert_true(event_is_str(e, 2, attrs[i].key));
	}
	assert_true(event_field(e, 3)->via.i64 == -7);
	e = peer_wait_type(peer, WIRE_EVENT, 0);
	assert_int_equal(fields(e), 5);
	assert_int_equal(event_uint(e, 2), 5000000000);
	assert_true(event_is_str(e, 3, "retry"));
	assert_int_equal(event_field(e, 4)->via.map.size, 1);
	e = peer_wait_type(peer, WIRE_LINK, 0);
	assert_int_equal(fields(e), 6);
	assert_true(event_is_bin(e, 2, linked.trace_id, 16));
	assert_true(event_is_bin(e, 3, linked.span_id, 8));
	e = peer_wait_type(peer, WIRE_END, 0);
	assert_int_equal(fields(e), 6);
	assert_true(event_is_bin(e, 1, span.context.span_id, 8));
	assert_now(e, 2);
	assert_int_equal(event_uint(e, 3), SIDECAR_FAILED);
	assert_true(event_is_str(e, 4, "broke"));
	assert_int_equal(event_field(e, 5)->via.map.size, 1);
}

static void
a_child_span(void **state)
{
	struct sidecar_context parent;
	struct sidecar_span span, child;
	const struct event *e;
	const char *name = sidecar_intern(sidecar, "child");

	(void)state;
	assert_int_equal(
	    sidecar_extract("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", 55, &parent),
	    0);
	sidecar_begin(sidecar, &span, name, SIDECAR_CLIENT, &parent);
	assert_memory_equal(span.context.trace_id, parent.trace_id, 16);
	assert_int_equal(span.context.flags, 0); /* not sampled, not random: as the parent */
	child = span;
	/* The parent may be what the span held before. */
	sidecar_begin(sidecar, &child, name, 77, &child.context);
	sidecar_end(&child, 99);
	sidecar_end(&child, SIDECAR_OK); /* a second end is nothing */
	sidecar_end(&span, SIDECAR_OK);

	e = peer_wait_type(peer, WIRE_START, 0);
	assert_true(event_is_bin(e, 3, parent.span_id, 8));
	assert_int_equal(event_uint(e, 4), 0); /* interned */
	assert_int_equal(event_uint(e, 7), SIDECAR_REMOTE);
	e = peer_wait_type(peer, WIRE_START, 1);
	assert_true(event_is_bin(e, 1, parent.trace_id, 16));
	assert_true(event_is_bin(e, 2, child.context.span_id, 8));
	assert_true(event_is_bin(e, 3, span.context.span_id, 8));
	assert_int_equal(event_uint(e, 5), SIDECAR_INTERNAL); /* 77 is no kind */
	assert_int_equal(event_uint(e, 7), 0);
	assert_int_equal(event_uint(peer_wait_type(peer, WIRE_END, 0), 3), SIDECAR_UNSET);
	e = peer_wait_type(peer, WIRE_END, 1);
	assert_true(event_is_bin(e, 1, span.context.span_id, 8));
	assert_true(event_is_nil(e, 4));
	assert_true(event_is_nil(e, 5));
	e = peer_wait_type(peer, WIRE_STRING, 0);
	assert_true(event_is_str(e, 2, "child"));
}

static void
kafka_events(void **state)
{
	struct sidecar_context c = {
		.trace_id = { 1 }, .span_id = { 2 }, .flags = SIDECAR_SAMPLED
	};
	struct sidecar_context unsampled = { .trace_id = { 1 }, .span_id = { 2 } };
	const struct event *e;

	(void)state;
	sidecar_produced(sidecar, "sums", 3, 0, 4);
	sidecar_produced(sidecar, "sums", -1, 77, 1);
	sidecar_consumed(sidecar, "sums", 3, 55, 0, &c);
	sidecar_consumed(sidecar, "sums", -1, 0, 66, &unsampled);
	sidecar_kafka_error(sidecar, SIDECAR_SIDE_CONSUMER, NULL, "_FAIL");
	sidecar_kafka_error(sidecar, SIDECAR_SIDE_PRODUCER, "sums", "_MSG_TIMED_OUT");
	sidecar_lag(sidecar, "sums", 0, 0, 99);
	sidecar_lag(sidecar, "sums", 7, -1, 0);

	e = peer_wait_type(peer, WIRE_PRODUCED, 0);
	assert_int_equal(fields(e), 5);
	assert_true(event_is_str(e, 1, "sums"));
	assert_int_equal(event_uint(e, 2), 3);
	assert_now(e, 3);
	assert_int_equal(event_uint(e, 4), 4);
	e = peer_wait_type(peer, WIRE_PRODUCED, 1);
	assert_true(event_is_nil(e, 2));
	assert_int_equal(event_uint(e, 3), 77);
	e = peer_wait_type(peer, WIRE_CONSUMED, 0);
	assert_int_equal(fields(e), 7);
	assert_int_equal(event_uint(e, 3), 55);
	assert_now(e, 4);
	assert_true(event_is_bin(e, 5, c.trace_id, 16));
	assert_true(event_is_bin(e, 6, c.span_id, 8));
	e = peer_wait_type(peer, WIRE_CONSUMED, 1);
	assert_true(
	    event_is_nil(e, 2) && event_is_nil(e, 3) && event_is_nil(e, 5) && event_is_nil(e, 6));
	assert_int_equal(event_uint(e, 4), 66);
	e = peer_wait_type(peer, WIRE_ERROR, 0);
	assert_int_equal(fields(e), 5);
	assert_int_equal(event_uint(e, 1), WIRE_SIDE_CONSUMER);
	assert_true(event_is_nil(e, 2));
	assert_true(event_is_str(e, 3, "_FAIL"));
	assert_int_equal(event_uint(e, 4), 1);
	assert_true(event_is_str(peer_wait_type(peer, WIRE_ERROR, 1), 2, "sums"));
	e = peer_wait_type(peer, WIRE_LAG, 0);
	assert_int_equal(fields(e), 5);
	assert_int_equal(event_uint(e, 3), 0);
	assert_int_equal(event_uint(e, 4), 99);
	e = peer_wait_type(peer, WIRE_LAG, 1);
	assert_true(event_is_nil(e, 3) && event_is_nil(e, 4));
}

static void
measurements(void **state)
{
	struct sidecar_attr attr = sidecar_str("color", "red");
	const struct event *e;

	(void)state;
	sidecar_measure(sidecar, SIDECAR_COUNTER, "jobs", NULL, 3, NULL, 0);
	sidecar_measure(sidecar, SIDECAR_UPDOWN, "open", "{job}", -1.5, &attr, 1);
	e = peer_wait_type(peer, WIRE_MEASURE, 0);
	assert_int_equal(fields(e), 6);
	assert_int_equal(event_uint(e, 1), WIRE_COUNTER);
	assert_true(event_is_str(e, 2, "jobs"));
	assert_true(event_is_nil(e, 3));
	assert_true(event_field(e, 4)->via.f64 == 3);
	assert_true(event_is_nil(e, 5));
	e = peer_wait_type(peer, WIRE_MEASURE, 1);
	assert_true(event_is_str(e, 3, "{job}"));
	assert_true(event_field(e, 4)->via.f64 == -1.5);
	assert_int_equal(event_field(e, 5)->via.map.size, 1);
}

/* What the sidecar would refuse, or end the connection for, stays here, counted; the sidecar is told. */
static void
invalid_is_counted(void **state)
{
	const struct sidecar_attr no_values[] = { sidecar_str("k", NULL),
		{ .key = "k", .type = SIDECAR_BOOL + 1 } };
	struct sidecar_context none = { .flags = 0 };
	struct sidecar_span span;
	struct sidecar_totals totals;
	const uint64_t late = UINT64_C(1) << 63;
	const struct event *e;

	(void)state;
	sidecar_produced(sidecar, NULL, 0, 0, 1);
	sidecar_produced(sidecar, "t", 0, 0, 0);
	sidecar_produced(sidecar, "t", 0, late, 1);
	sidecar_consumed(sidecar, NULL, 0, 0, 0, NULL);
	sidecar_consumed(sidecar, "t", 0, late, 0, NULL);
	sidecar_kafka_error(sidecar, 2, "t", "x");
	sidecar_kafka_error(sidecar, SIDECAR_SIDE_PRODUCER, "t", NULL);
	sidecar_lag(sidecar, "t", -1, 0, 0);
	sidecar_lag(sidecar, "t", 0, 0, late);
	sidecar_measure(sidecar, SIDECAR_COUNTER, "m", NULL, -1, NULL, 0);
	sidecar_measure(sidecar, SIDECAR_GAUGE, "m", NULL, __builtin_nan(""), NULL, 0);
	sidecar_measure(sidecar, SIDECAR_GAUGE, "m", NULL, __builtin_inf(), NULL, 0);
	sidecar_measure(sidecar, 4, "m", NULL, 1, NULL, 0);
	sidecar_measure(sidecar, SIDECAR_GAUGE, NULL, NULL, 1, NULL, 0);
	sidecar_span_start(sidecar, &span, "s", SIDECAR_INTERNAL, NULL, late, NULL, 0);
	sidecar_end(&span, SIDECAR_OK);
	sidecar_begin(sidecar, &span, "s", SIDECAR_INTERNAL, NULL);
	sidecar_span_link(&span, &none, NULL, 0);
	sidecar_span_event(&span, "e", late, NULL, 0);
	sidecar_span_set(&span, no_values, 2);
	sidecar_end(&span, SIDECAR_OK);
	assert_int_equal(sidecar_flush(sidecar, 10000), 0);
	sidecar_stats(sidecar, &totals);
	assert_int_equal(totals.dropped_invalid, 19);
	assert_int_equal(totals.emitted, 21);
	assert_int_equal(totals.written, 2);
	e = peer_wait_type(peer, WIRE_STATS, 0);
	for (size_t i = 1; event_get(event_field(e, 2), "invalid") == NULL; i++)
		e = peer_wait_type(peer, WIRE_STATS, i);
	assert_int_equal(event_get(event_field(e, 2), "invalid")->via.u64, 19);
}

/* 16,384 bytes are an event, one more is not: for START, its END, and a measurement. */
static void
large_at_exactly(void **state)
{
	static char value[4096];
	struct sidecar_attr attrs[6];
	struct sidecar_totals totals;
	size_t fits = 0;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	for (int i = 0; i < 6; i++) {
		attrs[i] = sidecar_str("k", value);
		attrs[i].len = i < 4 ? 4000 : 0;
	}
	for (uint32_t len = 200; len <= 700; len++) {
		attrs[4].len = len;
		attrs[5].len = 0;
		sidecar_measure(sidecar, SIDECAR_GAUGE, "m", NULL, 1, attrs, 6);
		assert_int_equal(sidecar_flush(sidecar, 10000), 0);
		sidecar_stats(sidecar, &totals);
		if (totals.dropped_large == 0)
			fits = len;
	}
	/* 96 0e 02 a1 m c0 cb+8, 86, six keys of 2, four values of 3 + 4000, 3 + len, a0 */
	assert_int_equal(fits, WIRE_EVENT_MAX - (15 + 1 + 12 + 4 * 4003 + 3 + 1));
	assert_int_equal(totals.dropped_large, 700 - fits);
	assert_int_equal(totals.emitted, 501);
	assert_int_equal(totals.written + totals.dropped_large, totals.emitted);
}

static void
a_large_start_is_one_drop(void **state)
{
	static char value[4097];
	struct sidecar_attr attrs[5];
	struct sidecar_context parent = { .trace_id = { 1 }, .span_id = { 2 }, .flags = 1 };
	struct sidecar_span span;
	struct sidecar_totals totals;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	for (int i = 0; i < 5; i++)
		attrs[i] = sidecar_str("k", value);
	sidecar_span_start(sidecar, &span, "s", SIDECAR_INTERNAL, &parent, 0, attrs, 5);
	assert_memory_equal(&span.context, &parent, sizeof(parent)); /* the trace goes on */
	sidecar_span_set(&span, attrs, 1);
	sidecar_span_event(&span, "e", 0, NULL, 0);
	sidecar_end(&span, SIDECAR_OK);
	sidecar_stats(sidecar, &totals);
	assert_int_equal(totals.emitted, 1);
	assert_int_equal(totals.dropped_large, 1);
}

/* An END that did not go out would leave its span open in the sidecar until that gives it up. */
static void
a_large_end_goes_without_attributes(void **state)
{
	static char value[4097];
	struct sidecar_attr attrs[5];
	struct sidecar_span span;
	struct sidecar_totals totals;
	const struct event *e;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	for (int i = 0; i < 5; i++)
		attrs[i] = sidecar_str("k", value);
	sidecar_begin(sidecar, &span, "s", SIDECAR_INTERNAL, NULL);
	sidecar_span_end(&span, SIDECAR_FAILED, "why", 0, attrs, 5);
	e = peer_wait_type(peer, WIRE_END, 0);
	assert_true(event_is_bin(e, 1, span.context.span_id, 8));
	assert_int_equal(event_uint(e, 3), SIDECAR_FAILED);
	assert_true(event_is_str(e, 4, "why"));
	assert_true(event_is_nil(e, 5));
	sidecar_stats(sidecar, &totals);
	assert_int_equal(totals.emitted, 3); /* the attributes are one that was not taken */
	assert_int_equal(totals.dropped_large, 1);
	assert_int_equal(sidecar_flush(sidecar, 10000), 0);
	sidecar_stats(sidecar, &totals);
	assert_int_equal(totals.written, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hello_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_root_span, setup, teardown),
		cmocka_unit_test_setup_teardown(a_child_span, setup, teardown),
		cmocka_unit_test_setup_teardown(kafka_events, setup, teardown),
		cmocka_unit_test_setup_teardown(measurements, setup, teardown),
		cmocka_unit_test_setup_teardown(invalid_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(large_at_exactly, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_start_is_one_drop, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_large_end_goes_without_attributes, setup, teardown),
	};

	return cmocka_run_group_tests_name("client_event", tests, NULL, NULL);
}
