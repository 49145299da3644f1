/*
 * Lag and its age: who owns a partition's lag, when it goes, and how its age grows. A table of
 * stories.
 */
#include "metering.h"

#include "sidecar/limits.h"
#include "sidecar/registry.h"

#define SERIES "{service_name=\"svc\",topic=\"t\",partition=\"3\"}"

static struct metering t;
static struct service *svc;
static struct topic *topic;

static int
setup(void **state)
{
	(void)state;
	metering_open(&t);
	svc = metering_service(&t, "", "svc");
	topic = meter_topic(t.meter, svc, TEXT("t"));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	metering_close(&t);
	return 0;
}

enum step { END, LAG, NIL, BYE, LOST, WAIT };

/* LAG: owner, lag, s that as_of lies back (-1: nil). NIL, BYE, LOST: owner. WAIT: s. Then what the
 * page must show; NAN: none. */
struct row {
	enum step step;
	uint64_t owner;
	int64_t a, back;
	double lag, age;
};

static void
play(const struct row *row)
{
	for (unsigned n = 0; row->step != END; row++, n++) {
		const char *page;

		switch (row->step) {
		case LAG:
			assert_int_equal(
			    meter_lag(t.meter, topic, 3, (uint64_t)row->a,
				row->back < 0 ? 0 : WALL - (uint64_t)row->back * CLOCK_SECOND,
				row->owner, (struct wall){ WALL }, t.now),
			    METER_OK);
			break;
		case NIL: meter_lag_revoked(t.meter, topic, 3, row->owner); break;
		case BYE: meter_owner_gone(t.meter, row->owner, true, t.now); break;
		case LOST: meter_owner_gone(t.meter, row->owner, false, t.now); break;
		case WAIT:
			t.now.ns += (uint64_t)row->a * CLOCK_SECOND;
			meter_expire(t.meter, t.now);
			break;
		case END: break;
		}
		page = metering_page(&t);
		print_message("step %u\n", n);
		ASSERT_VALUE(page, "kafka_consumer_lag" SERIES, row->lag);
		ASSERT_VALUE(page, "kafka_consumer_lag_age" SERIES, row->age);
		assert_int_equal(
		    stats.series, (isnan(row->lag) ? 0U : 1U) + (isnan(row->age) ? 0U : 1U));
	}
}

#define STORY(...) play((const struct row[]){ __VA_ARGS__, { END, 0, 0, 0, 0, 0 } })
#define NONE       NAN, NAN

static void
test_age_grows_by_itself(void **state)
{
	(void)state;
	STORY({ LAG, 1, 7, 2, 7, 2 }, { WAIT, 0, 10, 0, 7, 12 }, { LAG, 1, 5, 0, 5, 0 },
	    { WAIT, 0, 1, 0, 5, 1 });
}

/* The clocks of two hosts: an as_of ahead of now is an age of 0, which then grows as any other. */
static void
test_future(void **state)
{
	(void)state;
	assert_int_equal(meter_lag(t.meter, topic, 3, 1, WALL + 5 * CLOCK_SECOND, 1,
			     (struct wall){ WALL }, t.now),
	    METER_OK);
	STORY({ WAIT, 0, 1, 0, 1, 1 });
}

/* An age that is longer than the machine is up. */
static void
test_older_than_boot(void **state)
{
	(void)state;
	STORY({ LAG, 1, 1, 1000000, 1, 1000000 }, { WAIT, 0, 5, 0, 1, 1000005 });
}

static void
test_unknown_origin(void **state)
{
	(void)state;
	/* None yet: now. Then the earlier one stays, also at lag 0 and from another connection. */
	STORY({ LAG, 1, 3, -1, 3, 0 }, { WAIT, 0, 4, 0, 3, 4 }, { LAG, 1, 0, -1, 0, 4 },
	    { LAG, 2, 9, -1, 9, 4 }, { LOST, 2, 0, 0, NAN, 4 }, { WAIT, 0, 1, 0, NAN, 5 },
	    { LAG, 3, 2, -1, 2, 5 }, { LAG, 3, 2, 1, 2, 1 });
}

static void
test_revoked(void **state)
{
	(void)state;
	STORY({ LAG, 1, 3, 1, 3, 1 }, { NIL, 1, 0, 0, NONE }, { NIL, 1, 0, 0, NONE },
	    { LAG, 1, 3, -1, 3, 0 });
}

/* Who was not the last to report may not revoke, while the one that was lives. */
static void
test_revoked_by_another(void **state)
{
	(void)state;
	STORY({ LAG, 1, 3, 1, 3, 1 }, { LAG, 2, 4, 1, 4, 1 }, { NIL, 1, 0, 0, 4, 1 },
	    { BYE, 1, 0, 0, 4, 1 }, { LOST, 1, 0, 0, 4, 1 }, { LOST, 2, 0, 0, NAN, 1 },
	    { NIL, 3, 0, 0, NONE });
}

static void
test_bye(void **state)
{
	(void)state;
	STORY({ LAG, 1, 3, 1, 3, 1 }, { BYE, 1, 0, 0, NONE });
	/* What another connection has taken over stays; a dead one's age is nobody's to take away
	 * but by a report or nil. */
	STORY({ LAG, 1, 3, 1, 3, 1 }, { LAG, 2, 4, 2, 4, 2 }, { BYE, 1, 0, 0, 4, 2 },
	    { LOST, 2, 0, 0, NAN, 2 }, { BYE, 2, 0, 0, NAN, 2 });
}

/* After the end of stream the age goes on for 5 minutes, to the nanosecond. */
static void
test_lost(void **state)
{
	(void)state;
	STORY({ LAG, 1, 3, 1, 3, 1 }, { LOST, 1, 0, 0, NAN, 1 }, { WAIT, 0, 299, 0, NAN, 300 });
	t.now.ns += CLOCK_SECOND - 1;
	meter_expire(t.meter, t.now);
	ASSERT_VALUE(metering_page(&t), "kafka_consumer_lag_age" SERIES, 300.999999999);
	t.now.ns += 1;
	meter_expire(t.meter, t.now);
	ASSERT_VALUE(metering_page(&t), "kafka_consumer_lag_age" SERIES, NAN);
	assert_int_equal(stats.series, 0);
}

static void
test_new_reporter_after_death(void **state)
{
	(void)state;
	STORY({ LAG, 1, 3, 1, 3, 1 }, { LOST, 1, 0, 0, NAN, 1 }, { WAIT, 0, 200, 0, NAN, 201 },
	    { LAG, 2, 6, 2, 6, 2 }, { WAIT, 0, 200, 0, 6, 202 }, { LOST, 2, 0, 0, NAN, 202 },
	    { WAIT, 0, 299, 0, NAN, 501 }, { WAIT, 0, 1, 0, NONE });
}

/* Owners whose numbers share a list; each takes its own away only. */
static void
test_owners_apart(void **state)
{
	char series[120];
	const char *page;

	(void)state;
	for (uint64_t k = 0; k < 6; k++)
		assert_int_equal(meter_lag(t.meter, topic, (uint32_t)k, k, 0, 1024 * (k % 3 + 1),
				     (struct wall){ WALL }, t.now),
		    METER_OK);
	meter_owner_gone(t.meter, 2048, true, t.now);
	page = metering_page(&t);
	for (unsigned k = 0; k < 6; k++) {
		snprintf(series, sizeof(series),
		    "kafka_consumer_lag{service_name=\"svc\",topic=\"t\",partition=\"%u\"}", k);
		ASSERT_VALUE(page, series, k % 3 == 1 ? (double)NAN : k);
	}
}

static enum meter_outcome
lag(struct topic *of, uint32_t partition)
{
	return meter_lag(t.meter, of, partition, 1, 0, 1, (struct wall){ WALL }, t.now);
}

static void
test_partitions_at_the_limit(void **state)
{
	(void)state;
	for (uint32_t p = LIMIT_PARTITIONS; p-- > 0;)
		assert_int_equal(lag(topic, p * 7), METER_OK);
	assert_int_equal(lag(topic, 1), METER_LAG_CAP);
	assert_int_equal(lag(topic, 7), METER_OK);
	meter_lag_revoked(t.meter, topic, 0, 1);
	assert_int_equal(lag(topic, 1), METER_OK);
	assert_int_equal(lag(topic, UINT32_MAX), METER_LAG_CAP);
	meter_owner_gone(t.meter, 1, true, t.now);
	assert_int_equal(stats.series, 0);
	assert_int_equal(lag(topic, UINT32_MAX), METER_OK);
}

/* All series together: two of them for each partition, beside those of its topic. */
static void
test_series_at_the_limit(void **state)
{
	char name[20];
	uint32_t room = LIMIT_SERIES - TOPIC_SERIES; /* of the topic that is there */
	uint32_t text;

	(void)state;
	for (unsigned k = 0; room > 0; k++) {
		snprintf(name, sizeof(name), "t%u", k);
		struct topic *of = meter_topic(t.meter, svc, text_of(name));

		room -= TOPIC_SERIES;
		for (uint32_t p = 0; p < LIMIT_PARTITIONS && room > 0; p++, room -= LAG_SERIES)
			assert_int_equal(lag(of, p), METER_OK);
	}
	assert_int_equal(lag(topic, 0), METER_LAG_CAP);
	meter_owner_gone(t.meter, 1, true, t.now);
	text = t.meter->series.text;
	assert_int_equal(lag(topic, 0), METER_OK);
	assert_true(t.meter->series.text > text);
	meter_owner_gone(t.meter, 1, true, t.now);
	assert_int_equal(t.meter->series.text, text);
}

static void
test_overflow_topic_has_none(void **state)
{
	char name[20];

	(void)state;
	for (unsigned k = 1; k < LIMIT_TOPICS; k++) {
		snprintf(name, sizeof(name), "t%u", k);
		assert_int_equal(lag(meter_topic(t.meter, svc, text_of(name)), 0), METER_OK);
	}
	assert_int_equal(lag(meter_topic(t.meter, svc, TEXT("one more")), 0), METER_LAG_CAP);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(test_age_grows_by_itself),
		T(test_future),
		T(test_older_than_boot),
		T(test_unknown_origin),
		T(test_revoked),
		T(test_revoked_by_another),
		T(test_bye),
		T(test_lost),
		T(test_new_reporter_after_death),
		T(test_owners_apart),
		T(test_partitions_at_the_limit),
		T(test_series_at_the_limit),
		T(test_overflow_topic_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
