#include "pump.h"

#include "handle.h"

static const uint64_t SECOND = 1000000000;

void
pump_hang_up(struct sidecar *sc, uint64_t now)
{
	struct flusher *f = &sc->flusher;

	/* Spans that the sidecar knows by this connection alone are told whole on the next one. */
	if (batch_cut(sc))
		atomic_fetch_add_explicit(&sc->connection, 1, memory_order_relaxed);
	pthread_mutex_lock(&f->lock);
	link_close(&f->link, now);
	pthread_mutex_unlock(&f->lock);
	atomic_store_explicit(&sc->connected, false, memory_order_relaxed);
}

uint64_t
pump_wanted(struct flusher *f)
{
	uint64_t n;

	pthread_mutex_lock(&f->lock);
	n = f->wanted;
	pthread_mutex_unlock(&f->lock);
	return n;
}

/* About once a second, and only when there is something to tell. */
static void
schedule_stats(struct sidecar *sc, uint64_t now)
{
	struct flusher *f = &sc->flusher;

	if (now < f->stats_at)
		return;
	f->batch.stats_due = batch_pending(sc) || batch_untold(sc);
	f->stats_at = now + SECOND;
}

/* Write until a round is through, or the socket takes no more. */
static enum pump
write_round(struct sidecar *sc, uint64_t now)
{
	struct flusher *f = &sc->flusher;
	struct batch *b = &f->batch;

	for (;;) {
		ssize_t n;

		if (b->sent == b->size) {
			if (b->size != 0)
				batch_written(sc);
			if (!b->in_round) {
				atomic_store_explicit(&f->woken, false, memory_order_seq_cst);
				f->round = pump_wanted(f);
				schedule_stats(sc, now);
			}
			if (batch_fill(sc) == 0)
				return PUMP_DONE;
			f->idle = 0;
		}
		n = link_send(&f->link, b->out + b->sent, b->size - b->sent);
		if (n < 0) {
			pump_hang_up(sc, now);
			return PUMP_DOWN;
		}
		if (n == 0)
			return PUMP_BLOCKED;
		b->sent += (size_t)n;
	}
}

enum pump
pump_events(struct sidecar *sc, uint64_t now)
{
	struct flusher *f = &sc->flusher;
	bool was_up = f->link.fd >= 0, up;

	/* A fork, which takes this lock, finds every socket in the link, for the child to close. */
	pthread_mutex_lock(&f->lock);
	up = link_connect(&f->link, sc->path, now);
	pthread_mutex_unlock(&f->lock);
	if (!up) {
		atomic_store_explicit(&f->woken, false, memory_order_relaxed);
		f->round = pump_wanted(f);
		f->idle = 0; /* the first event need not wake it: there is nowhere to go */
		return PUMP_DOWN;
	}
	if (!was_up) {
		batch_connected(&f->batch);
		f->stats_at = now + SECOND;
		atomic_fetch_add(&sc->connections, 1);
		atomic_store(&sc->connected, true);
	}
	f->idle++;
	return write_round(sc, now);
}
