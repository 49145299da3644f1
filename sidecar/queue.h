/*
 * queue.h -- encoded requests on their way to the Collector, bounded in bytes; the oldest gives
 * way.
 *
 * A batch leaves when the Collector has taken it, when it was rejected, or when it is the oldest
 * that is not in flight and room is needed. What its leaving means for the ledger is the caller's.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "otlp_trace.h"
#include "target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room before the body for gRPC's frame, so that sending copies nothing. */
enum { BATCH_HEADROOM = 5 };

struct batch {
	struct batch *next;
	enum target_signal signal;
	bool gzip;
	bool in_flight;
	unsigned stream_errors; /* how often HTTP/2 reset it */
	uint64_t items;         /* spans or data points */
	unsigned n;             /* of shares */
	struct otlp_share *shares;
	size_t len;
	uint8_t bytes[]; /* BATCH_HEADROOM, then len of body */
};

struct queue {
	struct batch *first, *last;
	size_t bytes, limit; /* of bodies; those in flight count too */
	size_t most;         /* bytes there were, since queue_settle() found it empty */
	unsigned batches;
};

/* A batch with a copy of the body and of the shares; NULL: out of memory. Free with batch_free().
 */
struct batch *batch_new(enum target_signal, bool gzip, const void *body, size_t len,
    const struct otlp_share *shares, unsigned n, uint64_t items);
void batch_free(struct batch *);

/* Unlink and return the oldest batch that must go before `len` more bytes fit, or NULL when they
 * fit or nothing can go. */
struct batch *queue_evict(struct queue *, size_t len);
/* True: taken at the end. False: larger than what is free, even now. */
bool queue_push(struct queue *, struct batch *);
/* The oldest of the signal that is not in flight; NULL when none. */
struct batch *queue_next(const struct queue *, enum target_signal);
/* Unlink it; it is the caller's again. */
void queue_remove(struct queue *, struct batch *);
/* When it is empty, give what a long one took back to the system. */
void queue_settle(struct queue *);

#endif
