#include "hist.h"

#include <stddef.h>

static const struct {
	double unit_ns;
	uint32_t n;
	double bounds[HIST_BOUNDS];
} kinds[HIST_KINDS] = {
	[HIST_LATENCY] = { 1e6, 12, { 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000 } },
	[HIST_SECONDS] = { 1e9, 14,
	    { 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10 } },
	/* Samples of any unit: never nanoseconds, so the factor only has to be one. */
	[HIST_DEFAULT] = { 1, 15,
	    { 0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000 } },
};

/* The lowest value of a cell; see hist.h. Cells 0 to 7 would need a highest bit below 2^2: no value
 * has them. */
static uint64_t
cell_floor(unsigned cell)
{
	return cell < 8 ? 0 : (UINT64_C(4) | (cell & 3)) << (cell / 4 - 2);
}

void
hist_layout_init(struct hist_layout *l, enum hist_kind kind)
{
	*l = (struct hist_layout){ .unit_ns = kinds[kind].unit_ns, .n = kinds[kind].n };
	for (uint32_t i = 0; i < l->n; i++) {
		l->bounds[i] = kinds[kind].bounds[i];
		/* Rounded: 0.005 s times 1e9 may lie a hair beside 5,000,000. */
		l->ns[i] = (uint64_t)(l->bounds[i] * l->unit_ns + 0.5);
	}
	for (uint32_t i = l->n; i <= HIST_BOUNDS; i++)
		l->ns[i] = UINT64_MAX;
	for (unsigned cell = 0; cell < sizeof(l->first); cell++) {
		uint64_t floor = cell_floor(cell);
		uint8_t below = 0;

		while (below < l->n && l->ns[below] < floor)
			below++;
		l->first[cell] = below;
	}
}

uint32_t
hist_lines(enum hist_kind kind)
{
	return kinds[kind].n + 3;
}

void
hist_record_double(struct hist *h, const struct hist_layout *l, double v)
{
	unsigned slot = 0;

	/* A scan: finding the sample's labels has cost ten times as much. */
	for (uint32_t i = 0; i < l->n; i++)
		slot += v > l->bounds[i];
	h->counts[slot]++;
	total_add(&h->sum.samples, v);
}

uint64_t
hist_count(const struct hist *h, const struct hist_layout *l)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i <= l->n; i++)
		count += h->counts[i];
	return count;
}

double
hist_sum(const struct hist *h, const struct hist_layout *l)
{
	return ((double)h->sum.ns.high * 0x1p64 + (double)h->sum.ns.low) / l->unit_ns;
}
