/*
 * resource.h -- the OTLP Resource of a running process: its HELLO's attributes over our own. Pure.
 *
 * Equal ones are shared, counted by references, and forgotten when unused.
 */
#ifndef RESOURCE_H
#define RESOURCE_H

#include "limits.h"
#include "pool.h"
#include "service.h"

#include <stddef.h>
#include <stdint.h>

struct resource {
	uint32_t number; /* 1 .. LIMIT_RESOURCES: an index for those who keep something beside it */
	uint32_t refs;
	uint32_t next; /* in its hash bucket */
	uint32_t len;
	struct service *service;
	uint64_t hash;
	uint8_t
	    bytes[]; /* KeyValues, each with the tag and length of Resource.attributes (field 1) */
};

/* The most bytes that one may have. */
enum { RESOURCE_MOST = LIMIT_RESOURCE_BYTES - sizeof(struct resource) };

enum { RESOURCE_BUCKETS = 4096 };

struct resources {
	struct pool pool;
	uint64_t seed;
	uint32_t buckets[RESOURCE_BUCKETS];
};

size_t resources_bytes(void); /* to reserve; zeroed, touched only when used */
void resources_init(struct resources *, void *mem, uint64_t hash_seed);

/* The resource with these bytes, and a reference to it. NULL: LIMIT_RESOURCES in use, or len above
 * RESOURCE_MOST. */
struct resource *resource_get(struct resources *, struct service *, const void *bytes, size_t len);
void resource_hold(struct resource *);
void resource_drop(struct resources *, struct resource *); /* NULL is a no-op */

#endif
