/*
 * ring.h -- one thread's events on their way to the flusher: one writer, one reader, no lock.
 *
 *	 record            record
 *	+--------+--------+--------+----------+--------+-- ...
 *	| header | START  | header | END      | whole  |
 *	+--------+--------+--------+----------+--------+-- ...
 *	^ tail                                          ^ head
 *
 * Positions only grow; place = position & mask. A record is never split: the one that reaches the
 * end runs on into RING_RECORD bytes behind it, and the next starts at place 0. So an event is
 * encoded in place with no test for the end, in one plain private mapping: a forked child cannot
 * write into its parent's.
 */
#ifndef RING_H
#define RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/wire.h"
#include "record.h"
#include "whole.h"

/* Why an event was not taken. STATS tells the sidecar, by these names. */
enum drop { DROP_FULL, DROP_LARGE, DROP_DISCONNECTED, DROP_INVALID, DROP_CAUSES };

enum {
	RING_RECORD = RECORD_HEADER + WIRE_EVENT_MAX + WHOLE_MAX, /* the largest */
	RING_DEFAULT = 65536,
	RING_MAX = 16 << 20,
	RING_AHEAD = 256, /* bytes: two or three records */
};

struct ring {
	/* the writer's */
	_Alignas(64) _Atomic uint64_t head;
	uint64_t room;    /* tail + size, when last looked at */
	uint64_t wake_at; /* the head at which to see whether the flusher should wake */
	uint64_t mask;
	uint64_t spare;   /* the last eighth is for ENDs, so that what was begun can be ended */
	uint8_t *end;     /* of the places; behind it a record runs on */
	uint8_t *scratch; /* further behind */
	_Atomic uint64_t emitted; /* taken or dropped */
	_Atomic uint64_t dropped[DROP_CAUSES];
	/* the reader's */
	_Alignas(64) _Atomic uint64_t tail;
	uint64_t taken; /* copied to the batch up to here, not yet written */
	uint64_t limit; /* to be taken in this round */
	/* under the handle's lock of rings */
	struct ring *_Atomic next;
	uint32_t thread;     /* its number; 0: shared, or free for the next thread */
	_Atomic bool orphan; /* its thread has ended */
	size_t mapped;
	_Alignas(64) uint8_t data[];
};

/* bytes: a power of two. NULL with errno: no memory. */
struct ring *ring_new(size_t bytes);
void ring_free(struct ring *);
/* Empty, all counts zero, as new. */
void ring_reset(struct ring *);

uint8_t *ring_begin_tight(struct ring *, size_t bound);
bool ring_commit_tight(struct ring *, const uint8_t *begun, size_t size, bool ends);

static inline void
ring_count(_Atomic uint64_t *counter)
{
	/* One writer: no locked instruction; a reader may see between load and store. */
	atomic_store_explicit(
	    counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* Unread bytes that are worth a look. */
static inline uint64_t
ring_enough(const struct ring *r)
{
	return (r->mask + 1) / 8;
}

/* The position after a record of that size at that position. */
static inline uint64_t
ring_after(const struct ring *r, uint64_t at, size_t size)
{
	return (at & r->mask) + size > r->mask ? (at | r->mask) + 1 : at + size;
}

/* Where to encode an event of at most bound bytes with its header and extra: at the head if that
 * much is free, else in the ring's scratch, from where it is copied if it turns out to fit. */
static inline uint8_t *
ring_begin(struct ring *r, size_t bound)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (__builtin_expect(head + bound + r->spare > r->room, 0))
		return ring_begin_tight(r, bound);
	return r->data + (head & r->mask);
}

/* Publish the record written from there. false: no room. ends: it may use the last eighth. */
static inline bool
ring_commit(struct ring *r, const uint8_t *begun, size_t size, bool ends)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	/* It reached the end, or is in the scratch. */
	if (__builtin_expect(begun + size > r->end, 0))
		return ring_commit_tight(r, begun, size, ends);
	atomic_store_explicit(&r->head, head + size, memory_order_release);
	/* The flusher's core has the places that come next. To ask for them now saves 4 to 12 ns a
	 * span (bench_client, paced), and costs 1 where nobody reads (hot). */
	__builtin_prefetch(begun + size + RING_AHEAD, 1);
	__builtin_prefetch(begun + size + RING_AHEAD + 64, 1);
	return true;
}

#endif
