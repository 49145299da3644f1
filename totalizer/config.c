#include "config.h"

#include "base/clock.h"

#include <string.h>

enum {
	TOPIC_NAME = 249,
	GROUP_NAME = 255
}; /* Kafka's limit; and a span attribute's, for one line of a screen */

#define AT(f) offsetof(struct config, f)

static const struct option rows[] = {
	{ .flag = "http",
	    .env = "TOTALIZER_HTTP",
	    .type = OPTION_ADDRESS,
	    .offset = AT(http),
	    .fallback = "0.0.0.0:8080",
	    .arg = "host:port",
	    .help = "where results and health are served" },
	{ .flag = "brokers",
	    .env = "KAFKA_BROKERS",
	    .type = OPTION_STRING,
	    .offset = AT(brokers),
	    .fallback = "localhost:9092",
	    .arg = "host:port,...",
	    .help = "Kafka's bootstrap servers" },
	{ .flag = "topic",
	    .env = "TOTALIZER_TOPIC",
	    .type = OPTION_STRING,
	    .offset = AT(topic),
	    .fallback = "sums",
	    .arg = "name",
	    .help = "the topic that is added up" },
	{ .flag = "group",
	    .env = "TOTALIZER_GROUP",
	    .type = OPTION_STRING,
	    .offset = AT(group),
	    .fallback = "totalizer",
	    .arg = "name",
	    .help = "consumer group, whose committed offsets carry the totals; nothing else may "
		    "commit to it" },
	{ .flag = "kafka",
	    .env = "TOTALIZER_KAFKA",
	    .type = OPTION_LIST,
	    .offset = AT(kafka),
	    .arg = "key=value",
	    .secret = true,
	    .help = "a librdkafka property; may be repeated" },
	{ .flag = "accept-gap",
	    .env = "TOTALIZER_ACCEPT_GAP",
	    .type = OPTION_BOOL,
	    .offset = AT(accept_gap),
	    .fallback = "false",
	    .help = "go on without messages that retention removed before they were added" },
	{ .flag = "sidecar",
	    .env = "SIDECAR_SOCKET",
	    .type = OPTION_STRING,
	    .offset = AT(sidecar),
	    .fallback = "/run/sidecar/sidecar.sock",
	    .arg = "path",
	    .help = "socket of the sidecar that takes spans and events" },
	{ .flag = "drain-timeout",
	    .env = "TOTALIZER_DRAIN_TIMEOUT",
	    .type = OPTION_DURATION,
	    .offset = AT(drain_timeout),
	    .fallback = "5s",
	    .min = 100 * (int64_t)CLOCK_MILLI,
	    .max = 600 * (int64_t)CLOCK_SECOND,
	    .arg = "duration",
	    .help = "on SIGTERM, how long the last commit and leaving the group may take" },
	{ .flag = "log-level",
	    .env = "TOTALIZER_LOG_LEVEL",
	    .type = OPTION_CHOICE,
	    .offset = AT(log_level),
	    .fallback = "info",
	    .choices = "error|warn|info|debug",
	    .arg = "level",
	    .help = "least severe level that is logged" },
	{ .flag = "log-format",
	    .env = "TOTALIZER_LOG_FORMAT",
	    .type = OPTION_CHOICE,
	    .offset = AT(log_format),
	    .fallback = "text",
	    .choices = "text|json",
	    .arg = "format",
	    .help = "how lines are logged: key=value pairs, or JSON" },
};

const struct option_program config_program = {
	.name = "totalizer",
	.version = VERSION,
	.summary = "adds up the sums in a Kafka topic and answers the total over HTTP",
	.rows = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static bool
complain(const char *flag, const char *why)
{
	option_complain(&config_program, flag, why);
	return false;
}

bool
config_valid(const struct config *c)
{
	static const char legal[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t topic = strlen(c->topic), group = strlen(c->group);

	if (topic == 0 || topic > TOPIC_NAME || strspn(c->topic, legal) != topic ||
	    strcmp(c->topic, ".") == 0 || strcmp(c->topic, "..") == 0)
		return complain(
		    "topic", "a topic has 1 to 249 characters of a-z, A-Z, 0-9, '.', '_' and '-'");
	if (group == 0 || group > GROUP_NAME)
		return complain("group", "a group's name has 1 to 255 bytes");
	if (c->brokers[0] == '\0')
		return complain("brokers", "at least one host:port is needed");
	return true;
}
