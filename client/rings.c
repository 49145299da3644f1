#include "rings.h"

#include "handle.h"

static void
unmap_inherited(struct sidecar *sc)
{
	while (sc->inherited != NULL) {
		struct ring *r = sc->inherited;

		sc->inherited = atomic_load_explicit(&r->next, memory_order_relaxed);
		ring_free(r);
	}
}

static struct ring *
find(struct sidecar *sc, uint32_t thread)
{
	struct ring *r = atomic_load_explicit(&sc->rings, memory_order_relaxed);

	while (r != NULL && r->thread != thread)
		r = atomic_load_explicit(&r->next, memory_order_relaxed);
	return r;
}

struct ring *
rings_attach(struct sidecar *sc, uint32_t thread)
{
	struct ring *r;

	pthread_mutex_lock(&sc->rings_lock);
	unmap_inherited(sc);
	r = find(sc, thread);
	if (r == NULL)
		r = find(sc, 0);
	if (r == NULL && sc->ring_count < RINGS_MAX && (r = ring_new(sc->ring_bytes)) != NULL) {
		atomic_store_explicit(&r->next,
		    atomic_load_explicit(&sc->rings, memory_order_relaxed), memory_order_relaxed);
		atomic_store_explicit(&sc->rings, r, memory_order_release);
		sc->ring_count++;
	}
	if (r != NULL)
		r->thread = thread;
	pthread_mutex_unlock(&sc->rings_lock);
	return r;
}

void
rings_orphan(uint32_t thread)
{
	pthread_mutex_lock(&handle_lock);
	for (struct sidecar *sc = handle_list; sc != NULL; sc = sc->next) {
		struct ring *r;

		pthread_mutex_lock(&sc->rings_lock);
		r = find(sc, thread);
		if (r != NULL)
			atomic_store_explicit(&r->orphan, true, memory_order_release);
		pthread_mutex_unlock(&sc->rings_lock);
	}
	pthread_mutex_unlock(&handle_lock);
}

/* Its counts go to the handle's, so that they outlive it. */
static void
fold_counts(struct sidecar *sc, struct ring *r)
{
	atomic_fetch_add(&sc->emitted, atomic_exchange(&r->emitted, 0));
	for (int i = 0; i < DROP_CAUSES; i++)
		atomic_fetch_add(&sc->dropped[i], atomic_exchange(&r->dropped[i], 0));
}

static void
discard(struct sidecar *sc, struct ring *r)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire), n = 0;
	uint64_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);

	for (; at != head; n++) {
		struct record_header header = record_header(r->data + (at & r->mask));

		at = ring_after(r, at, (size_t)RECORD_HEADER + header.wire + header.extra);
	}
	r->taken = r->limit = at;
	atomic_store_explicit(&r->tail, at, memory_order_release);
	atomic_fetch_add(&sc->dropped[DROP_DISCONNECTED], n);
}

static bool
empty(const struct ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_acquire) ==
	       atomic_load_explicit(&r->tail, memory_order_relaxed);
}

void
rings_reap(struct sidecar *sc, bool away)
{
	struct ring *_Atomic *link = &sc->rings;
	struct ring *r;
	unsigned left = 0, idle = 0;

	pthread_mutex_lock(&sc->rings_lock);
	while ((r = atomic_load_explicit(link, memory_order_relaxed)) != NULL) {
		if (atomic_load_explicit(&r->orphan, memory_order_acquire)) {
			if (away && !empty(r) && ++left > RINGS_LEFT)
				discard(sc, r);
			if (empty(r)) {
				fold_counts(sc, r);
				ring_reset(r);
				atomic_store_explicit(&r->orphan, false, memory_order_relaxed);
				r->thread = 0;
			}
		}
		if (r->thread == 0 && ++idle > RINGS_FREE) {
			atomic_store_explicit(link,
			    atomic_load_explicit(&r->next, memory_order_relaxed),
			    memory_order_relaxed);
			sc->ring_count--;
			ring_free(r);
			continue;
		}
		link = &r->next;
	}
	pthread_mutex_unlock(&sc->rings_lock);
}

void
rings_free(struct sidecar *sc)
{
	struct ring *r;

	unmap_inherited(sc);
	while ((r = atomic_load_explicit(&sc->rings, memory_order_relaxed)) != NULL) {
		atomic_store_explicit(&sc->rings,
		    atomic_load_explicit(&r->next, memory_order_relaxed), memory_order_relaxed);
		ring_free(r);
	}
	ring_free(sc->common);
}
