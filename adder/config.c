#include "config.h"

#include "protocol/wire.h"

#include <string.h>

#define AT(field) offsetof(struct config, field)

/* Kafka's own limit for a topic's name. */
enum { TOPIC_MAX = 249 };

static const struct option rows[] = {
	{ .flag = "grpc",
	    .env = "ADDER_GRPC",
	    .type = OPTION_ADDRESS,
	    .offset = AT(grpc),
	    .fallback = "0.0.0.0:50051",
	    .arg = "host:port",
	    .help = "where to listen for gRPC" },
	{ .flag = "grpc-cert",
	    .env = "ADDER_GRPC_CERT",
	    .type = OPTION_STRING,
	    .offset = AT(grpc_cert),
	    .arg = "file",
	    .help = "certificate chain (PEM): serve gRPC over TLS" },
	{ .flag = "grpc-key",
	    .env = "ADDER_GRPC_KEY",
	    .type = OPTION_STRING,
	    .offset = AT(grpc_key),
	    .arg = "file",
	    .help = "private key of the certificate (PEM)" },
	{ .flag = "grpc-client-ca",
	    .env = "ADDER_GRPC_CLIENT_CA",
	    .type = OPTION_STRING,
	    .offset = AT(grpc_client_ca),
	    .arg = "file",
	    .help = "demand a client certificate signed by one of these (PEM)" },
	{ .flag = "http",
	    .env = "ADDER_HTTP",
	    .type = OPTION_ADDRESS,
	    .offset = AT(http),
	    .fallback = "0.0.0.0:8081",
	    .arg = "host:port",
	    .help = "where to serve /healthz and /readyz" },
	{ .flag = "brokers",
	    .env = "KAFKA_BROKERS",
	    .type = OPTION_STRING,
	    .offset = AT(brokers),
	    .fallback = "localhost:9092",
	    .arg = "host:port,...",
	    .help = "Kafka brokers to start from" },
	{ .flag = "topic",
	    .env = "ADDER_TOPIC",
	    .type = OPTION_STRING,
	    .offset = AT(topic),
	    .fallback = "sums",
	    .arg = "name",
	    .help = "topic that gets the sums" },
	{ .flag = "kafka",
	    .env = "ADDER_KAFKA",
	    .type = OPTION_LIST,
	    .offset = AT(kafka),
	    .arg = "key=value",
	    .secret = true,
	    .help = "a librdkafka property; may be repeated" },
	{ .flag = "sidecar",
	    .env = "SIDECAR_SOCKET",
	    .type = OPTION_STRING,
	    .offset = AT(sidecar),
	    .fallback = WIRE_SOCKET_PATH,
	    .arg = "path",
	    .help = "socket of the sidecard that gets spans and Kafka events" },
	{ .flag = "max-calls",
	    .env = "ADDER_MAX_CALLS",
	    .type = OPTION_INT,
	    .offset = AT(max_calls),
	    .fallback = "10000",
	    .min = 1,
	    .max = 1000000,
	    .arg = "n",
	    .help = "calls and unacknowledged messages at a time; more are RESOURCE_EXHAUSTED" },
	{ .flag = "max-connection-age",
	    .env = "ADDER_MAX_CONNECTION_AGE",
	    .type = OPTION_DURATION,
	    .offset = AT(max_connection_age),
	    .fallback = "0s",
	    .max = INT64_C(86400000000000),
	    .arg = "duration",
	    .help =
		"ask callers to connect anew after this time, give or take a tenth; 0s: never" },
	{ .flag = "grace",
	    .env = "ADDER_GRACE",
	    .type = OPTION_DURATION,
	    .offset = AT(grace),
	    .fallback = "10s",
	    .max = INT64_C(3600000000000),
	    .arg = "duration",
	    .help = "how long a stop waits for calls and messages under way" },
	{ .flag = "log-level",
	    .env = "ADDER_LOG_LEVEL",
	    .type = OPTION_CHOICE,
	    .offset = AT(log_level),
	    .fallback = "info",
	    .choices = "error|warn|info|debug",
	    .arg = "level",
	    .help = "least severe level that is logged" },
	{ .flag = "log-format",
	    .env = "ADDER_LOG_FORMAT",
	    .type = OPTION_CHOICE,
	    .offset = AT(log_format),
	    .fallback = "text",
	    .choices = "text|json",
	    .arg = "format",
	    .help = "how lines are logged: key=value pairs, or JSON" },
};

static const struct option_program program = {
	.name = "adder",
	.version = VERSION,
	.summary = "add two numbers over gRPC and publish the sum to Kafka",
	.rows = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

/* Kafka's rule: letters, digits, '.', '_', '-', 1 to 249 of them, not "." or "..". */
static bool
is_topic(const char *name)
{
	size_t n =
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n > 0 && n <= TOPIC_MAX && name[n] == '\0' && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

enum option_outcome
config_parse(int argc, char **argv, struct config *c)
{
	enum option_outcome outcome = option_parse(&program, argc, argv, c);
	const char *flag = NULL, *why = NULL;

	if (outcome != OPTION_RUN && outcome != OPTION_CHECK)
		return outcome;
	if (c->grpc_cert != NULL && c->grpc_key == NULL) {
		flag = "grpc-cert";
		why = "needs --grpc-key";
	} else if (c->grpc_key != NULL && c->grpc_cert == NULL) {
		flag = "grpc-key";
		why = "needs --grpc-cert";
	} else if (c->grpc_client_ca != NULL && c->grpc_cert == NULL) {
		flag = "grpc-client-ca";
		why = "needs --grpc-cert and --grpc-key";
	} else if (c->brokers[0] == '\0') {
		flag = "brokers";
		why = "at least one host:port is needed";
	} else if (!is_topic(c->topic)) {
		flag = "topic";
		why = "not a topic's name: 1 to 249 letters, digits, dots, underscores and dashes";
	}
	if (flag == NULL)
		return outcome;
	config_complain(flag, why);
	return OPTION_WRONG;
}

void
config_print(const struct config *c)
{
	option_print(&program, c);
}

void
config_complain(const char *flag, const char *why)
{
	option_complain(&program, flag, why);
}
