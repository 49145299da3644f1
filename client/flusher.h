/*
 * flusher.h -- the thread that moves events from the rings to the sidecar, and keeps the
 * connection and the clock.
 *
 * It wakes every flush_ms, sooner as the rings fill faster, so that a writer seldom has to wake it,
 * and once a second when there is nothing to do; the first event then wakes it. Writing never
 * waits for longer than a flush.
 */
#ifndef FLUSHER_H
#define FLUSHER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "batch.h"
#include "link.h"

struct flusher {
	int wake;           /* eventfd */
	_Atomic bool woken; /* one write to wake is enough */
	_Atomic bool paced; /* it looks sooner than flush_ms, as the rings fill */
	_Atomic bool running;
	uint32_t flush_ms;
	pthread_mutex_t lock; /* of the next six, and of making and closing the socket */
	pthread_cond_t done;
	pthread_t thread;
	uint64_t wanted, finished; /* flushes asked for; those that are done */
	uint64_t stop_at;          /* CLOCK_MONOTONIC, ns; UINT64_MAX: it is not to stop */
	uint64_t start_at;         /* not before: starting failed a moment ago */

	/* the thread's own */
	struct link link;
	struct batch batch;
	uint64_t round;           /* what was wanted as the round under way began */
	uint64_t looked_at, pace; /* ns until the next look, as fast as the rings fill */
	uint64_t stats_at, calibrate_at;
	uint32_t idle; /* rounds in a row that found nothing */
	uint32_t fits; /* of the clock */
};

/* Memory, locks; no thread yet. 0, or -1 with errno. */
int flusher_init(struct flusher *, uint32_t flush_ms);
void flusher_free(struct flusher *);
/* Start the thread unless it runs: 0, or -1 with errno, and for a second no further attempt. */
int flusher_start(struct sidecar *);
/* Flush, say BYE, end the thread, within timeout_ms. */
void flusher_stop(struct sidecar *, uint32_t timeout_ms);
/* 0 when all that is in the rings now is written before timeout_ms went by, else -1. */
int flusher_flush(struct sidecar *, uint32_t timeout_ms);
/* After a fork, in the child: as if never started. Async-signal-safe. */
void flusher_forget(struct sidecar *);
/* A writer saw its ring at wake_at, or the flusher asleep. */
void flusher_nudge(struct sidecar *, struct ring *);

#endif
