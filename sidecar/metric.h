/*
 * metric.h -- what a metric is, and those that are not named by services. Pure.
 */
#ifndef METRIC_H
#define METRIC_H

#include "hist.h"
#include "text.h"

#include <stdbool.h>

enum metric_kind { /* as enum wire_instrument */
	METRIC_COUNTER,
	METRIC_UPDOWN,
	METRIC_GAUGE,
	METRIC_HISTOGRAM
};

struct metric {
	struct text name; /* OTLP's; promname_metric() makes the other */
	struct text unit;
	struct text help;
	enum metric_kind kind;
	enum hist_kind layout; /* of a histogram */
};

enum metric_fixed {
	METRIC_LATENCY,
	METRIC_PRODUCED,
	METRIC_CONSUMED,
	METRIC_SKEW,
	METRIC_LAG,
	METRIC_LAG_AGE,
	METRIC_PRODUCER_ERRORS, /* from here on: series with label sets of their own */
	METRIC_CONSUMER_ERRORS,
	METRIC_HTTP_SERVER, /* from here on: RED */
	METRIC_RPC_SERVER,
	METRIC_MESSAGING_CLIENT,
	METRIC_MESSAGING_PROCESS,
	METRIC_FIXED
};

enum { METRIC_LABELLED = METRIC_PRODUCER_ERRORS, METRIC_RED = METRIC_HTTP_SERVER };

extern const struct metric metric_fixed[METRIC_FIXED];

/* The lines that a label set has on /metrics: a histogram has several. */
uint32_t metric_lines(const struct metric *);

/* Of this process, and which build it is of. The daemon's counters are in stat.def. */
enum metric_self {
	METRIC_CPU,
	METRIC_START_TIME,
	METRIC_RESIDENT,
	METRIC_VIRTUAL,
	METRIC_OPEN_FDS,
	METRIC_MAX_FDS,
	METRIC_THREADS,
	METRIC_BUILD,
	METRIC_SELF
};

extern const struct metric metric_self[METRIC_SELF];

/* The type on /metrics, by kind: "counter", "gauge" (of up-down too), "histogram". */
extern const char *const metric_type[METRIC_HISTOGRAM + 1];

#endif
