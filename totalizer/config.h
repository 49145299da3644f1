/*
 * config.h -- totalizer's option table.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/option.h"

struct config { /* durations in ns */
	const char *http;
	const char *brokers;
	const char *topic;
	const char *group;
	const char *sidecar;
	struct option_list kafka;
	bool accept_gap;
	int64_t drain_timeout;
	int64_t log_level;  /* enum log_level */
	int64_t log_format; /* enum log_format */
};

extern const struct option_program config_program;

/* What the rows cannot say, such as a topic's characters. false: the error was printed. */
bool config_valid(const struct config *);

#endif
