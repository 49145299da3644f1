/*
 * held.h -- values that belong to connections: what each holds of a gauge or an up-down series.
 * Pure.
 *
 * A gauge shows what was written last by a connection that still lives; an up-down series shows the
 * sum over those that live.
 */
#ifndef HELD_H
#define HELD_H

#include "limits.h"
#include "owned.h"
#include "pool.h"
#include "series.h"
#include "total.h"

struct held {
	struct owned owned;
	struct held *next; /* of the same series, the last written first */
	struct series *series;
	struct total total;
	uint32_t number;
};

struct held_store {
	struct series_store *series;
	struct pool pool;
	struct owners owners;
};

size_t held_bytes(void); /* beside struct held_store; zeroed, touched only when used */
void held_init(struct held_store *, void *mem, struct series_store *);

/* What the owner holds of this series, now the first in its list; zero when new. NULL: LIMIT_HELD
 * are held. */
struct held *held_get(struct held_store *, struct series *, uint64_t owner);

/* The owner is gone: what it held goes, and series that nobody else holds. */
void held_owner_gone(struct held_store *, uint64_t owner);

/* Drop a series that has just been made, if held_get() found no room for its first value. */
void held_drop_unused(struct held_store *, struct series *);

double held_last(const struct series *);
double held_sum(const struct series *);

#endif
