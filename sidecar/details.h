/*
 * details.h -- what an open span has collected beside its 64 bytes: attributes, events, links,
 * tracestate. Pure.
 *
 * Attributes lie in one chain, each behind a record; a large one has a chain of its own, so that
 * looking for a key reads at most WIRE_ATTRS_MAX records of DETAILS_NEAR bytes, whatever their
 * values are:
 *
 *	[hash|size|KeyValue][hash|size|KeyValue][hash|size|chain]...
 *							   `-> KeyValue
 */
#ifndef DETAILS_H
#define DETAILS_H

#include "attr.h"
#include "chain.h"
#include "span.h"

enum { DETAILS_NEAR = 112 };

struct details {
	struct chain attrs, events, links;
	uint32_t attr_bytes;                    /* of the KeyValues */
	uint32_t attrs_dropped;                 /* bad, over a limit, or without room */
	uint32_t tracestate;                    /* a string, or 0 */
	uint16_t events_dropped, links_dropped; /* stay at their largest */
	uint8_t nattrs, nevents, nlinks;
};

/* Add an event's attributes to the span's; the last of equal keys wins. What does not fit is
 * dropped and counted. */
void details_attrs(struct pool *blocks, struct details *, const struct attrs *, struct tally *);

enum details_outcome { DETAILS_OK, DETAILS_SPAN_FULL, DETAILS_STORE_FULL };

/* One encoded field 11 or 13 of the span. */
enum details_outcome details_event(struct pool *blocks, struct details *, struct text field);
enum details_outcome details_link(struct pool *blocks, struct details *, struct text field);

/* Write all of it to out, one list behind the other (at most 3 * LIMIT_LIST_BYTES), last's
 * attributes winning over those collected. */
void details_lists(const struct pool *blocks, const struct details *, const struct attrs *last,
    uint8_t *out, struct span *, struct tally *);

void details_free(struct pool *blocks, struct details *);

#endif
