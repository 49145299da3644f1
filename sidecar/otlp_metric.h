/*
 * otlp_metric.h -- every series as ExportMetricsServiceRequests, through protobuf-c. Pure.
 *
 * One ResourceMetrics for each service: service.namespace, service.name, our own attributes and our service.instance.id; the
 * daemon's own metrics have its own resource. Cumulative; the start time is the daemon's start (a series that appears
 * later has its own).
 */
#ifndef OTLP_METRIC_H
#define OTLP_METRIC_H

#include "base/buf.h"
#include "base/clock.h"
#include "meter.h"
#include "process.h"
#include "service.h"

#include <stdbool.h>

struct otlp_metric {
	const struct meter *meter;
	const struct services *services;
	const struct process *process;
	struct text
	    attributes; /* our own resource attributes, encoded KeyValues (field 1); borrowed */
	struct wall start, now;
	struct mono mono_now;
	void *scratch; /* for protobuf-c's tree; borrowed */
	size_t scratch_len;
	/* position: private, zero to begin */
	uint32_t service, family, series;
};

/* The next request, of at most about LIMIT_BATCH_BYTES, into *out. False: all were written; out is empty. */
bool otlp_metric_next(struct otlp_metric *, struct buf *out, uint64_t *points);

#endif
