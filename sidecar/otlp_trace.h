/*
 * otlp_trace.h -- finished spans, appended as OTLP bytes; sealed into ExportTraceServiceRequests.
 *
 * Each resource has one growing area of chunks:
 *
 *	area -> [ span | span | span ] -> [ span | span ] -> ...
 *
 * A span starts a new chunk rather than straddle two; one larger than a chunk continues in the
 * next, which is marked. Sealing copies whole chunks into a request and writes the envelope's
 * lengths, which are known only then. Every span's bytes are those that protobuf-c would write.
 * Pure.
 */
#ifndef OTLP_TRACE_H
#define OTLP_TRACE_H

#include "base/buf.h"
#include "limits.h"
#include "pool.h"
#include "resource.h"
#include "span.h"

#include <stdbool.h>

/* Chunks of unsealed spans: 64 MiB of addresses, of which the loop, sealing after every read,
 * touches few. */
enum { OTLP_TRACE_CHUNKS = 4096 };

struct otlp_trace;

/* Whose spans a sealed request holds: the ledger counts them when it is answered or dropped. */
struct otlp_share {
	struct service *service;
	uint64_t spans;
};

size_t otlp_trace_bytes(void); /* to reserve; zeroed, touched only when used */
struct otlp_trace *otlp_trace_init(void *mem, struct resources *);

/* False: out of chunks; nothing was appended. Holds the resource until its spans are sealed. */
bool otlp_trace_append(struct otlp_trace *, struct resource *, const struct span *);

/* Bytes of spans that wait to be sealed. */
size_t otlp_trace_waiting(const struct otlp_trace *);

/* One request into *out, of as many spans as fit `most` bytes, but at least one chunk's or one
 * span's: room for OTLP_TRACE_REQUEST_MAX is always enough. Returns the number of shares written,
 * at most max; 0: nothing waits. */
enum { OTLP_TRACE_REQUEST_MAX = LIMIT_BATCH_BYTES + LIMIT_RESOURCE_BYTES + (6 << 20) + 4096 };
unsigned otlp_trace_seal(
    struct otlp_trace *, struct buf *out, size_t most, struct otlp_share *shares, unsigned max);

#endif
