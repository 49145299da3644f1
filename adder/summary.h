/*
 * summary.h -- what a run of calls came to: outcomes by code, the exact sum of what was
 * acknowledged, latency percentiles. Pure, of fixed size whatever the number of calls.
 *
 * Latencies are counted in buckets, SUMMARY_STEPS to each power of two of nanoseconds, so a
 * percentile is at most 1/SUMMARY_STEPS (1.6 %) above the true one and never below it; the maximum
 * is exact.
 */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum { SUMMARY_STEPS = 64, SUMMARY_BUCKETS = (64 - 6 + 1) * SUMMARY_STEPS };

struct summary {
	uint64_t codes[STATUS_CODES];
	uint64_t calls;
	uint64_t not_started; /* calls that were due and could not be made */
	__int128 sum;         /* of the sums that came back OK */
	uint64_t latency[SUMMARY_BUCKETS];
	uint64_t latency_max; /* ns */
};

void summary_init(struct summary *);
/* One finished call; sum is read when it is OK. */
void summary_add(struct summary *, enum status, int64_t sum, uint64_t latency_ns);
/* The smallest latency (ns) that at least this share (0 to 1) of the calls did not exceed, as
 * exact as said above; 0 without calls. */
uint64_t summary_percentile(const struct summary *, double share);
uint64_t
summary_unknown(const struct summary *); /* calls whose sum may have been published or not */
bool summary_all_ok(const struct summary *);
/* Append the report for people, or one line of JSON; seconds: how long the run took. */
void summary_print(const struct summary *, double seconds, struct buf *);
void summary_print_json(const struct summary *, double seconds, struct buf *);

#endif
