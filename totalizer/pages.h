/*
 * pages.h -- totalizer's HTTP routes.
 *
 *	GET /v1/results     {"result": <integer>, "count": n, "partitions": n, "as_of": "RFC 3339"}
 *	GET /v1/healthcheck 200: it has joined, owns all that it was assigned, knows the total
 *	GET /readyz         the same
 *	GET /healthz        200: the loop turns
 *
 * The first three answer 503 with {"error": <word>, "reason": <text>} when they cannot. Each
 * request is a span of kind SERVER, but for the last two, which are for probes.
 */
#ifndef PAGES_H
#define PAGES_H

#include "base/http.h"
#include "results.h"

struct sidecar;

struct pages {
	struct results *results; /* borrowed */
	struct sidecar *sidecar; /* borrowed; may be NULL */
};

/* The handler for http_open(); its argument is a struct pages. */
http_handler pages_answer;

#endif
