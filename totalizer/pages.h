/*
 * pages.h -- totalizer's HTTP routes, each request a span of kind SERVER (but for the probes' own two).
 *
 *	GET /v1/results      {"result": <integer>, "count": n, "partitions": n, "as_of": "<RFC 3339>"}; 503 with the reason
 *	GET /v1/healthcheck  200 when the replica has joined, owns what it was assigned and knows the total; else 503
 *	GET /readyz          the same as /v1/healthcheck
 *	GET /healthz         200: the loop turns
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
