/*
 * reply.h -- what a Collector's answer means: accepted, try again, or give up. Pure.
 *
 * The tables are OTLP's: over HTTP 429, 502, 503 and 504 are retried and no other failure; over
 * gRPC CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE and DATA_LOSS, and
 * RESOURCE_EXHAUSTED when it carries RetryInfo.
 */
#ifndef REPLY_H
#define REPLY_H

#include "text.h"

#include <stddef.h>
#include <stdint.h>

enum reply_verdict {
	REPLY_ACCEPTED, /* rejected says how many of it were not */
	REPLY_RETRY,    /* after at least retry_after */
	REPLY_REJECTED  /* for good */
};

struct reply {
	enum reply_verdict verdict;
	uint64_t retry_after; /* ns; 0: the Collector gave none */
	uint64_t rejected;    /* spans or data points of an accepted request (partial success) */
	int code;             /* HTTP status, gRPC status or libcurl's error, as `via` says */
	const char *via;      /* "http", "grpc", "transport" */
	char message[256];    /* the Collector's words, cut; "" when none */
};

/* An HTTP answer. retry_after in seconds, 0 when none; body: decompressed ExportResponse or
 * RpcStatus. */
void reply_http(struct reply *, int status, uint64_t retry_after, struct text type,
    const void *body, size_t len);

/* A gRPC answer. status < 0: no grpc-status came. message: percent-encoded; details: base64 of
 * grpc-status-details-bin, "" when none; body: the message without its frame. */
void reply_grpc(struct reply *, int http_status, int status, struct text message,
    struct text details, const void *body, size_t len);

/* No answer: connection refused, reset, timed out. */
void reply_none(struct reply *, int code, const char *why);

/* An answer larger than LIMIT_REPLY_BYTES, which OTLP says not to retry. */
void reply_too_large(struct reply *);

#endif
