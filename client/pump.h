/*
 * pump.h -- one turn of the flusher: connect if it is time, then write what the rings hold.
 */
#ifndef PUMP_H
#define PUMP_H

#include <stdint.h>

struct flusher;
struct sidecar;

enum pump {
	PUMP_DONE,    /* a round is through */
	PUMP_BLOCKED, /* the socket takes no more just now */
	PUMP_DOWN,    /* there is no connection */
};

enum pump pump_events(struct sidecar *, uint64_t now);
/* The connection is gone: what was not written whole goes to the next one. */
void pump_hang_up(struct sidecar *, uint64_t now);
/* How many flushes were asked for so far. */
uint64_t pump_wanted(struct flusher *);

#endif
