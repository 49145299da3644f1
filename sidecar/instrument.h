/*
 * instrument.h -- what MEASURE names: each instrument of each service, and who may have which name.
 * Pure.
 *
 * The first kind and unit of a name in a service win. On /metrics the names of all services meet,
 * and one name has one type:
 *
 *	taken by the same service or the daemon		conflict: refused
 *	taken by another service, same name and type	shares that block of /metrics
 *	taken by another service, otherwise		hidden: goes out by OTLP only
 *
 * A histogram takes four names: its own, and with _bucket, _sum and _count.
 */
#ifndef INSTRUMENT_H
#define INSTRUMENT_H

#include "limits.h"
#include "metric.h"
#include "pool.h"
#include "protocol/wire.h"
#include "series.h"

#include <stdbool.h>

enum { INSTRUMENT_NAMES = 4 };

struct instrument {
	struct family family;
	struct metric metric; /* its texts are on the shelf */
	struct text shown;    /* the name on /metrics */
	uint64_t hash;
	uint32_t number, chain;
	uint32_t service;
	uint32_t next;   /* of the service, in order of appearance */
	uint32_t leader; /* of its block on /metrics: the first, which may be itself */
	uint32_t peer;   /* the next of that block */
	uint32_t last;   /* of a leader: the last of the block */
	bool hidden;
	uint32_t taken_chain[INSTRUMENT_NAMES]; /* for each of its names */
};

enum { INSTRUMENT_MAX = LIMIT_SERIES, INSTRUMENT_BUCKETS = 1 << 15 };

struct instruments {
	struct series_store *series;
	uint64_t seed;
	struct pool pool;
	struct {
		uint32_t first, last, n;
	} of[LIMIT_SERVICES];
	uint32_t buckets[INSTRUMENT_BUCKETS];
	uint32_t
	    taken[INSTRUMENT_BUCKETS]; /* names: instrument number * INSTRUMENT_NAMES + which */
};

size_t instruments_bytes(void); /* beside struct instruments; zeroed, touched only when used */
void instruments_init(struct instruments *, void *mem, struct series_store *, uint64_t hash_seed);

enum instrument_outcome { INSTRUMENT_OK, INSTRUMENT_CONFLICT, INSTRUMENT_FULL };

/* Find or add. name: not reserved. */
enum instrument_outcome instrument_get(struct instruments *, const struct service *,
    enum wire_instrument, struct text name, struct text unit, struct instrument **);

static inline struct instrument *
instrument_at(const struct instruments *i, uint32_t number)
{
	return number == 0 ? NULL : pool_at(&i->pool, number);
}

#endif
