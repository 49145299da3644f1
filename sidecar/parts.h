/*
 * parts.h -- what the sessions work with: given once by main, and the time given with every call.
 */
#ifndef PARTS_H
#define PARTS_H

#include "base/clock.h"
#include "finish.h"
#include "meter.h"
#include "resource.h"
#include "service.h"

struct core_parts {
	struct services *services;
	struct resources *resources;
	struct meter *meter;
	struct finish *finish;
	struct text
	    attributes; /* our own resource attributes, encoded as in struct resource; borrowed */
	uint64_t span_timeout; /* ns, more than 0 */
	uint64_t hash_seed;
	uint32_t open_spans; /* at most LIMIT_OPEN_SPANS */
};

struct now {
	struct wall wall;
	struct mono mono;
};

#endif
