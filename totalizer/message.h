/*
 * message.h -- the JSON of one message: {"sum": int64, "produced_at": RFC 3339, "trace_id": 32 hex,
 * "span_id": 16 hex}.
 *
 * Only "sum" is required, and decides whether a message is valid. The others serve telemetry:
 * absent or malformed, they count as not known. Further members are ignored.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "base/clock.h"
#include "client/sidecar.h"

#include <stddef.h>
#include <stdint.h>

enum { MESSAGE_BYTES = 65536 }; /* longer is not ours; bounds what parsing can allocate */

enum message_fault {
	MESSAGE_OK,
	MESSAGE_EMPTY,    /* no value at all: a tombstone */
	MESSAGE_TOO_LONG, /* more than MESSAGE_BYTES */
	MESSAGE_NOT_JSON, /* or a key twice: which one would count? */
	MESSAGE_NOT_OBJECT,
	MESSAGE_NO_SUM,
	MESSAGE_SUM_TYPE,  /* a string, a fraction, null */
	MESSAGE_SUM_RANGE, /* some integer is outside int64 */
	MESSAGE_NO_MEMORY  /* says nothing of the message: to be tried again */
};

struct message {
	int64_t sum;
	struct wall produced;            /* 0: not known */
	struct sidecar_context producer; /* all zero: not known; else sampled and remote */
};

/* On a fault *out is all zero. payload may be NULL when len is 0; it need not end in NUL. */
enum message_fault message_parse(struct message *out, const void *payload, size_t len);

/* For people. Borrowed for ever. */
const char *message_fault_text(enum message_fault);

#endif
