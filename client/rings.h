/*
 * rings.h -- the rings of a handle, one a thread, and their way back when the thread has ended.
 */
#ifndef RINGS_H
#define RINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

struct sidecar;

enum {
	RINGS_MAX = 1024, /* of a handle; threads beyond share the common ring */
	RINGS_FREE = 8,   /* kept for threads to come */
	RINGS_LEFT = 64,  /* that ended threads may leave full while the sidecar is away */
};

/* The ring of that thread: the one it has, a free one, or a new one. NULL: none is to be had. */
struct ring *rings_attach(struct sidecar *, uint32_t thread);
/* That thread has ended, in every handle. */
void rings_orphan(uint32_t thread);
/* Take back what ended threads left, once it is empty; away: the sidecar is, and what exceeds
 * RINGS_LEFT is dropped and counted. The flusher's. */
void rings_reap(struct sidecar *, bool away);
/* All of them, with no thread left that uses them. */
void rings_free(struct sidecar *);

#endif
