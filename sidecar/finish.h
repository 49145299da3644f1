/*
 * finish.h -- the one place where a span has ended, however it ended: metrics, sampling, append,
 * count. Pure.
 */
#ifndef FINISH_H
#define FINISH_H

#include "meter.h"
#include "otlp_trace.h"
#include "span.h"

/* Attributes of one span at their limits, and error.type. */
enum { FINISH_SCRATCH_BYTES = 1 << 20 };

struct finish {
	struct meter *meter;
	struct otlp_trace *traces; /* NULL: no endpoint, nothing is encoded */
	uint8_t *scratch;          /* FINISH_SCRATCH_BYTES, borrowed */
};

/* Counts finished or abandoned, then unsampled, pending or dropped in the service's ledger (started
 * and open are the session's). An abandoned span gets status ERROR, the cause's message and
 * error.type = the cause. resumed: the client has promised to write this abandoned span again; it
 * is counted and goes nowhere. resource NULL: dropped as batch_full. */
void finish_span(struct finish *, struct service *, struct resource *, const struct span *,
    enum span_end, bool resumed);

#endif
