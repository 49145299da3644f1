/*
 * fake_telemetry.h -- what adder uses of client/sidecar.h as functions in the test: they remember
 * what they were told of the last span of each kind, and count.
 */
#ifndef FAKE_TELEMETRY_H
#define FAKE_TELEMETRY_H

#include "client/sidecar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct told {
	atomic_int started, ended;
	enum sidecar_status status;
	char message[128], attrs[512];
	struct sidecar_context parent;
};

static struct told server, send;
static atomic_int produced, errors;
static uint64_t produced_at;
static char error_type[64];
static uint8_t next_id;

static void
tell_attrs(struct told *t, const struct sidecar_attr *a, size_t n)
{
	size_t len = strlen(t->attrs);

	for (size_t i = 0; i < n; i++) {
		if (a[i].type == SIDECAR_INT)
			len += (size_t)snprintf(t->attrs + len, sizeof(t->attrs) - len, "%s=%lld ",
			    a[i].key, (long long)a[i].value.i);
		else
			len += (size_t)snprintf(t->attrs + len, sizeof(t->attrs) - len, "%s=%s ",
			    a[i].key, a[i].value.s);
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
    enum sidecar_kind kind, const struct sidecar_context *parent, uint64_t start,
    const struct sidecar_attr *a, size_t n)
{
	struct told *t = kind == SIDECAR_SERVER ? &server : &send;

	(void)s;
	(void)start;
	memset(span, 0, sizeof(*span));
	span->context = *parent;
	if (memcmp(parent, &(struct sidecar_context){ 0 }, sizeof(*parent)) == 0)
		memset(span->context.trace_id, 0x77, sizeof(span->context.trace_id));
	memset(span->context.span_id, ++next_id, sizeof(span->context.span_id));
	span->context.flags = SIDECAR_SAMPLED;
	span->kind = (uint8_t)kind;
	assert_string_equal(
	    name, kind == SIDECAR_SERVER ? "sum.SumNumbersService/SumNumbers" : "send the-topic");
	t->parent = *parent;
	t->attrs[0] = t->message[0] = '\0';
	t->started++;
	tell_attrs(t, a, n);
}

void
sidecar_span_end(struct sidecar_span *span, enum sidecar_status status, const char *message,
    uint64_t end, const struct sidecar_attr *a, size_t n)
{
	struct told *t = span->kind == SIDECAR_SERVER ? &server : &send;

	(void)end;
	t->ended++;
	t->status = status;
	snprintf(t->message, sizeof(t->message), "%s", message != NULL ? message : "");
	tell_attrs(t, a, n);
}

void
sidecar_produced(struct sidecar *s, const char *topic, int32_t partition, uint64_t at, uint32_t n)
{
	(void)s;
	assert_string_equal(topic, "the-topic");
	assert_int_equal(partition, 3);
	assert_int_equal(n, 1);
	produced_at = at;
	produced++;
}

void
sidecar_kafka_error(struct sidecar *s, enum sidecar_side side, const char *topic, const char *type)
{
	(void)s;
	assert_int_equal(side, SIDECAR_SIDE_PRODUCER);
	assert_string_equal(topic, "the-topic");
	snprintf(error_type, sizeof(error_type), "%s", type);
	errors++;
}

#endif
