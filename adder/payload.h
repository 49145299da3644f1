/*
 * payload.h -- the message that carries a sum through Kafka, as JSON:
 *
 *	{"sum":5,"produced_at":"2026-11-23T10:00:00.123456789Z",
 *	    "trace_id":"<32 hex>","span_id":"<16 hex>"}		(in one line, without spaces)
 *
 * Pure.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include "base/clock.h"

#include <stddef.h>
#include <stdint.h>

struct buf;
struct sidecar_context;

enum { PAYLOAD_MAX = 192 }; /* bytes; the longest has 150 */

/* Append the message. The two ids are left out when the context is all zero (telemetry is off
 * and the caller sent none): an id of zeros is not an id. */
void
payload_write(struct buf *, int64_t sum, struct wall produced_at, const struct sidecar_context *);

#endif
