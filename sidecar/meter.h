/*
 * meter.h -- samples into series: Kafka metrics, RED histograms, instruments of MEASURE, lag and
 * its age.
 *
 * Owns every series of every service, in memory reserved at start. Past a cap samples go to the
 * metric's series labelled otel_metric_overflow="true" with totals preserved, of the same service
 * always. Pure: time is an argument.
 */
#ifndef METER_H
#define METER_H

#include "base/clock.h"
#include "labels.h"
#include "metric.h"
#include "protocol/wire.h"
#include "service.h"
#include "span.h"
#include "text.h"

struct meter;
struct topic; /* one topic of one service, for ever; the fast path holds a pointer to it */

/* Who reported a lag, a gauge or an up-down value: the session's serial number, never 0. */
typedef uint64_t meter_owner;

size_t meter_bytes(void); /* to reserve; zeroed, touched only when used */
struct meter *meter_init(void *mem, uint64_t hash_seed); /* mem: borrowed for ever */

/* Find or add. Never NULL: past LIMIT_TOPICS the service's overflow topic. */
struct topic *meter_topic(struct meter *, struct service *, struct text name);

void meter_produced(struct meter *, struct topic *, uint64_t count);
/* produced_ns 0: not known, counted without latency. Earlier consumed than produced: 0, and counted
 * as skew. */
void meter_consumed(struct meter *, struct topic *, uint64_t produced_ns, uint64_t consumed_ns);
/* topic and type as they stand in the labels; topic "" when none. */
void meter_error(struct meter *, struct service *, enum wire_side, struct text topic,
    struct text type, uint64_t count);

/* One duration into METRIC_RED or a later one of the fixed metrics; labels: copied when they are
 * new. */
void meter_duration(
    struct meter *, struct service *, enum metric_fixed, const struct labels *, uint64_t ns);

enum meter_outcome {
	METER_OK,
	METER_LAG_CAP,  /* a topic or partition past its cap */
	METER_CONFLICT, /* the name has another kind or unit, or would be another's on /metrics */
	METER_FULL /* no room for another instrument, or for another value that connections own */
};

/* PROTOCOL.md's lag rules. as_of_ns 0: keep the earlier origin, else now. */
enum meter_outcome meter_lag(struct meter *, struct topic *, uint32_t partition, uint64_t lag,
    uint64_t as_of_ns, meter_owner, struct wall now, struct mono mono_now);
void meter_lag_revoked(struct meter *, struct topic *, uint32_t partition, meter_owner);

/* name: one of which red_reserved() says no. attrs: OTLP KeyValues as in struct span_list (any
 * field tag); they become labels. The value is finite; a counter's is not negative. A gauge shows
 * what was written last by a connection that still lives, an up-down counter the sum over those
 * that live. */
enum meter_outcome
meter_measure(struct meter *, struct service *, meter_owner, enum wire_instrument, struct text name,
    struct text unit, double value, const struct span_list *attrs);

/* A connection ended: its gauges and up-down values go; its lag goes (bye) or begins to age (not
 * bye). */
void meter_owner_gone(struct meter *, meter_owner, bool bye, struct mono now);
/* Drop the ages of lag whose connection has been gone for LIMIT_DEAD_LAG_SECONDS. Call about once a
 * second. */
void meter_expire(struct meter *, struct mono now);

#endif
