/*
 * total.h -- a sum of doubles that stays good over years: what each addition rounds off is kept
 * beside it.
 *
 * Neumaier's variant of Kahan's summation. Added up plainly, ones would be lost on a sum of 2^53,
 * and a million times 0.1 would drift off 100,000. And counts of what peers say, which may be any.
 * Pure.
 */
#ifndef TOTAL_H
#define TOTAL_H

#include <math.h>
#include <stdint.h>

struct total {
	double sum;
	double rest; /* what sum has lost to rounding so far */
};

static inline void
total_add(struct total *t, double v)
{
	double sum = t->sum + v;

	t->rest += fabs(t->sum) >= fabs(v) ? (t->sum - sum) + v : (v - sum) + t->sum;
	t->sum = sum;
}

/* Past the largest double it is an infinity, and stays one. */
static inline double
total_value(const struct total *t)
{
	double v = t->sum + t->rest;

	return isfinite(v) ? v : t->sum;
}

/* It stays at INT64_MAX, the largest that OTLP carries. */
static inline void
total_count(uint64_t *count, uint64_t more)
{
	*count = more < INT64_MAX - *count ? *count + more : INT64_MAX;
}

#endif
