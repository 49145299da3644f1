/*
 * span.h -- the view of a span that has ended: what assemble and session hand to finish, meter and
 * otlp_trace.
 *
 * Everything is borrowed and lives until the next call into whoever made the view. Attributes,
 * events and links are OTLP bytes already, exactly as they stand in the exported span, so that
 * export is a copy.
 */
#ifndef SPAN_H
#define SPAN_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a span came to its end. The causes after FINISHED are the abandoned ones of the ledger, in
 * stat.def's order. */
enum span_end {
	SPAN_FINISHED,        /* END, or a whole SPAN */
	SPAN_CONNECTION_LOST, /* the connection ended without BYE */
	SPAN_TIMEOUT,         /* open past --span-timeout */
	SPAN_EVICTED,         /* the table was full */
	SPAN_CLOSED,          /* BYE with the span open */
	SPAN_PROTOCOL,        /* its connection sent something malformed */
	SPAN_SHUTDOWN,        /* this daemon ends */
	SPAN_ENDS
};

/* The words of the wire for each cause: error.type and the status message. */
extern const char *const span_end_type[SPAN_ENDS]; /* "connection_lost"; NULL for FINISHED */
extern const char
    *const span_end_message[SPAN_ENDS]; /* "connection ended while the span was open" */

/* Repeated protobuf fields, encoded with tag and length: field 9 (attributes), 11 (events), 13
 * (links). */
struct span_list {
	const uint8_t *bytes;
	uint32_t len;
	uint32_t n;       /* how many there are */
	uint32_t dropped; /* over the limit, or bad: counted in the exported span */
};

struct span {
	const uint8_t *trace_id;  /* 16 bytes */
	const uint8_t *span_id;   /* 8 bytes */
	const uint8_t *parent_id; /* 8 bytes; NULL: a root */
	struct text name;
	struct text tracestate; /* "" when none */
	struct text message;    /* of the status */
	uint64_t start;         /* ns since the epoch */
	uint64_t end;           /* ns since the epoch, >= start */
	uint8_t kind;           /* enum wire_kind, never UNSPECIFIED */
	uint8_t status;         /* enum wire_status */
	uint8_t flags;          /* bits of enum wire_flag */
	struct span_list attrs, events, links;
};

#endif
