/*
 * red.h -- rate, errors, duration: a finished span as a sample of one of four histograms of
 * semantic conventions.
 *
 *	SERVER with http.request.method			http.server.request.duration
 *	SERVER with rpc.system.name			rpc.server.call.duration
 *	PRODUCER, or CLIENT with messaging.system	messaging.client.operation.duration
 *	CONSUMER with messaging.system			messaging.process.duration
 *
 * Labels come from a fixed allow-list (red.c), so a service cannot grow its label sets by accident.
 * Pure.
 */
#ifndef RED_H
#define RED_H

#include "meter.h"

#include <stdbool.h>

/* Whether a name is ours, so that MEASURE may not use it: those four exactly, and whatever begins
 * with "kafka.", "sidecar." or "process."; compared in the form of /metrics, so "kafka_x" is ours
 * too. */
bool red_reserved(struct text name);

void red_span(struct meter *, struct service *, const struct span *);

#endif
