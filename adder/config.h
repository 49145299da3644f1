/*
 * config.h -- adder's options.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/option.h"

struct config {
	const char *grpc;
	const char *grpc_cert, *grpc_key, *grpc_client_ca; /* NULL: none */
	const char *http;
	const char *brokers, *topic;
	struct option_list kafka;
	const char *sidecar;
	int64_t max_calls;
	int64_t max_connection_age; /* ns; 0: no limit */
	int64_t grace;              /* ns */
	int64_t log_level;
	int64_t log_format;
};

/* As option_parse(), and the rules that no single row can say. */
enum option_outcome config_parse(int argc, char **argv, struct config *);
void config_print(const struct config *);
/* Say on stderr that a flag's value is wrong, for reasons found later. */
void config_complain(const char *flag, const char *why);

#endif
