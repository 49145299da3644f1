/*
 * batch.h -- from the rings to the bytes that are written next, in the order the sidecar needs.
 *
 * A round takes what the rings held when it began: the common ring's head is read first, then each
 * thread's, then the number of strings; written are new strings, then the threads' rings, then the
 * common one. So a START precedes what other threads say of its span, and a string its use. A
 * round is written as one batch or several. A ring's bytes are given back once they are written: when
 * a connection breaks, all that was not written whole is still there and goes to the next one.
 */
#ifndef BATCH_H
#define BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring.h"

struct sidecar;

enum { BATCH_BYTES = 65536, BATCH_ROOM = BATCH_BYTES + WIRE_EVENT_MAX, BATCH_FILL = 256 };

struct batch {
	uint8_t *out; /* BATCH_ROOM bytes */
	size_t size;
	size_t sent;    /* of size: written so far */
	size_t control; /* of size: HELLO, strings, STATS; the rings' events follow */
	uint32_t control_events;
	struct batch_tally {
		uint64_t written, folded, lost;
	} tally;                     /* of the rings' events in it */
	uint64_t stream;             /* events written on this connection, of any type */
	uint64_t covered;            /* of stream: the last STATS and all before it */
	uint32_t names, names_limit; /* strings written; to be written in this round */
	uint32_t fill; /* of the fullest ring as the round began; BATCH_FILL: enough */
	bool in_round;
	bool hello_due;
	bool stats_due;
	bool useful; /* an event of a ring went out on this connection */
	/* Drops that earlier connections told of; that this one did; that the batch will have. */
	uint64_t base[DROP_CAUSES], told[DROP_CAUSES], telling[DROP_CAUSES];
};

/* 0, or -1 with errno: no memory. */
int batch_init(struct batch *);
void batch_free(struct batch *);
/* Begin anew for a connection that was just made. */
void batch_connected(struct batch *);
/* Whether any ring holds anything. */
bool batch_pending(struct sidecar *);
/* Whether there are events or drops that no STATS of this connection has told of. */
bool batch_untold(struct sidecar *);
/* Fill the batch, which must be empty, from the round that is under way or a new one; return its
 * size. 0: the round is over. */
size_t batch_fill(struct sidecar *);
/* All of it is written. */
void batch_written(struct sidecar *);
/* The connection broke after sent bytes. Return whether the sidecar may know spans by it. */
bool batch_cut(struct sidecar *);
/* STATS and BYE, the last batch. */
size_t batch_farewell(struct sidecar *);
/* Dropped so far, by cause. The flusher's, or under the lock of rings. */
void batch_drops(struct sidecar *, uint64_t drops[DROP_CAUSES]);

#endif
