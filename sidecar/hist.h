/*
 * hist.h -- histograms with explicit buckets: which bucket a sample belongs to, counts and an exact
 * sum.
 *
 * A bucket's upper bound belongs to it ("le" is inclusive); the last bucket has none. Durations are
 * compared and summed as whole nanoseconds, and become ms or s once, when they are read: a sample
 * of exactly 5 ms never lands above 5. Their sum has 128 bits, so that no client's wild clock can
 * wrap it. Other samples are doubles, summed with compensation. Pure.
 */
#ifndef HIST_H
#define HIST_H

#include "total.h"

#include <stdint.h>

enum { HIST_BOUNDS = 15, HIST_SLOTS = HIST_BOUNDS + 1 };

/*
 * Slots of nanoseconds are found without a search. A value's highest set bit and the two below it
 * name a cell; the cells are so narrow that none holds two bounds:
 *
 *	... [4.29 s, 5.37) [5.37, 6.44) [6.44, 7.52) [7.52, 8.59) ...	quarters of an octave
 *	          ^ 5 s                        ^ 7.5 s			bounds
 *
 * first[cell] counts the bounds below the cell; one compare with the next bound does the rest.
 */
struct hist_layout {
	uint64_t ns[HIST_BOUNDS + 1]; /* the bounds, then UINT64_MAX */
	double bounds[HIST_BOUNDS];   /* in the metric's unit */
	double unit_ns;               /* ns of one unit */
	uint32_t n;                   /* how many bounds */
	uint8_t first[256];
};

enum hist_kind {
	HIST_LATENCY, /* kafka.message.delivery.latency, ms */
	HIST_SECONDS, /* durations of the semantic conventions, s */
	HIST_DEFAULT, /* OpenTelemetry's default, for any unit */
	HIST_KINDS
};

struct hist {
	uint64_t counts[HIST_SLOTS];
	union {
		struct {
			uint64_t low, high;
		} ns;
		struct total samples;
	} sum;
};

void hist_layout_init(struct hist_layout *, enum hist_kind);

/* The series of a histogram, as Prometheus counts: its buckets with +Inf, its sum, its count. */
uint32_t hist_lines(enum hist_kind);

static inline unsigned
hist_slot(const struct hist_layout *l, uint64_t ns)
{
	uint64_t wide = ns | 4; /* so that there are three bits to take; no bound is below 4 ns */
	unsigned top = 63 - (unsigned)__builtin_clzll(wide);
	unsigned slot = l->first[top * 4 + ((wide >> (top - 2)) & 3)];

	return slot + (ns > l->ns[slot]);
}

static inline void
hist_record(struct hist *h, const struct hist_layout *l, uint64_t ns)
{
	h->counts[hist_slot(l, ns)]++;
	h->sum.ns.low += ns;
	h->sum.ns.high += h->sum.ns.low < ns;
}

/* For a sample that is no duration, in the metric's unit. A histogram takes one kind of sample
 * only. */
void hist_record_double(struct hist *, const struct hist_layout *, double v);

uint64_t hist_count(const struct hist *, const struct hist_layout *);
double hist_sum(const struct hist *, const struct hist_layout *); /* of durations, in the unit */

#endif
