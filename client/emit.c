#include "emit.h"

void
emit_dropped(struct sidecar *sc, enum drop cause)
{
	atomic_fetch_add_explicit(&sc->emitted, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&sc->dropped[cause], 1, memory_order_relaxed);
}

void
emit_failed(struct sidecar *sc, struct ring *r, bool large)
{
	enum drop cause = DROP_LARGE;

	if (!large) {
		bool connected = atomic_load_explicit(&sc->connected, memory_order_relaxed);

		cause = connected ? DROP_FULL : DROP_DISCONNECTED;
		if (!connected)
			flusher_start(sc); /* it may have failed in a forked child */
	}
	ring_count(&r->dropped[cause]);
}
