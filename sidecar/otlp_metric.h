/*
 * otlp_metric.h -- every series as ExportMetricsServiceRequests, through protobuf-c. Pure.
 *
 * One ResourceMetrics for each service: service.namespace, service.name, our own attributes with
 * our service.instance.id; the daemon's own metrics have its own resource. Cumulative; every series
 * starts when the daemon did, for before it counted anything it stood at 0. Values are those of
 * expose_text() at the same instant.
 */
#ifndef OTLP_METRIC_H
#define OTLP_METRIC_H

#include "base/buf.h"
#include "base/clock.h"
#include "meter.h"
#include "process.h"
#include "reading.h"
#include "service.h"

#include <stdbool.h>

enum {
	/* For protobuf-c's tree of one request. */
	OTLP_METRIC_SCRATCH_BYTES = 4 * LIMIT_BATCH_BYTES,
	/* A request ends with the point that reaches LIMIT_BATCH_BYTES, which may be a large
	 * one. */
	OTLP_METRIC_REQUEST_BYTES = LIMIT_BATCH_BYTES + (64 << 10)
};

struct otlp_metric {
	const struct meter *meter;
	const struct services *services;
	const struct process *process;
	struct text
	    attributes; /* our own resource attributes, encoded KeyValues (field 1); borrowed */
	struct wall start, now;
	struct mono mono_now;
	void *scratch;      /* OTLP_METRIC_SCRATCH_BYTES, aligned as malloc() does; borrowed */
	size_t scratch_len; /* at least that */
	/* position: private, zero to begin */
	struct cursor cursor;
	uint32_t owner;
	bool inside;
};

/* The next request, of at most OTLP_METRIC_REQUEST_BYTES, into *out. False: all were written; out
 * is empty. Between the calls for one instant nothing may be fed to the meter. out->failed: it had
 * less room than that. */
bool otlp_metric_next(struct otlp_metric *, struct buf *out, uint64_t *points);

#endif
