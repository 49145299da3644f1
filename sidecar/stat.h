/*
 * stat.h -- the daemon's counters about itself, made from stat.def. Pure; the one global, for
 * counters only.
 */
#ifndef STAT_H
#define STAT_H

#include <stdint.h>

struct stats {
#define STAT(field, metric, labels, help)  uint64_t field;
#define LEVEL(field, metric, labels, help) uint64_t field;
#include "stat.def"
};

struct ledger {
#define LEDGER(field, metric, labels, help)       uint64_t field;
#define LEDGER_LEVEL(field, metric, labels, help) uint64_t field;
#include "stat.def"
};

extern struct stats stats;

enum stat_kind { STAT_COUNTER, STAT_GAUGE };

/* The rows of stat.def in order, for those who print them. offset is into struct stats, or struct
 * ledger. */
struct stat_row {
	const char *metric; /* "sidecar.events.received.total" */
	const char *labels; /* Prometheus form without braces: "cause=\"bye\""; "" when none */
	const char *help;   /* "" on all but the first row of a metric */
	enum stat_kind kind;
	uint32_t offset;
};

extern const struct stat_row stat_rows[];
extern const struct stat_row stat_ledger_rows[];
extern const unsigned stat_nrows, stat_nledger_rows;

#endif
