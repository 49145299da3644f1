/*
 * rig.h -- sessions with everything behind them but the export: spans that would go out are kept for the test to read.
 *
 * Real are the meter, the resources and finish; otlp_trace_append() is rig.c's.
 */
#ifndef RIG_H
#define RIG_H

#include "sidecar/session.h"

#include "otlp.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIG_WALL UINT64_C(1800000000000000000)

struct rig {
	struct core_parts parts;
	struct core *core;
	struct services services;
	struct resources resources;
	struct finish finish;
	struct now now;
	void *memory; /* one mapping, of which all of the above is made */
	size_t size;
};

/* A span as it would have been exported; flags are those of the wire. */
struct rig_span {
	Otlp__Span *span;
	uint32_t name_len; /* protobuf-c's strings end at the first NUL, a span's name need not */
	struct service *service;
	struct resource *resource;
};

extern struct rig_span *rig_spans; /* in order */
extern unsigned rig_nspans;
void rig_forget(void); /* drop them */

/* parts: attributes, span_timeout and open_spans count, when not 0. stats begin at 0. */
void rig_open(struct rig *, const struct core_parts *);
void rig_close(struct rig *);

/* Feed in pieces of step bytes (0: all at once) until the session does not want more. */
enum session_state rig_feed(struct rig *, struct session *, const void *, size_t n, size_t step);
/* What ingest does when the stream has ended: close with what the state asks for, and count how. */
void rig_end(struct rig *, struct session *);
/* Close with this cause, however many calls it takes. */
void rig_finish(struct rig *, struct session *, enum span_end);

/* A session that has said HELLO for service "svc"; resume: with that capability. */
struct session *rig_hello(struct rig *, bool resume);

/* An attribute's value as text: "str:x", "int:-5", "bool:1", "double:0.5", "array:[...]"; NULL: not there. One
 * static buffer. */
const char *rig_attr(Otlp__KeyValue **, size_t n, const char *key);

#endif
