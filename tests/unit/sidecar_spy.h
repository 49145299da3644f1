/*
 * sidecar_spy.h -- sidecar.h's calls, kept instead of sent: the last span, its link, the last
 * events.
 *
 * For tests of modules that call the client library. Strings are copied: the library does so as
 * well. Included once.
 */
#ifndef SIDECAR_SPY_H
#define SIDECAR_SPY_H

#include "client/sidecar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SPY_ATTRS = 1024 };

static struct spy {
	int started, ended, linked, consumed, errors;
	char name[300];
	enum sidecar_kind kind;
	struct sidecar_context parent, link, consumer;
	bool has_consumer; /* CONSUMED came with ids */
	uint64_t start_ns, produced_ns, consumed_ns;
	int32_t partition;
	enum sidecar_status status;
	char message[300];
	char attrs[SPY_ATTRS]; /* "key=value;" in order: first the start's, then the end's */
	char error[64];
	bool refuse; /* take no span, as a library that is out of room does */
} spy;

static void
spy_attrs(const struct sidecar_attr *attrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(spy.attrs);
		char *at = spy.attrs + used;
		if (attrs[i].type == SIDECAR_STR)
			snprintf(at, SPY_ATTRS - used, "%s=%s;", attrs[i].key, attrs[i].value.s);
		else
			snprintf(at, SPY_ATTRS - used, "%s=%" PRId64 ";", attrs[i].key,
			    attrs[i].value.i);
	}
}

const char *
sidecar_intern(struct sidecar *s, const char *text)
{
	(void)s;
	return text;
}

void
sidecar_span_start(struct sidecar *s, struct sidecar_span *span, const char *name,
    enum sidecar_kind kind, const struct sidecar_context *parent, uint64_t start_ns,
    const struct sidecar_attr *attrs, size_t n)
{
	(void)s;
	memset(span, 0, sizeof(*span));
	span->context = *parent;
	if (spy.refuse)
		return;
	if (parent->trace_id[0] == 0)
		span->context.flags = SIDECAR_SAMPLED;
	memset(span->context.span_id, 0xee, sizeof(span->context.span_id));
	spy.started++;
	snprintf(spy.name, sizeof(spy.name), "%s", name);
	spy.kind = kind;
	spy.parent = *parent;
	spy.start_ns = start_ns;
	spy.attrs[0] = '\0';
	spy_attrs(attrs, n);
}

void
sidecar_span_link(struct sidecar_span *span, const struct sidecar_context *context,
    const struct sidecar_attr *attrs, size_t n)
{
	(void)span, (void)attrs, (void)n;
	spy.linked++;
	spy.link = *context;
}

void
sidecar_span_end(struct sidecar_span *span, enum sidecar_status status, const char *message,
    uint64_t end_ns, const struct sidecar_attr *attrs, size_t n)
{
	(void)span, (void)end_ns;
	spy.ended++;
	spy.status = status;
	snprintf(spy.message, sizeof(spy.message), "%s", message ? message : "");
	spy_attrs(attrs, n);
}

void
sidecar_consumed(struct sidecar *s, const char *topic, int32_t partition, uint64_t produced_ns,
    uint64_t consumed_ns, const struct sidecar_context *context)
{
	(void)s, (void)topic;
	spy.consumed++;
	spy.partition = partition;
	spy.produced_ns = produced_ns;
	spy.consumed_ns = consumed_ns;
	spy.has_consumer = context != NULL;
	if (context)
		spy.consumer = *context;
}

void
sidecar_kafka_error(struct sidecar *s, enum sidecar_side side, const char *topic, const char *error)
{
	(void)s, (void)side, (void)topic;
	spy.errors++;
	snprintf(spy.error, sizeof(spy.error), "%s", error);
}

#endif
