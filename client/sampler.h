/*
 * sampler.h -- whether a new span is exported (all are measured), as OTEL_TRACES_SAMPLER says.
 */
#ifndef SAMPLER_H
#define SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sampler {
	bool parent_based;  /* a parent's decision is taken over */
	uint64_t threshold; /* of the trace id's last 56 bits: sampled from it on; 2^56: never */
};

/* name is one of always_on, always_off, traceidratio and those with "parentbased_" before, in any
 * case; argument is the ratio, NULL or empty: 1. NULL or empty name: parentbased_always_on.
 * Returns how many of the two could not be used; in their place stands the default. */
unsigned sampler_init(struct sampler *, const char *name, const char *argument);
/* The same from one text: "name" or "name=argument". */
unsigned sampler_init_text(struct sampler *, const char *text);

/* id_end: the trace id's last 8 bytes, as a big-endian number. */
static inline bool
sampler_takes(const struct sampler *s, uint64_t id_end)
{
	return (id_end & ((UINT64_C(1) << 56) - 1)) >= s->threshold;
}

#endif
