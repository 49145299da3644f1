/*
 * session.h -- one peer: its identity, its strings, its open spans, what to do at its end. Pure.
 *
 * Bytes go in as they were read, cut anywhere; what they mean is done at once: spans to finish,
 * samples to meter. After a fault or BYE the rest of the stream counts for nothing.
 *
 * It counts events, what is wrong with them, and connections that break the protocol; all else
 * about connections is its caller's to count.
 */
#ifndef SESSION_H
#define SESSION_H

#include "parts.h"
#include "span.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct core; /* every session, and what they share */

size_t core_bytes(void); /* to reserve; zeroed, touched only when used */
struct core *core_init(void *mem, const struct core_parts *);

enum session_state {
	SESSION_OPEN,
	SESSION_BYE,  /* said goodbye: close it with SPAN_CLOSED */
	SESSION_FAULT /* broke the protocol: close it with SPAN_PROTOCOL; session_fault() says how */
};

/* NULL: LIMIT_SESSIONS are open. */
struct session *session_open(struct core *);
enum session_state session_feed(struct session *, const void *bytes, size_t n, struct now);
/* HELLO has not come in time: the fault hello_timeout. */
void session_late(struct session *);
bool session_greeted(const struct session *);

/* The cause as it stands in sidecar.connections.malformed.total; NULL when none. */
const char *session_fault(const struct session *);
/* For log lines: who it is, "" before HELLO. */
struct text session_name(const struct session *);
uint32_t session_open_spans(const struct session *);

/* End it: SPAN_CONNECTION_LOST (end of stream), SPAN_CLOSED, SPAN_PROTOCOL or SPAN_SHUTDOWN. Its
 * open spans are finished, at most SESSION_DRAIN a call, so that the caller can seal what they
 * fill: call until it returns false, after which the session is gone. */
enum { SESSION_DRAIN = 512 };
bool session_close(struct session *, enum span_end, struct now);

/* Finish spans open for longer than span_timeout, at most SESSION_DRAIN; true: there may be more.
 */
bool session_expire(struct core *, struct now);

#endif
