/*
 * export.h -- what leaves for the Collector, and what becomes of it: sealing, queueing, sending,
 * retrying, counting.
 *
 * Ended spans wait schedule_delay for company, or until they fill a request; metrics go every
 * metric_interval. A target that fails is tried again after 1 s, growing by half to 30 s, give or
 * take a fifth, or later if it asks for that; meanwhile its batches wait in the queue, whose bytes
 * are bounded: the oldest gives way, counted.
 */
#ifndef EXPORT_H
#define EXPORT_H

#include "base/clock.h"
#include "config.h"
#include "meter.h"
#include "otlp_trace.h"
#include "target.h"

#include <stdbool.h>

struct ev_loop;
struct export;

struct export_parts {
	const struct config *config;
	const struct target *targets; /* TARGETS of them */
	struct otlp_trace *traces;    /* NULL: spans are not exported */
	const struct meter *meter;
	const struct services *services;
	struct text attributes; /* of our own metrics' resources, encoded */
	struct wall start;
};

/* All borrowed but the struct itself. NULL: *error says why. */
struct export *
export_open(struct ev_loop *, const struct export_parts *, char *error, size_t errlen);

/* Spans may have been appended: seal what fills a request, see to the rest within schedule_delay.
 * Cheap. */
void export_notice(struct export *);
/* Spans were abandoned: whoever sent them is gone, so nothing is gained by waiting. */
void export_now(struct export *);
/* TLS files have changed. */
void export_renew(struct export *);

/* Send everything, metrics once more too; idle() is called when the Collector has it all. Back-off
 * is short from here on. */
void export_drain(struct export *, void (*idle)(void *), void *arg);

/* What is left is dropped as `shutdown` and said in one log line. NULL is a no-op. */
void export_close(struct export *);

#endif
