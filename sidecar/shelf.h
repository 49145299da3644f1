/*
 * shelf.h -- byte strings of many sizes in memory set aside at start: label sets and names. Pure.
 *
 * Sizes are rounded up to SHELF_UNIT; what is given back waits in the list of its size. Pieces are
 * never split or joined, so a wild mix of sizes can waste room, but every operation takes constant
 * time and an idle shelf touches no memory.
 */
#ifndef SHELF_H
#define SHELF_H

#include <stddef.h>
#include <stdint.h>

enum { SHELF_UNIT = 32, SHELF_MAX = 16384, SHELF_SIZES = SHELF_MAX / SHELF_UNIT };

struct shelf {
	uint8_t *base;                   /* borrowed */
	uint32_t units;                  /* how many there are, unit 0 included */
	uint32_t fresh;                  /* lowest never given; unit 0 stays unused: 0 is "none" */
	uint32_t given[SHELF_SIZES + 1]; /* heads of the free lists, by size in units */
};

/* mem: borrowed, aligned for uint32_t; bytes: its size. */
void shelf_init(struct shelf *, void *mem, size_t bytes);

/* Room for n bytes, undefined; 0 when there is none, or n is above SHELF_MAX. Nothing at all takes
 * one unit. */
uint32_t shelf_take(struct shelf *, size_t n);
/* n: as it was taken. */
void shelf_give(struct shelf *, uint32_t place, size_t n);

static inline void *
shelf_at(const struct shelf *s, uint32_t place)
{
	return s->base + (size_t)place * SHELF_UNIT;
}

#endif
