/*
 * topic.c -- create a topic on a Kafka broker, and wait for the broker if it is only starting.
 *
 *	topic --brokers 127.0.0.1:9092 --topic sums:12
 *
 * Exit 0: the topic is there with that many partitions, created now or before. Anything else is
 * said on stderr, exit 1.
 */
#include "base/kafka.h"
#include "base/log.h"
#include "base/option.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTITIONS_MAX = 1000, MS = 1000000 /* ns */ };

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
	    .help = "how long to wait for the broker" },
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
	    "create a topic on a Kafka broker, waiting for the broker if it is only starting",
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

/* True when the topic has that many partitions. */
static bool
check_partitions(rd_kafka_t *rk, const char *name, int partitions, int timeout_ms)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__FAIL;
	char why[128];
	int found;

	if (topic != NULL) {
		err = rd_kafka_metadata(rk, 0, topic, &metadata, timeout_ms);
		rd_kafka_topic_destroy(topic);
	}
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return complain(name, rd_kafka_err2str(err));
	found = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
	rd_kafka_metadata_destroy(metadata);
	if (found == partitions)
		return true;
	snprintf(why, sizeof(why), "it exists with %d partitions, not %d", found, partitions);
	return complain(name, why);
}

/* What the broker answered about the one topic that it was asked for. */
static bool
read_answer(rd_kafka_t *rk, rd_kafka_event_t *event, const char *name, const struct config *config,
    int partitions)
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
	case RD_KAFKA_RESP_ERR_NO_ERROR: return true;
	case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
		return check_partitions(rk, name, partitions, (int)(config->timeout / MS));
	default: return complain(name, rd_kafka_topic_result_error_string(results[0]));
	}
}

static bool
create_topic(rd_kafka_t *rk, const char *name, int partitions, const struct config *config)
{
	char why[256] = "";
	int timeout_ms = (int)(config->timeout / MS);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_AdminOptions_t *options =
	    rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_NewTopic_t *topic =
	    rd_kafka_NewTopic_new(name, partitions, (int)config->replicas, why, sizeof(why));
	rd_kafka_event_t *event = NULL;
	bool ok;

	if (topic == NULL) {
		ok = complain(name, why);
	} else {
		/* The whole request, with the wait for a broker; and that of the broker itself. */
		rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof(why));
		rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, why, sizeof(why));
		rd_kafka_CreateTopics(rk, &topic, 1, options, queue);
		event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
		ok = read_answer(rk, event, name, config, partitions);
	}
	if (event != NULL)
		rd_kafka_event_destroy(event);
	if (topic != NULL)
		rd_kafka_NewTopic_destroy(topic);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
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
