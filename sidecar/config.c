#include "config.h"

#include "limits.h"

#include "base/address.h"
#include "protocol/wire.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define SECOND INT64_C(1000000000)
#define DAY    (86400 * SECOND)

/* One option: a line or two, then what its type needs beside (.min, .max, .choices). */
#define ROW(flag_, env_, type_, member, fallback_, arg_, help_, ...)                               \
	{                                                                                          \
		.flag = (flag_), .env = (env_), .type = OPTION_##type_,                            \
		.offset = offsetof(struct config, member), .fallback = (fallback_), .arg = (arg_), \
		.help = (help_), __VA_ARGS__                                                       \
	}

/* clang-format off */
/* One signal's settings over the general ones. */
#define SIGNAL_ROWS(name, SIGNAL, m)                                                               \
	ROW("otlp-" name "-endpoint", "OTEL_EXPORTER_OTLP_" SIGNAL "_ENDPOINT", STRING, m.endpoint,   \
	    NULL, "url", "full URL for " name ", over --otlp-endpoint"),                           \
	ROW("otlp-" name "-protocol", "OTEL_EXPORTER_OTLP_" SIGNAL "_PROTOCOL", CHOICE, m.protocol,   \
	    "same", "name", "protocol for " name, .choices = "same|grpc|http/protobuf"),           \
	ROW("otlp-" name "-headers", "OTEL_EXPORTER_OTLP_" SIGNAL "_HEADERS", STRING, m.headers,      \
	    NULL, "k=v,...", "headers for " name, .secret = true),                                 \
	ROW("otlp-" name "-compression", "OTEL_EXPORTER_OTLP_" SIGNAL "_COMPRESSION", CHOICE,      \
	    m.compression, "same", "how", "compression for " name, .choices = "same|gzip|none"),   \
	ROW("otlp-" name "-timeout", "OTEL_EXPORTER_OTLP_" SIGNAL "_TIMEOUT", DURATION, m.timeout,    \
	    "0s", "time", "longest wait for " name "; 0s: as --otlp-timeout", .max = DAY),         \
	ROW("otlp-" name "-certificate", "OTEL_EXPORTER_OTLP_" SIGNAL "_CERTIFICATE", STRING,      \
	    m.certificate, NULL, "file", "PEM of the authority to trust for " name),               \
	ROW("otlp-" name "-client-key", "OTEL_EXPORTER_OTLP_" SIGNAL "_CLIENT_KEY", STRING,        \
	    m.client_key, NULL, "file", "PEM of our private key for " name),                       \
	ROW("otlp-" name "-client-certificate", "OTEL_EXPORTER_OTLP_" SIGNAL "_CLIENT_CERTIFICATE",\
	    STRING, m.client_certificate, NULL, "file", "PEM of our certificate for " name),       \
	ROW("otlp-" name "-insecure", "OTEL_EXPORTER_OTLP_" SIGNAL "_INSECURE", CHOICE, m.insecure,   \
	    "same", "whether", "no TLS for " name " when its endpoint has no scheme",              \
	    .choices = "same|true|false")

static const struct option rows[] = {
	ROW("socket", "SIDECAR_SOCKET", STRING, socket, WIRE_SOCKET_PATH, "path",
	    "Unix socket on which services send their events"),
	ROW("socket-mode", "SIDECAR_SOCKET_MODE", MODE, socket_mode, "0660", "mode",
	    "permissions of the socket", .max = 0777),
	ROW("http", "SIDECAR_HTTP", ADDRESS, http, NULL, "host:port",
	    "where /metrics, /healthz and /readyz are served; unset: OTEL_EXPORTER_PROMETHEUS_HOST "
	    "and _PORT, else localhost:9464"),
	ROW("otlp-endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", STRING, otlp.endpoint, NULL, "url",
	    "the Collector; unset: nothing is exported"),
	ROW("otlp-protocol", "OTEL_EXPORTER_OTLP_PROTOCOL", CHOICE, otlp.protocol, "grpc", "name",
	    "protocol of the Collector", .choices = "grpc|http/protobuf"),
	ROW("otlp-headers", "OTEL_EXPORTER_OTLP_HEADERS", STRING, otlp.headers, NULL, "k=v,...",
	    "headers of every request", .secret = true),
	ROW("otlp-compression", "OTEL_EXPORTER_OTLP_COMPRESSION", CHOICE, otlp.compression, "gzip",
	    "how", "compression of requests", .choices = "gzip|none"),
	ROW("otlp-timeout", "OTEL_EXPORTER_OTLP_TIMEOUT", DURATION, otlp.timeout, "10s", "time",
	    "longest wait for an answer; 0s: no limit", .max = DAY),
	ROW("otlp-certificate", "OTEL_EXPORTER_OTLP_CERTIFICATE", STRING, otlp.certificate, NULL, "file",
	    "PEM of the authority to trust; unset: the system's"),
	ROW("otlp-client-key", "OTEL_EXPORTER_OTLP_CLIENT_KEY", STRING, otlp.client_key, NULL, "file",
	    "PEM of our private key"),
	ROW("otlp-client-certificate", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", STRING,
	    otlp.client_certificate, NULL, "file", "PEM of our certificate"),
	ROW("otlp-insecure", "OTEL_EXPORTER_OTLP_INSECURE", BOOL, insecure, NULL, NULL,
	    "no TLS when the endpoint has no scheme"),
	SIGNAL_ROWS("traces", "TRACES", traces),
	SIGNAL_ROWS("metrics", "METRICS", metrics),
	ROW("traces-exporter", "OTEL_TRACES_EXPORTER", CHOICE, traces_exporter, "otlp", "what",
	    "none: spans are not exported", .choices = "otlp|none"),
	ROW("metrics-exporter", "OTEL_METRICS_EXPORTER", CHOICE, metrics_exporter, "otlp", "what",
	    "none or prometheus: metrics are served on /metrics only",
	    .choices = "otlp|none|prometheus"),
	ROW("resource-attributes", "OTEL_RESOURCE_ATTRIBUTES", STRING, attributes, NULL, "k=v,...",
	    "resource attributes for services that do not give them themselves"),
	ROW("schedule-delay", "OTEL_BSP_SCHEDULE_DELAY", DURATION, schedule_delay, "500ms", "time",
	    "how long ended spans wait for company", .max = DAY),
	ROW("metric-interval", "OTEL_METRIC_EXPORT_INTERVAL", DURATION, metric_interval, "60s", "time",
	    "how often metrics are exported", .min = SECOND / 10, .max = DAY),
	ROW("span-timeout", "SIDECAR_SPAN_TIMEOUT", DURATION, span_timeout, "10m", "time",
	    "how long a span may be open", .min = SECOND / 10, .max = 30 * DAY),
	ROW("hello-timeout", "SIDECAR_HELLO_TIMEOUT", DURATION, hello_timeout, "10s", "time",
	    "how long a connection may take to say hello", .min = SECOND / 10, .max = DAY),
	ROW("max-open-spans", "SIDECAR_MAX_OPEN_SPANS", INT, open_spans, "131072", "n",
	    "spans open at a time; past it the busiest connection's oldest is ended", .min = 1,
	    .max = LIMIT_OPEN_SPANS),
	ROW("queue-max", "SIDECAR_QUEUE_MAX", BYTES, queue_max, "64MiB", "bytes",
	    "memory for what the Collector has not taken; past it the oldest is dropped",
	    .min = 2 * LIMIT_BATCH_BYTES, .max = INT64_C(1) << 40),
	ROW("drain-timeout", "SIDECAR_DRAIN_TIMEOUT", DURATION, drain_timeout, "5s", "time",
	    "how long SIGTERM waits for the Collector", .max = DAY),
	ROW("log-level", "SIDECAR_LOG_LEVEL", CHOICE, log_level, "info", "level",
	    "least important line that is logged", .choices = "error|warn|info|debug"),
	ROW("log-format", "SIDECAR_LOG_FORMAT", CHOICE, log_format, "text", "format",
	    "how lines are logged: key=value pairs, or JSON", .choices = "text|json"),
};
/* clang-format on */

const struct option_program config_program = {
	.name = "sidecard",
	.version = VERSION,
	.summary = "join, measure and export what services tell over a Unix socket",
	.rows = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static const char *
env(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

enum { HTTP_ADDRESS = 300 };

/* False: it is none that one can listen on. */
static bool
join(char out[HTTP_ADDRESS], const char *host, const char *port)
{
	bool v6 = strchr(host, ':') != NULL && host[0] != '[';
	struct address parsed;

	snprintf(out, HTTP_ADDRESS, "%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
	return address_parse(out, &parsed);
}

static void
ignore(const char *name, const char *value, const char *expected)
{
	char option[64], why[512];

	snprintf(option, sizeof(option), "http (from %s)", name);
	snprintf(why, sizeof(why), "'%s' is wrong, expected %s; ignored", value, expected);
	option_complain(&config_program, option, why);
}

/* Where the Prometheus exporter of an OpenTelemetry SDK would listen. */
static const char *
default_http(void)
{
	static const char own_host[] = "localhost", own_port[] = "9464";
	static char address[HTTP_ADDRESS];
	const char *host = env("OTEL_EXPORTER_PROMETHEUS_HOST");
	const char *port = env("OTEL_EXPORTER_PROMETHEUS_PORT");

	if (host != NULL && !join(address, host, own_port)) {
		ignore("OTEL_EXPORTER_PROMETHEUS_HOST", host, "a host");
		host = NULL;
	}
	if (port != NULL && !join(address, own_host, port)) {
		ignore("OTEL_EXPORTER_PROMETHEUS_PORT", port, "a port from 0 to 65535");
		port = NULL;
	}
	join(address, host != NULL ? host : own_host, port != NULL ? port : own_port);
	return address;
}

enum option_outcome
config_load(struct config *c, int argc, char **argv)
{
	enum option_outcome outcome = option_parse(&config_program, argc, argv, c);
	struct sockaddr_un un;

	if (outcome != OPTION_RUN && outcome != OPTION_CHECK)
		return outcome;
	if (env("OTEL_CONFIG_FILE") != NULL) {
		fputs("sidecard: OTEL_CONFIG_FILE is set, but declarative configuration is not "
		      "supported: "
		      "unset it and use options or the other OTEL_* variables\n",
		    stderr);
		return OPTION_WRONG;
	}
	if (c->socket[0] == '\0') {
		option_complain(&config_program, "socket", "'' is wrong, expected a path");
		return OPTION_WRONG;
	}
	if (strlen(c->socket) >= sizeof(un.sun_path)) {
		char why[64];

		snprintf(why, sizeof(why), "longer than %zu bytes, the system's limit for a socket",
		    sizeof(un.sun_path) - 1);
		option_complain(&config_program, "socket", why);
		return OPTION_WRONG;
	}
	if (c->http == NULL)
		c->http = default_http();
	return outcome;
}
