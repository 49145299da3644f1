/*
 * emit.h -- the frame of every event: find the ring, make room, publish or count the drop.
 *
 *	emit_begin(&e, sc, ring, bound);
 *	p = e.event; ... encode ...
 *	emit_end(&e, event's end, record's end, connection, ends);
 */
#ifndef EMIT_H
#define EMIT_H

#include <string.h>

#include "encode.h"
#include "handle.h"
#include "local.h"

struct emit {
	struct sidecar *sidecar;
	struct ring *ring;
	uint8_t *begun; /* its header */
	uint8_t *event;
	bool locked; /* it is the common ring */
};

/* Room for an event whose parts of unbounded size look at an end: its attributes. */
enum { EMIT_ANY = RING_RECORD };

/* An event that reached no ring. Slow, as it is rare. */
void emit_dropped(struct sidecar *, enum drop);
/* It found no room, or was too large. Slow likewise. */
void emit_failed(struct sidecar *, struct ring *, bool large);

static inline __attribute__((always_inline)) void
emit_begin(struct emit *e, struct sidecar *sc, struct ring *own, size_t bound)
{
	e->sidecar = sc;
	e->ring = own;
	e->locked = own == NULL;
	if (e->locked) {
		pthread_mutex_lock(&sc->common_lock);
		e->ring = sc->common;
	}
	e->begun = ring_begin(e->ring, bound);
	e->event = e->begun + RECORD_HEADER;
}

/* Where the event must have ended. */
static inline const uint8_t *
emit_limit(const struct emit *e)
{
	return e->event + WIRE_EVENT_MAX;
}

/* end NULL: the event was too large. extra_end: end, or of what stands behind the event. Return
 * whether it was taken. */
static inline __attribute__((always_inline)) bool
emit_end(
    struct emit *e, const uint8_t *end, const uint8_t *extra_end, uint32_t connection, bool ends)
{
	struct ring *r = e->ring;
	bool taken = false;

	ring_count(&r->emitted);
	if (__builtin_expect(end != NULL, 1)) {
		record_put(
		    e->begun, (size_t)(end - e->event), (size_t)(extra_end - end), connection);
		taken = ring_commit(r, e->begun, (size_t)(extra_end - e->begun), ends);
	}
	if (__builtin_expect(!taken, 0))
		emit_failed(e->sidecar, r, end == NULL);
	else if (__builtin_expect(
		     atomic_load_explicit(&r->head, memory_order_relaxed) >= r->wake_at ||
			 atomic_load_explicit(&e->sidecar->asleep, memory_order_relaxed),
		     0))
		flusher_nudge(e->sidecar, r);
	if (e->locked)
		pthread_mutex_unlock(&e->sidecar->common_lock);
	return taken;
}

#endif
