/*
 * pool.h -- equal-sized objects out of memory that main reserved; numbered, so that links are 4
 * bytes.
 *
 * Number 0 is "none". Memory is touched only when an object is first used, and reused last in,
 * first out, so that a quiet daemon's pages stay few. Pure.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	uint8_t *base;  /* borrowed; object n is at base + n * size */
	uint32_t size;  /* bytes of an object, at least 4 */
	uint32_t count; /* objects, number 0 included */
	uint32_t fresh; /* lowest number never given */
	uint32_t free;  /* head of the free list, through each free object's first 4 bytes */
	uint32_t used;
};

/* mem: borrowed, zeroed, at least POOL_BYTES(size, max) bytes, aligned for the objects. */
#define POOL_BYTES(size, max) ((size_t)(size) * ((size_t)(max) + 1))
void pool_init(struct pool *, void *mem, uint32_t size, uint32_t max);

/* A number whose object's bytes are undefined, or 0 when all are in use. */
uint32_t pool_take(struct pool *);
void pool_give(struct pool *, uint32_t number);

static inline void *
pool_at(const struct pool *p, uint32_t number)
{
	return p->base + (size_t)number * p->size;
}

#endif
