/*
 * whole.h -- what an END needs to become a whole SPAN.
 *
 * It stands behind the END in the ring, and is looked at only if the connection that took the
 * span's START is gone when the END is written: the span is then told as one event.
 */
#ifndef WHOLE_H
#define WHOLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "copy.h"
#include "sidecar.h"

struct whole {
	uint8_t trace_id[16];
	uint8_t parent_id[8]; /* all zero: a root */
	uint64_t start;
	uint16_t name; /* interned id, unless inlined */
	uint16_t kept_size;
	uint8_t kept_attrs;
	uint8_t name_size;
	uint8_t inlined;
	uint8_t kind;
	uint16_t attrs_at; /* in the END: where its attributes begin, nil or a map */
	uint8_t flags;     /* of START */
	uint8_t reserved[5];
} __attribute__((packed));
/* at any address */ /* then kept_size bytes of struct sidecar_span's kept: the inlined name, the attributes */

enum { WHOLE_MAX = sizeof(struct whole) + sizeof(((struct sidecar_span *)0)->kept) };

/* From name to kind both stand alike, and move as one word: what is written in pieces and read as
 * one stalls the processor. */
enum {
	WHOLE_WORD = offsetof(struct whole, name),
	WHOLE_SPAN_WORD = offsetof(struct sidecar_span, name),
};
_Static_assert(offsetof(struct whole, kind) == WHOLE_WORD + 7, "name to kind is a word");
_Static_assert(offsetof(struct sidecar_span, kind) == WHOLE_SPAN_WORD + 7, "and in a span");

/* Name and kind of a new span, of which nothing is kept yet. */
static inline void
whole_begin(struct sidecar_span *span, uint16_t name, uint8_t kind)
{
	uint64_t word = name | (uint64_t)kind << 56;

	memcpy((uint8_t *)span + WHOLE_SPAN_WORD, &word, sizeof(word));
}

/* Write the whole of what an open span is to p; return the byte after it. */
static inline uint8_t *
whole_keep(uint8_t *p, const struct sidecar_span *span, size_t attrs_at)
{
	struct whole *w = (struct whole *)(void *)p;

	memcpy(w->trace_id, span->context.trace_id, sizeof(w->trace_id));
	memcpy(w->parent_id, span->parent.span_id, sizeof(w->parent_id));
	w->start = span->start;
	memcpy(p + WHOLE_WORD, (const uint8_t *)span + WHOLE_SPAN_WORD, sizeof(uint64_t));
	w->attrs_at = (uint16_t)attrs_at;
	w->flags = (uint8_t)(span->context.flags | (span->parent.flags & SIDECAR_REMOTE));
	p += sizeof(*w);
	if (span->kept_size != 0) {
		copy_short(p, span->kept, span->kept_size);
		p += span->kept_size;
	}
	return p;
}

/* SPAN from an END of size bytes and the whole behind it, to out of WIRE_EVENT_MAX bytes; return
 * its size. What was kept is left out if the event would exceed its limits with it, then the END's
 * own attributes: the span itself is always told. */
size_t whole_span(uint8_t *out, const uint8_t *end, size_t size);

#endif
