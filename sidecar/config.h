/*
 * config.h -- sidecard's option table, and what it fills.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/option.h"

enum config_protocol { PROTOCOL_GRPC, PROTOCOL_HTTP };
enum config_compression { COMPRESSION_GZIP, COMPRESSION_NONE };

/* For a signal's own settings: index 0 of each choice is "same", as the general option says. */
struct config_otlp {
	const char *endpoint; /* NULL: none given */
	int64_t protocol;
	const char *headers;
	int64_t compression;
	int64_t timeout; /* ns; 0: no limit (general), as the general option (signal) */
	const char *certificate, *client_key, *client_certificate;
	int64_t insecure; /* of a signal: index of same, true, false */
};

struct config {
	const char *socket;
	int64_t socket_mode;
	const char *http;
	struct config_otlp otlp, traces, metrics;
	bool insecure;
	int64_t traces_exporter, metrics_exporter; /* index of the choice; 0: otlp */
	const char *attributes;                    /* OTEL_RESOURCE_ATTRIBUTES */
	int64_t schedule_delay, metric_interval, span_timeout, hello_timeout,
	    drain_timeout; /* ns */
	int64_t queue_max; /* bytes */
	int64_t open_spans;
	int64_t log_level;
	int64_t log_format;
};

extern const struct option_program config_program;

/* As option_parse(), with what a row cannot say checked too. */
enum option_outcome config_load(struct config *, int argc, char **argv);

#endif
