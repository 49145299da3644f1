/*
 * The meter's bounds, each reached and passed by one; whose sample goes where then; names that
 * meet.
 */
#include "attributes.h"
#include "metering.h"

#include "sidecar/held.h"
#include "sidecar/topic.h"

#include <unistd.h>

static struct metering t;
static struct service *svc, *other;

static int
setup(void **state)
{
	(void)state;
	metering_open(&t);
	svc = metering_service(&t, "", "svc");
	other = metering_service(&t, "ns", "svc");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	metering_close(&t);
	return 0;
}

static enum meter_outcome
measure_with(struct service *s, meter_owner owner, enum wire_instrument kind, const char *name,
    const char *unit, double v, const char *key, const char *value)
{
	struct span_list attrs = attributes_list(
	    attributes_make((struct attribute_spec[]){ { key, 's', value, 0, 0 }, { 0 } }));

	return meter_measure(t.meter, s, owner, kind, text_of(name), text_of(unit), v, &attrs);
}

static enum meter_outcome
measure(struct service *s, enum wire_instrument kind, const char *name, const char *unit)
{
	return measure_with(s, 1, kind, name, unit, 1, NULL, "");
}

static struct topic *
topic(struct service *s, const char *prefix, unsigned number)
{
	char name[40];

	snprintf(name, sizeof(name), "%s%u", prefix, number);
	return meter_topic(t.meter, s, text_of(name));
}

static void
test_topics_at_the_limit(void **state)
{
	const char *page;

	(void)state;
	for (unsigned i = 0; i < LIMIT_TOPICS; i++) {
		meter_produced(t.meter, topic(svc, "t", i), 1);
		assert_ptr_equal(topic(svc, "t", i), topic(svc, "t", i));
	}
	assert_int_equal(stats.overflowed, 0);
	meter_produced(t.meter, topic(svc, "new", 0), 5);
	meter_consumed(t.meter, topic(svc, "new", 1), WALL, WALL + CLOCK_MILLI);
	meter_produced(t.meter, topic(svc, "t", 255), 1);
	meter_produced(t.meter, topic(other, "new", 0), 7);
	page = metering_page(&t);
	assert_int_equal(stats.overflowed, 2);
	ASSERT_VALUE(page,
	    "kafka_messages_produced_total{service_name=\"svc\",otel_metric_overflow=\"true\"}", 5);
	ASSERT_VALUE(page,
	    "kafka_message_delivery_latency_bucket{service_name=\"svc\",otel_metric_overflow="
	    "\"true\","
	    "le=\"1\"}",
	    1);
	ASSERT_VALUE(page, "kafka_messages_produced_total{service_name=\"svc\",topic=\"t255\"}", 2);
	ASSERT_VALUE(page,
	    "kafka_messages_produced_total{service_name=\"svc\",service_namespace=\"ns\",topic="
	    "\"new0\"}",
	    7);
	/* Two services' rests stay apart as well. */
	for (unsigned i = 0; i < LIMIT_TOPICS + 3; i++)
		meter_produced(t.meter, topic(other, "t", i), 1);
	page = metering_page(&t);
	ASSERT_VALUE(page,
	    "kafka_messages_produced_total{service_name=\"svc\",otel_metric_overflow=\"true\"}", 5);
	ASSERT_VALUE(page,
	    "kafka_messages_produced_total{service_name=\"svc\",service_namespace=\"ns\","
	    "otel_metric_overflow=\"true\"}",
	    4);
}

/* All of LIMIT_SERIES used up by topics: a service that comes now still has its own overflow series
 * of everything. */
static void
test_series_at_the_limit(void **state)
{
	struct service *s = svc;
	const char *page;

	(void)state;
	for (unsigned i = 0; i < TOPIC_MAX; i++) {
		if (i % LIMIT_TOPICS == 0 && i != 0)
			s = metering_service(&t, "many", "s");
		assert_false(topic(s, "t", i)->overflow);
	}
	assert_true(topic(other, "t", 0)->overflow); /* less is left than a topic takes */
	meter_produced(t.meter, topic(other, "t", 0), 3);
	for (unsigned i = 0; i <= LIMIT_SERIES % TOPIC_SERIES; i++)
		meter_error(t.meter, svc, WIRE_SIDE_PRODUCER, TEXT("t"),
		    (struct text){ .s = "EEEEEEEEEEEEEEEEEE", .len = i }, 1);
	meter_error(t.meter, other, WIRE_SIDE_PRODUCER, TEXT("t"), TEXT("E"), 2);
	assert_int_equal(measure(other, WIRE_COUNTER, "c", ""), METER_FULL);
	page = metering_page(&t);
#define OTHER "{service_name=\"svc\",service_namespace=\"ns\",otel_metric_overflow=\"true\"}"
	ASSERT_VALUE(page, "kafka_messages_produced_total" OTHER, 3);
	ASSERT_VALUE(page, "kafka_producer_errors_total" OTHER, 2);
	ASSERT_VALUE(page,
	    "kafka_producer_errors_total{service_name=\"svc\",otel_metric_overflow=\"true\"}", 1);
	assert_int_equal(stats.overflowed, 3);
	assert_int_equal(stats.series, 3 + LIMIT_SERIES % TOPIC_SERIES);
}

static void
test_instruments_at_the_limit(void **state)
{
	char name[20];

	(void)state;
	for (unsigned i = 0; i < LIMIT_INSTRUMENTS; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		assert_int_equal(measure(svc, WIRE_COUNTER, name, ""), METER_OK);
	}
	assert_int_equal(measure(svc, WIRE_COUNTER, "more", ""), METER_FULL);
	assert_int_equal(measure(svc, WIRE_COUNTER, "c0", ""), METER_OK);
	assert_int_equal(measure(other, WIRE_COUNTER, "more", ""), METER_OK);
}

/* Every kind past LIMIT_LABEL_SETS: sums add up over all, a gauge shows the last; what connections
 * own goes with them. */
static void
test_label_sets_at_the_limit(void **state)
{
	static const struct {
		const char *name, *series;
		double one, rest;
	} rows[WIRE_INSTRUMENTS] = {
		[WIRE_COUNTER] = { "c", "c_total{service_name=\"svc\",", 2, 6 },
		[WIRE_UPDOWN] = { "u", "u{service_name=\"svc\",", 2, 6 },
		[WIRE_GAUGE] = { "g", "g{service_name=\"svc\",", 2, 2 },
		[WIRE_HISTOGRAM] = { "h", "h_sum{service_name=\"svc\",", 2, 6 },
	};
	char value[20], series[120];

	(void)state;
	for (unsigned kind = 0; kind < WIRE_INSTRUMENTS; kind++) {
		for (unsigned i = 0; i < LIMIT_LABEL_SETS + 3; i++) {
			snprintf(value, sizeof(value), "%u", i);
			assert_int_equal(
			    measure_with(svc, 1, kind, rows[kind].name, "", 2, "k", value),
			    METER_OK);
			if (i + 1 == LIMIT_LABEL_SETS)
				assert_int_equal(stats.overflowed, kind * 3);
		}
		assert_int_equal(stats.overflowed, kind * 3 + 3);
		snprintf(
		    series, sizeof(series), "%sotel_metric_overflow=\"true\"}", rows[kind].series);
		ASSERT_VALUE(metering_page(&t), series, rows[kind].rest);
		snprintf(
		    series, sizeof(series), "%sk=\"%u\"}", rows[kind].series, LIMIT_LABEL_SETS - 1);
		ASSERT_VALUE(metering_page(&t), series, rows[kind].one);
	}
	assert_int_equal(stats.series, (3 + hist_lines(HIST_DEFAULT)) * (LIMIT_LABEL_SETS + 1));
	meter_owner_gone(t.meter, 1, false, t.now);
	assert_int_equal(stats.series, (1 + hist_lines(HIST_DEFAULT)) * (LIMIT_LABEL_SETS + 1));
	/* What went made room. */
	assert_int_equal(measure_with(svc, 2, WIRE_GAUGE, "g", "", 3, "k", "new"), METER_OK);
	ASSERT_VALUE(metering_page(&t), "g{service_name=\"svc\",k=\"new\"}", 3);
}

/* A label set that is too large, and label text that has used up its store, go to the overflow
 * series. */
static void
test_label_text_at_the_limit(void **state)
{
	static char large[4001];
	static const char *const keys[] = { "a", "b", "c" };
	struct attribute_spec specs[4] = { { 0 } };
	struct span_list attrs;
	uint64_t kept = 0;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	for (unsigned i = 0; i < 3; i++)
		specs[i] = (struct attribute_spec){ keys[i], 's', large, 0, 0 };
	attrs = attributes_list(attributes_make(specs));
	assert_int_equal(
	    meter_measure(t.meter, svc, 1, WIRE_COUNTER, TEXT("big"), TEXT(""), 1, &attrs),
	    METER_OK);
	ASSERT_VALUE(
	    metering_page(&t), "big_total{service_name=\"svc\",otel_metric_overflow=\"true\"}", 1);

	for (unsigned i = 0; stats.overflowed == 1; i++, kept++) {
		snprintf(large, sizeof(large), "%04000u", i);
		assert_int_equal(
		    measure_with(i & 1 ? svc : other, 1, WIRE_COUNTER, "c", "", 1, "k", large),
		    METER_OK);
		assert_true(i < 2 * LIMIT_LABEL_SETS);
	}
	assert_true(kept > LIMIT_LABEL_BYTES / 8100 - 10);
	assert_int_equal(
	    measure(svc, WIRE_COUNTER, "nowhere", ""), METER_OK); /* small pieces still fit */
}

/* As many connections as there can be, each with a value in every one of 64 series: that is all. */
static void
test_held_at_the_limit(void **state)
{
	enum { EACH = LIMIT_HELD / LIMIT_SESSIONS };
	char name[20];

	(void)state;
	for (unsigned i = 0; i < EACH; i++)
		for (uint64_t owner = 1; owner <= LIMIT_SESSIONS; owner++) {
			snprintf(name, sizeof(name), "u%u", i);
			assert_int_equal(
			    measure_with(svc, owner, WIRE_UPDOWN, name, "", 1, NULL, ""), METER_OK);
		}
	assert_int_equal(
	    measure_with(svc, LIMIT_SESSIONS + 1, WIRE_UPDOWN, "u0", "", 1, NULL, ""), METER_FULL);
	assert_int_equal(measure_with(svc, 1, WIRE_GAUGE, "g", "", 1, NULL, ""), METER_FULL);
	assert_int_equal(measure_with(svc, 1, WIRE_UPDOWN, "u0", "", 1, NULL, ""), METER_OK);
	ASSERT_VALUE(metering_page(&t), "u0{service_name=\"svc\"}", LIMIT_SESSIONS + 1);
	ASSERT_VALUE(metering_page(&t), "g{service_name=\"svc\"}", NAN);
	assert_int_equal(stats.series, EACH);
	meter_owner_gone(t.meter, 1, true, t.now);
	ASSERT_VALUE(metering_page(&t), "u0{service_name=\"svc\"}", LIMIT_SESSIONS - 1);
	assert_int_equal(measure_with(svc, 2, WIRE_GAUGE, "g", "", 1, NULL, ""), METER_OK);
}

/* Connections come and go with gauges of their own: what one leaves is there for the next, for
 * ever. */
static void
test_churn(void **state)
{
	char value[601];

	(void)state;
	for (uint64_t owner = 1; owner <= LIMIT_SERIES + 10; owner++) {
		snprintf(value, sizeof(value), "%0600u", (unsigned)owner);
		measure_with(svc, owner, WIRE_GAUGE, "g", "", 1, "pid", value);
		meter_owner_gone(t.meter, owner, false, t.now);
	}
	assert_int_equal(stats.overflowed, 0);
	assert_int_equal(stats.series, 0);
	measure_with(svc, 1, WIRE_GAUGE, "g", "", 1, "pid", "last");
	ASSERT_VALUE(metering_page(&t), "g{service_name=\"svc\",pid=\"last\"}", 1);
}

/* A gauge shows the last value that a living connection wrote; an up-down series what the living
 * add up to. */
static void
test_owners(void **state)
{
	static const struct {
		meter_owner owner;
		double write; /* NAN: it ends */
		double gauge, updown;
	} rows[] = { { 1, 5, 5, 5 }, { 2, 3, 3, 8 }, { 1, 4, 4, 12 }, { 3, 1, 1, 13 },
		{ 3, NAN, 4, 12 }, { 1, NAN, 3, 3 }, { 1, 7, 7, 10 }, { 2, NAN, 7, 7 },
		{ 1, NAN, NAN, NAN }, { 4, -2, -2, -2 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].write != rows[i].write) {
			meter_owner_gone(t.meter, rows[i].owner, false, t.now);
		} else {
			measure_with(
			    svc, rows[i].owner, WIRE_GAUGE, "g", "", rows[i].write, NULL, "");
			measure_with(
			    svc, rows[i].owner, WIRE_UPDOWN, "u", "", rows[i].write, NULL, "");
		}
		ASSERT_VALUE(metering_page(&t), "g{service_name=\"svc\"}", rows[i].gauge);
		ASSERT_VALUE(metering_page(&t), "u{service_name=\"svc\"}", rows[i].updown);
	}
}

/* Of names that meet on the page. "other" is another service; hidden ones are not on the page at
 * all. */
static void
test_names(void **state)
{
	static const struct {
		bool other;
		enum wire_instrument kind;
		const char *name, *unit;
		enum meter_outcome outcome;
		const char *shown; /* NULL: hidden */
	} rows[] = {
		{ 0, WIRE_COUNTER, "a.b", "s", METER_OK, "a_b_total{service_name=\"svc\"}" },
		{ 0, WIRE_COUNTER, "a.b", "ms", METER_CONFLICT, NULL },
		{ 0, WIRE_GAUGE, "a.b", "s", METER_CONFLICT, NULL },
		{ 0, WIRE_COUNTER, "a_b", "s", METER_CONFLICT, NULL },
		{ 0, WIRE_COUNTER, "a.b.total", "s", METER_CONFLICT, NULL },
		{ 0, WIRE_GAUGE, "a_b", "s", METER_OK, "a_b{service_name=\"svc\"}" },
		{ 1, WIRE_COUNTER, "a_b", "ms", METER_OK,
		    "a_b_total{service_name=\"svc\",service_namespace=\"ns\"}" },
		/* a histogram takes four names */
		{ 0, WIRE_HISTOGRAM, "h", "", METER_OK, "h_count{service_name=\"svc\"}" },
		{ 0, WIRE_GAUGE, "h.count", "", METER_CONFLICT, NULL },
		{ 0, WIRE_GAUGE, "h-bucket", "", METER_CONFLICT, NULL },
		{ 0, WIRE_GAUGE, "x.sum", "", METER_OK, "x_sum{service_name=\"svc\"}" },
		{ 0, WIRE_HISTOGRAM, "x", "", METER_CONFLICT, NULL },
		{ 0, WIRE_COUNTER, "h", "", METER_CONFLICT, NULL },
		/* another service's: one type shares the block, two hide the later */
		{ 1, WIRE_HISTOGRAM, "x", "", METER_OK, NULL },
		{ 1, WIRE_HISTOGRAM, "h", "s", METER_OK,
		    "h_count{service_name=\"svc\",service_namespace=\"ns\"}" },
		{ 1, WIRE_UPDOWN, "a.b", "", METER_OK,
		    "a_b{service_name=\"svc\",service_namespace=\"ns\"}" },
		/* a metric of ours, but not its very name */
		{ 0, WIRE_GAUGE, "rpc.server.call.duration.count", "", METER_CONFLICT, NULL },
		{ 1, WIRE_GAUGE, "rpc.server.call.duration.max", "", METER_OK,
		    "rpc_server_call_duration_max{service_name=\"svc\",service_namespace=\"ns\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("row %zu\n", i);
		assert_int_equal(
		    measure(rows[i].other ? other : svc, rows[i].kind, rows[i].name, rows[i].unit),
		    rows[i].outcome);
		if (rows[i].shown != NULL)
			ASSERT_VALUE(metering_page(&t), rows[i].shown, 1);
	}
	ASSERT_VALUE(
	    metering_page(&t), "x_count{service_name=\"svc\",service_namespace=\"ns\"}", NAN);
	assert_int_equal(stats.hidden, 1);
}

/* Hidden by one service's name, an instrument does not hide a third service's. */
static void
test_hidden_does_not_hide(void **state)
{
	struct service *third = metering_service(&t, "", "third");

	(void)state;
	assert_int_equal(measure(svc, WIRE_GAUGE, "n", ""), METER_OK);
	assert_int_equal(measure(other, WIRE_HISTOGRAM, "n", ""), METER_OK); /* hidden */
	assert_int_equal(
	    measure(third, WIRE_GAUGE, "n.count", ""), METER_OK); /* meets only the hidden one */
	ASSERT_VALUE(metering_page(&t), "n_count{service_name=\"third\"}", 1);
}

/* An idle meter costs addresses, not memory. */
static void
test_idle_memory(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (meter_bytes() + page - 1) / page,
	       touched = 0;
	unsigned char *map = malloc(n);

	(void)state;
	meter_produced(t.meter, topic(svc, "t", 0), 1);
	measure(svc, WIRE_HISTOGRAM, "h", "s");
	assert_int_equal(mincore(t.meter, n * page, map), 0);
	for (size_t i = 0; i < n; i++)
		touched += map[i] & 1;
	free(map);
	assert_true(n * page > 32 << 20);
	assert_true(touched * page <= 128 << 10);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(test_topics_at_the_limit),
		T(test_series_at_the_limit),
		T(test_instruments_at_the_limit),
		T(test_label_sets_at_the_limit),
		T(test_label_text_at_the_limit),
		T(test_held_at_the_limit),
		T(test_churn),
		T(test_owners),
		T(test_names),
		T(test_hidden_does_not_hide),
		T(test_idle_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
