/*
 * decode.h -- bytes of a stream -> the view of one event.
 *
 * Two readers that agree on every input: a short one for the layouts that libraries write most, and
 * one for anything else that can stop at any byte (scan.h, then shape.h). Only the structure of an
 * event is judged before it is complete, so how the bytes were cut never matters. Pure; no length
 * from the wire sizes anything.
 */
#ifndef DECODE_H
#define DECODE_H

#include "event.h"
#include "scan.h"

#include <stddef.h>
#include <stdint.h>

enum decode_outcome {
	DECODE_OK,        /* decoder.used bytes are this event */
	DECODE_MORE,      /* not complete: call again with more */
	DECODE_SHAPE,     /* complete, but malformed: what shape.h says is known of it */
	DECODE_MALFORMED, /* not an event at all */
	DECODE_TOO_DEEP,
	DECODE_OVERSIZED
};

/* All zero: at the beginning of an event. */
struct decoder {
	uint32_t used;    /* after DECODE_OK and DECODE_SHAPE: bytes of the event */
	struct scan scan; /* where an event that is not complete was left */
};

/* Read the event that begins at bytes, n >= 1 of them. After DECODE_MORE call again with the same
 * bytes, which may have moved, and more behind them; what was looked at is not looked at again. The
 * next event may follow after OK only. */
enum decode_outcome decode(struct decoder *, const uint8_t *bytes, size_t n, struct event *);

/* The two readers by themselves, for tests. decode_fast: bytes used; 0: it is for the other to say.
 */
uint32_t decode_fast(const uint8_t *bytes, size_t n, struct event *);
enum decode_outcome decode_slow(struct decoder *, const uint8_t *bytes, size_t n, struct event *);

#endif
