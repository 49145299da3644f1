/*
 * topic.c -- create a topic on a Kafka broker, and wait for the brokers if they are only starting.
 *
 *	topic --brokers 127.0.0.1:9092 --topic sums:12
 *
 * Exit 0: the topic is there with that many partitions, created now or before. Anything else is
 * said on stderr, exit 1.
 */
#include "base/clock.h"
#include "base/kafka.h"
#include "base/log.h"
#include "base/option.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARTITIONS_MAX = 1000, MS = 1000000 /* ns */, PAUSE_MS = 200 };

struct config {
	const char *brokers, *topic;
	struct option_list kafka;
	int64_t replicas, timeout, level;
};

#define ROW(f) offsetof(struct config, f)

static const struct option rows[] = {
	{ .flag = "brokers",
	    .env = "KAFKA_BROKERS",
	    .type = OPTION_STRING,
	    .offset = ROW(brokers),
	    .fallback = "localhost:9092",
	    .arg = "host:port,...",
	    .help = "Kafka's bootstrap servers" },
	{ .flag = "topic",
	    .type = OPTION_STRING,
	    .offset = ROW(topic),
	    .fallback = "sums:12",
	    .arg = "name:partitions",
	    .help = "what to create" },
	{ .flag = "replicas",
	    .type = OPTION_INT,
	    .offset = ROW(replicas),
	    .fallback = "1",
	    .min = 1,
	    .max = INT16_MAX,
	    .help = "brokers that hold each partition" },
	{ .flag = "kafka",
	    .type = OPTION_LIST,
	    .offset = ROW(kafka),
	    .arg = "key=value",
	    .secret = true,
	    .help = "any property of librdkafka; may be repeated" },
	{ .flag = "timeout",
	    .type = OPTION_DURATION,
	    .offset = ROW(timeout),
	    .fallback = "60s",
	    .min = MS,
	    .max = INT64_C(3600000) * MS,
	    .help = "how long to wait for the brokers" },
	{ .flag = "log-level",
	    .type = OPTION_CHOICE,
	    .offset = ROW(level),
	    .fallback = "error",
	    .choices = "error|warn|info|debug",
	    .arg = "level",
	    .help = "least severe level that is logged" },
};

static const struct option_program program = {
	.name = "topic",
	.version = VERSION,
	.summary =
	    "create a topic on a Kafka broker, waiting for the brokers if they are only starting",
	.rows = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

/* "name:partitions" cut at its colon; NULL: not that. Free it. */
static char *
split_topic(const char *text, int *partitions)
{
	const char *colon = strrchr(text, ':');
	char *end, *name;
	long n;

	if (colon == NULL || colon == text || colon[1] < '0' || colon[1] > '9')
		return NULL;
	errno = 0;
	n = strtol(colon + 1, &end, 10);
	if (errno != 0 || *end != '\0' || n < 1 || n > PARTITIONS_MAX)
		return NULL;
	name = strdup(text);
	if (name != NULL)
		name[colon - text] = '\0';
	*partitions = (int)n;
	return name;
}

/* Print why and return false. */
static bool
complain(const char *topic, const char *why)
{
	fprintf(stderr, "topic: %s: %s\n", topic, why);
	return false;
}

static int
left_ms(struct mono deadline)
{
	uint64_t now = clock_mono().ns;

	return now < deadline.ns ? (int)((deadline.ns - now) / MS) : 0;
}

/* False, at once, when it would be too late after it. */
static bool
rest(struct mono deadline)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_MS * MS };

	if (left_ms(deadline) <= PAUSE_MS)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

/* How many partitions the broker says that the topic has, 0 when it does not know of it. */
static rd_kafka_resp_err_t
count_partitions(rd_kafka_t *rk, rd_kafka_topic_t *topic, int timeout_ms, int *found)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, topic, &metadata, timeout_ms);

	*found = 0;
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (metadata->topic_cnt == 1)
			*found = metadata->topics[0].partition_cnt;
		rd_kafka_metadata_destroy(metadata);
	}
	return err;
}

/* True when the topic has that many partitions. A broker learns of a new one somewhat late. */
static bool
check_partitions(rd_kafka_t *rk, const char *name, int partitions, struct mono deadline)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__FAIL;
	char why[128];
	int found = 0;

	if (topic != NULL) {
		do {
			err = count_partitions(rk, topic, left_ms(deadline), &found);
		} while (err == RD_KAFKA_RESP_ERR_NO_ERROR && found == 0 && rest(deadline));
		rd_kafka_topic_destroy(topic);
	}
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return complain(name, rd_kafka_err2str(err));
	if (found == partitions)
		return true;
	if (found == 0)
		return complain(name, "it was made, but the broker does not know of it yet");
	snprintf(why, sizeof(why), "it exists with %d partitions, not %d", found, partitions);
	return complain(name, why);
}

/* What the broker answered about the one topic that it was asked for. */
static bool
read_answer(
    rd_kafka_t *rk, rd_kafka_event_t *event, const char *name, int partitions, struct mono deadline)
{
	const rd_kafka_topic_result_t **results;
	size_t n = 0;

	if (event == NULL)
		return complain(name, "no answer in time");
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return complain(name, rd_kafka_event_error_string(event));
	results =
	    rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	if (n != 1)
		return complain(name, "an answer without the topic");
	switch (rd_kafka_topic_result_error(results[0])) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
	case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
		return check_partitions(rk, name, partitions, deadline);
	default: return complain(name, rd_kafka_topic_result_error_string(results[0]));
	}
}

/* Fewer brokers than replicas: the others may be starting. NULL: no; otherwise what Kafka says. */
static const char *
lacks_brokers(rd_kafka_event_t *event)
{
	const rd_kafka_topic_result_t **results;
	size_t n = 0;

	if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return NULL;
	results =
	    rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	if (n != 1 ||
	    rd_kafka_topic_result_error(results[0]) != RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR)
		return NULL;
	return rd_kafka_topic_result_error_string(results[0]);
}

/* Ask once; NULL: no answer within timeout_ms. Destroy the event. */
static rd_kafka_event_t *
ask(rd_kafka_t *rk, rd_kafka_NewTopic_t *topic, int timeout_ms)
{
	char why[256];
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_AdminOptions_t *options =
	    rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_event_t *event;

	/* The whole request, with the wait for a broker; and that of the broker itself. */
	rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof(why));
	rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, why, sizeof(why));
	rd_kafka_CreateTopics(rk, &topic, 1, options, queue);
	event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	return event;
}

static bool
create_topic(rd_kafka_t *rk, const char *name, int partitions, const struct config *config)
{
	struct mono deadline = { clock_mono().ns + (uint64_t)config->timeout };
	char why[256] = "";
	rd_kafka_NewTopic_t *topic =
	    rd_kafka_NewTopic_new(name, partitions, (int)config->replicas, why, sizeof(why));
	rd_kafka_event_t *event;
	const char *lacks;
	bool said = false, ok;

	if (topic == NULL)
		return complain(name, why);
	for (;;) {
		event = ask(rk, topic, left_ms(deadline));
		lacks = lacks_brokers(event);
		if (lacks != NULL && !said)
			fprintf(stderr, "topic: %s: waiting: %s\n", name, lacks);
		said = true;
		if (lacks == NULL || !rest(deadline))
			break;
		rd_kafka_event_destroy(event);
	}
	ok = read_answer(rk, event, name, partitions, deadline);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy(topic);
	return ok;
}

int
main(int argc, char **argv)
{
	static struct config config; /* its list lives as long as the process */
	char why[512];
	char *name;
	int partitions;
	enum option_outcome outcome = option_parse(&program, argc, argv, &config);
	rd_kafka_conf_t *conf;
	rd_kafka_t *rk;
	bool ok;

	if (outcome == OPTION_WRONG)
		return 2;
	if (outcome == OPTION_DONE)
		return 0;
	name = split_topic(config.topic, &partitions);
	if (name == NULL) {
		option_complain(
		    &program, "topic", "name:partitions is needed, with 1 to 1000 partitions");
		return 2;
	}
	if (outcome == OPTION_CHECK) {
		option_print(&program, &config);
		free(name);
		return 0;
	}
	log_open("topic", (enum log_level)config.level);
	conf = kafka_conf(config.brokers, NULL, 0, NULL, 0, &config.kafka, why, sizeof(why));
	rk = conf == NULL ? NULL : rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (rk == NULL) {
		if (conf != NULL)
			rd_kafka_conf_destroy(conf);
		ok = complain(name, why);
	} else {
		ok = create_topic(rk, name, partitions, &config);
		rd_kafka_destroy(rk);
	}
	free(name);
	return ok ? 0 : 1;
}
