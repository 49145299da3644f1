/*
 * event.h -- the view of one event: what its fields say, before anybody asks whether that makes
 * sense.
 *
 * Borrowed from the bytes of the event. Pure.
 */
#ifndef EVENT_H
#define EVENT_H

#include "protocol/wire.h"

#include <stddef.h>
#include <stdint.h>

/* A uint that is nil or absent. A real one of 2^64-1 is read as 8 less, which is as invalid and has
 * the same flags. */
#define EVENT_NIL UINT64_MAX

/* A text: str, id of an interned string, or nothing. */
enum word_kind { WORD_NONE, WORD_STR, WORD_ID };
struct word {
	const char *s; /* WORD_STR: borrowed from the bytes, as they came */
	uint32_t n;    /* its length; WORD_ID: the id, at most UINT32_MAX */
	enum word_kind kind;
};

/* A map or array in the event's bytes, well-formed, to be read with pack.h. */
struct bag {
	const uint8_t *items; /* the first key or item; NULL: nil or absent */
	uint32_t n;           /* pairs of a map, items of an array */
};

/* What an event says. Only what its type has is set; the rest is undefined. Pointers are into the
 * bytes. */
struct event {
	uint64_t type;           /* enum wire_type, or WIRE_TYPES and above: nothing else is set */
	const uint8_t *trace_id; /* LINK: of the linked span; CONSUMED: NULL when absent */
	const uint8_t *span_id;  /* CONSUMED: NULL when absent */
	const uint8_t *other_id; /* SPAN, START: the parent, NULL: a root; LINK: the linked span */
	struct word name;   /* of span, event, instrument; topic; key; STRING: the text, a str */
	struct word detail; /* SPAN, END: message; ERROR: type; MEASURE: unit */
	struct word tracestate;
	struct bag attrs;     /* HELLO: resource; STATS: drops */
	struct bag words;     /* HELLO: capabilities */
	const uint8_t *value; /* ATTR: any; MEASURE: an integer or float */
	uint64_t code;        /* kind, side; HELLO: version; STRING: id */
	uint64_t time;        /* start, time, consumed_at, as_of */
	uint64_t end;         /* SPAN, END */
	uint64_t produced_at;
	uint64_t status;
	uint64_t flags;
	uint64_t partition;
	uint64_t number; /* count, lag, sent */
};

#endif
