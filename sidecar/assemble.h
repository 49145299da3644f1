/*
 * assemble.h -- starts and ends -> spans: the table of open spans.
 *
 *	index: 8 bytes an entry, at most half full		slots: 64 bytes an open span
 *	[tag|slot][ ][tag|slot]...				[ids, start, name, details, its peer's list]
 *
 * A span is known by its peer and its id. Each peer's spans hang in the order in which they came.
 * Nothing calls back: what has to end is asked for by number and taken, one at a time. Pure.
 */
#ifndef ASSEMBLE_H
#define ASSEMBLE_H

#include "attr.h"
#include "details.h"
#include "span.h"
#include "strings.h"

#include <stddef.h>
#include <stdint.h>

struct assemble;

size_t assemble_bytes(void); /* to reserve; zeroed, touched only when used */
/* most: open spans at a time, at most LIMIT_OPEN_SPANS. */
struct assemble *assemble_init(void *mem, struct strings *, uint32_t most, uint64_t hash_seed);

/* A peer is a number from 1 to LIMIT_SESSIONS. serial: rises from one that joins to the next. */
void assemble_join(struct assemble *, uint32_t peer, uint64_t serial);
uint32_t assemble_open(const struct assemble *, uint32_t peer); /* its open spans */

struct opening {
	const uint8_t *trace_id, *span_id;
	const uint8_t *parent_id; /* NULL: a root */
	uint32_t name_string;     /* 0: name is to be copied */
	struct text name;
	struct text tracestate; /* "" when none */
	uint64_t start;         /* ns since the epoch */
	uint32_t now_ms;        /* any clock that assemble_expired() goes by */
	uint8_t kind, flags;
	const struct attrs *attrs;
};

enum assemble_outcome {
	ASSEMBLE_OK,
	ASSEMBLE_DUPLICATE, /* the peer has an open span of this id */
	ASSEMBLE_FULL       /* make room first: take assemble_victim() */
};

/* Everything is copied; a name_string is held. What of the attributes has no room is dropped and
 * counted. */
enum assemble_outcome
assemble_start(struct assemble *, uint32_t peer, const struct opening *, struct tally *);

/* The number of an open span, until it is taken; 0: there is none. */
uint32_t assemble_find(const struct assemble *, uint32_t peer, const uint8_t span_id[WIRE_SPAN_ID]);
uint32_t assemble_oldest(const struct assemble *, uint32_t peer);
/* The oldest of the peer, when it came before now_ms - age_ms. */
uint32_t assemble_expired(const struct assemble *, uint32_t peer, uint32_t now_ms, uint32_t age_ms);
/* The oldest of the peer that has most; of several such peers, of the one that joined first. */
uint32_t assemble_victim(const struct assemble *);
uint32_t assemble_peer(const struct assemble *, uint32_t span);

/* Add to an open span. */
void assemble_attrs(struct assemble *, uint32_t span, const struct attrs *, struct tally *);
enum details_outcome assemble_event(struct assemble *, uint32_t span, struct text field);
enum details_outcome assemble_link(struct assemble *, uint32_t span, struct text field);

/* Take it out: its service ended it, with the attributes of last; NULL: there is no such span. In
 * the view end and status are not set, nor is message: the caller does. It lives until the next
 * call. */
struct span *assemble_end(struct assemble *, uint32_t peer, const uint8_t span_id[WIRE_SPAN_ID],
    const struct attrs *last, struct tally *);
/* Take it out though its service did not end it. */
struct span *assemble_take(struct assemble *, uint32_t number);

#endif
