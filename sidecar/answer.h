/*
 * answer.h -- a Collector's answer while it arrives: the fields that matter and the body, bounded;
 * then its meaning.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include "gzip.h"
#include "limits.h"
#include "reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_FIELD_BYTES = 8192 };

/* A header or trailer that is kept: the last of its name counts. */
struct answer_field {
	char text[ANSWER_FIELD_BYTES];
	uint32_t len;
};

struct answer {
	bool grpc;
	bool too_large;  /* than LIMIT_REPLY_BYTES: the rest was refused */
	int grpc_status; /* -1: none came */
	struct answer_field type, message, details;
	uint8_t *body; /* ours, kept from one answer to the next */
	size_t len, room;
};

/* Ready for the next one. */
void answer_begin(struct answer *, bool grpc);
void answer_free(struct answer *);

/* One header or trailer line, "name: value" and CR LF. */
void answer_line(struct answer *, const char *line, size_t n);
/* False: out of memory, or too large. */
bool answer_body(struct answer *, const void *bytes, size_t n);

/* What it means, once whole. retry_after: seconds, 0 when none. plain: LIMIT_REPLY_BYTES to
 * decompress into. */
void answer_read(const struct answer *, int http_status, uint64_t retry_after, struct gzip *,
    uint8_t *plain, struct reply *);

#endif
