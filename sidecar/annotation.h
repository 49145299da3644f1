/*
 * annotation.h -- a span's events and links as OTLP bytes: fields 11 and 13 of Span, as protobuf-c
 * would write them. Pure.
 */
#ifndef ANNOTATION_H
#define ANNOTATION_H

#include "attr.h"
#include "text.h"

#include <stdint.h>

/* The attributes of one event, and all else that stands beside them. */
enum { ANNOTATION_BYTES = ATTRS_BYTES + 1024 };

/* attrs: of an event, ATTR_OF_EVENT. to: ANNOTATION_BYTES; the result is there. */
struct text annotation_event(uint8_t *to, uint64_t time, struct text name, const struct attrs *);

/* attrs: of a link, ATTR_OF_LINK. */
struct text annotation_link(uint8_t *to, const uint8_t *trace_id, const uint8_t *span_id,
    struct text tracestate, const struct attrs *);

#endif
