/*
 * peer.h -- the inside of a session, for those who say what its events do: greeting, timeline,
 * traffic. Pure.
 */
#ifndef PEER_H
#define PEER_H

#include "assemble.h"
#include "decode.h"
#include "parts.h"

#include <stdbool.h>

/* What becomes of an event; those from INVALID on are causes of sidecar.events.refused.total. */
enum verdict {
	ACCEPTED,
	BROKEN, /* ends the connection; peer_break() has said why */
	INVALID,
	UNKNOWN_STRING,
	DUPLICATE_START,
	UNMATCHED,
	SPAN_FULL,
	ATTRIBUTE_STORE_FULL,
	RESERVED_NAME,
	INSTRUMENT_CONFLICT,
	STRING_STORE_FULL,
	LAG_CAP,
	SERVICES_FULL,
	SERIES_FULL,
	VERDICTS
};

enum fault {
	FAULT_NONE,
	FAULT_MALFORMED,
	FAULT_OVERSIZED,
	FAULT_TOO_DEEP,
	FAULT_NO_HELLO,
	FAULT_REPEATED_HELLO,
	FAULT_VERSION,
	FAULT_STRING_REDEFINED,
	FAULT_TOO_MANY_STRINGS,
	FAULT_HELLO_TIMEOUT,
	FAULTS
};

enum { TEXTS = 3 }; /* texts that one event may have */

struct core {
	struct core_parts parts;
	struct strings strings;
	struct assemble *assemble;
	struct pool sessions;
	struct pool carries;   /* WIRE_EVENT_MAX bytes each, for events that reads have cut */
	uint32_t *definitions; /* WIRE_STRING_IDS for each session */
	uint64_t serial;       /* of the newest session */
	uint32_t sweep;        /* the session that session_expire() looks at next */

	/* Of the event at hand. */
	struct tally tally;
	struct attrs attrs;
	uint8_t *annotation; /* ANNOTATION_BYTES */
	char room[TEXTS][WIRE_TEXT_MAX];
};

/* Causes of drops on the client's side, as STATS and the ledger name them; the last is every other. */
enum { CLIENT_DROPS = 5 };

struct session {
	uint32_t
	    number; /* 1 .. LIMIT_SESSIONS; first: the pool writes here when the session is free */
	bool greeted, resume, bye;
	enum fault fault;
	struct core *core;
	uint64_t serial;
	struct service *service;   /* NULL: not greeted, or services_full */
	struct resource *resource; /* NULL also when resources are full */
	struct definitions strings;
	uint64_t received; /* events */
	uint64_t missing;  /* events that STATS said were sent and that had not arrived */
	uint64_t drops[CLIENT_DROPS]; /* that STATS has reported, by cause */
	uint32_t carry;               /* in core.carries; 0: nothing is carried */
	uint32_t carried;             /* bytes */
	struct decoder decoder;
};

enum verdict peer_break(struct session *, enum fault);
/* Each text of an event has its own room, so that several may be held. False: its id is not
 * defined. Nothing is "". */
bool peer_text(struct session *, const struct word *, unsigned room, struct text *);
/* The attributes of the event at hand into core.attrs. False: an id of a key is not defined. */
bool peer_attrs(struct session *, const struct bag *, enum attr_tag);
/* A time of the wire: nil becomes the time of receipt. False: invalid. */
bool peer_time(uint64_t *time, struct now);

/* False: all zero, which is invalid. */
static inline bool
peer_span_id(const uint8_t id[WIRE_SPAN_ID])
{
	uint64_t bits;

	memcpy(&bits, id, sizeof(bits));
	return bits != 0;
}

static inline bool
peer_trace_id(const uint8_t id[WIRE_TRACE_ID])
{
	return peer_span_id(id) || peer_span_id(id + WIRE_SPAN_ID);
}

#endif
