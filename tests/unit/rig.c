#include "rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct rig_span *rig_spans;
unsigned rig_nspans;

static unsigned room;
static char traces; /* stands for what finish would append to */

/* ---- what would be exported */

static void
set_bytes(ProtobufCBinaryData *b, const uint8_t *from, size_t n)
{
	b->data = malloc(n + 1);
	b->len = n;
	memcpy(b->data, from, n);
}

static char *
dup_text(struct text t)
{
	char *s = malloc((size_t)t.len + 1);

	memcpy(s, t.s, t.len);
	s[t.len] = '\0';
	return s;
}

/* The three lists stand in the exported span as they are: together they are a Span with nothing else. */
static Otlp__Span *
unpack(const struct span *s)
{
	size_t n = (size_t)s->attrs.len + s->events.len + s->links.len;
	uint8_t *bytes = malloc(n + 1), *p = bytes;
	const struct span_list *lists[] = { &s->attrs, &s->events, &s->links };
	Otlp__Span *span;

	for (int i = 0; i < 3; i++) {
		if (lists[i]->len != 0)
			memcpy(p, lists[i]->bytes, lists[i]->len);
		p += lists[i]->len;
	}
	span = otlp__span__unpack(NULL, n, bytes);
	free(bytes);
	if (span == NULL || span->n_attributes != s->attrs.n || span->n_events != s->events.n ||
	    span->n_links != s->links.n) {
		fprintf(stderr, "a span's lists do not parse\n");
		abort();
	}
	return span;
}

bool
otlp_trace_append(struct otlp_trace *t, struct resource *resource, const struct span *s)
{
	Otlp__Span *span = unpack(s);

	(void)t;
	set_bytes(&span->trace_id, s->trace_id, 16);
	set_bytes(&span->span_id, s->span_id, 8);
	if (s->parent_id != NULL)
		set_bytes(&span->parent_span_id, s->parent_id, 8);
	span->name = dup_text(s->name);
	span->trace_state = dup_text(s->tracestate);
	span->kind = s->kind;
	span->start_time_unix_nano = s->start;
	span->end_time_unix_nano = s->end;
	span->flags = s->flags;
	span->dropped_attributes_count = s->attrs.dropped;
	span->dropped_events_count = s->events.dropped;
	span->dropped_links_count = s->links.dropped;
	span->status = malloc(sizeof(*span->status));
	otlp__span_status__init(span->status);
	span->status->code = s->status;
	span->status->message = dup_text(s->message);
	if (rig_nspans == room) {
		room = room == 0 ? 16 : 2 * room;
		rig_spans = realloc(rig_spans, room * sizeof(*rig_spans));
	}
	rig_spans[rig_nspans++] =
	    (struct rig_span){ span, s->name.len, resource->service, resource };
	return true;
}

void
rig_forget(void)
{
	for (unsigned i = 0; i < rig_nspans; i++)
		otlp__span__free_unpacked(rig_spans[i].span, NULL);
	free(rig_spans);
	rig_spans = NULL;
	rig_nspans = room = 0;
}

/* ---- sessions */

static void *
part(struct rig *r, size_t *at, size_t n)
{
	void *p = (char *)r->memory + *at;

	*at += (n + 63) / 64 * 64;
	return p;
}

void
rig_open(struct rig *r, const struct core_parts *parts)
{
	size_t at = 0;

	*r = (struct rig){ .now = { { RIG_WALL }, { 1000 * CLOCK_SECOND } } };
	r->size = core_bytes() + meter_bytes() + resources_bytes() + SERVICES_BYTES +
		  LIMIT_SERVICE_TEXT + FINISH_SCRATCH_BYTES + 1024;
	r->memory = mmap(NULL, r->size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->memory == MAP_FAILED)
		abort();
	stats = (struct stats){ 0 };
	services_init(&r->services, part(r, &at, SERVICES_BYTES), part(r, &at, LIMIT_SERVICE_TEXT));
	resources_init(&r->resources, part(r, &at, resources_bytes()), 7);
	r->finish = (struct finish){ .meter = meter_init(part(r, &at, meter_bytes()), 11),
		.traces = (struct otlp_trace *)(void *)&traces,
		.scratch = part(r, &at, FINISH_SCRATCH_BYTES) };
	r->parts = parts != NULL ? *parts : (struct core_parts){ .span_timeout = 0 };
	r->parts.services = &r->services;
	r->parts.resources = &r->resources;
	r->parts.meter = r->finish.meter;
	r->parts.finish = &r->finish;
	r->parts.hash_seed = UINT64_C(0x123456789abcdef);
	if (r->parts.span_timeout == 0)
		r->parts.span_timeout = 600 * CLOCK_SECOND;
	if (r->parts.open_spans == 0)
		r->parts.open_spans = LIMIT_OPEN_SPANS;
	if (r->parts.attributes.s == NULL)
		r->parts.attributes = TEXT("");
	r->core = core_init(part(r, &at, core_bytes()), &r->parts);
}

void
rig_close(struct rig *r)
{
	rig_forget();
	munmap(r->memory, r->size);
}

enum session_state
rig_feed(struct rig *r, struct session *s, const void *bytes, size_t n, size_t step)
{
	const uint8_t *p = bytes;
	enum session_state state = SESSION_OPEN;
	size_t piece;

	if (step == 0)
		step = n;
	for (; n != 0 && state == SESSION_OPEN; p += piece, n -= piece) {
		piece = n < step ? n : step;
		state = session_feed(s, p, piece, r->now);
	}
	return state;
}

void
rig_finish(struct rig *r, struct session *s, enum span_end end)
{
	while (session_close(s, end, r->now))
		;
}

void
rig_end(struct rig *r, struct session *s)
{
	switch (session_feed(s, "", 0, r->now)) {
	case SESSION_BYE:
		stats.closed_bye++;
		rig_finish(r, s, SPAN_CLOSED);
		break;
	case SESSION_OPEN:
		stats.closed_lost++;
		rig_finish(r, s, SPAN_CONNECTION_LOST);
		break;
	case SESSION_FAULT: rig_finish(r, s, SPAN_PROTOCOL); break;
	}
}

struct session *
rig_hello(struct rig *r, bool resume)
{
	static const char hello[] = "\x94\x00\x01\x81\xac"
				    "service.name"
				    "\xa3svc\x91\xa6resume";
	struct session *s = session_open(r->core);
	char first = resume ? '\x94' : '\x93';

	session_feed(s, &first, 1, r->now);
	session_feed(s, hello + 1, sizeof(hello) - 2 - (resume ? 0 : 8), r->now);
	return s;
}

/* ---- attributes */

static int
write_value(char *to, size_t n, const Otlp__AnyValue *v)
{
	int at;

	switch (v->value_case) {
	case OTLP__ANY_VALUE__VALUE_STRING_VALUE: return snprintf(to, n, "str:%s", v->string_value);
	case OTLP__ANY_VALUE__VALUE_BOOL_VALUE: return snprintf(to, n, "bool:%d", v->bool_value);
	case OTLP__ANY_VALUE__VALUE_INT_VALUE: return snprintf(to, n, "int:%" PRId64, v->int_value);
	case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
		return snprintf(to, n, "double:%.17g", v->double_value);
	case OTLP__ANY_VALUE__VALUE_ARRAY_VALUE: break;
	default: return snprintf(to, n, "none");
	}
	at = snprintf(to, n, "array:[");
	for (size_t i = 0; i < v->array_value->n_values && (size_t)at < n; i++) {
		if (i > 0)
			at += snprintf(to + at, n - (size_t)at, ",");
		at += write_value(to + at, n - (size_t)at, v->array_value->values[i]);
	}
	return at + snprintf(to + at, n - (size_t)at, "]");
}

const char *
rig_attr(Otlp__KeyValue **at, size_t n, const char *key)
{
	static char text[1 << 17];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(at[i]->key, key) != 0)
			continue;
		write_value(text, sizeof(text), at[i]->value);
		return text;
	}
	return NULL;
}
