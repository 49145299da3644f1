#include "otlp_trace.h"

#include "protocol/wire.h"
#include "varint.h"

#include <stddef.h>
#include <string.h>

/* A span at every limit of the wire: 128 events and 128 links of nearly a whole event each, and its
 * attributes. */
enum { SPAN_MAX = 6 << 20 };

struct chunk {
	uint32_t next;
	uint32_t len;
	uint32_t spans;     /* that begin here */
	uint32_t continues; /* the last span goes on in the next chunk */
	uint8_t bytes[LIMIT_CHUNK_BYTES - 16];
};

#define CHUNK_ROOM ((uint32_t)sizeof(((struct chunk *)0)->bytes))

struct area {
	struct resource *resource; /* NULL: nothing waits; else held */
	uint32_t first, last;
	uint32_t next; /* in the list of areas with spans, by resource number */
};

struct otlp_trace {
	struct resources *resources;
	size_t waiting;
	uint8_t scope[64]; /* ScopeSpans.scope, encoded */
	uint32_t scope_len;
	uint32_t first, last; /* areas in the order in which they got their first span */
	struct area areas[LIMIT_RESOURCES + 1];
	struct pool chunks;
	uint8_t large[SPAN_MAX]; /* a span that no chunk holds is written here, then cut up */
};

enum {
	TAG_VARINT = 0,
	TAG_FIXED64 = 1,
	TAG_BYTES = 2,
	TAG_FIXED32 = 5,
};

#define TAG(field, type) ((uint8_t)((field) << 3 | (type)))

/* OTLP's Span.flags: the low byte is W3C's, then "is_remote is known" and "is remote". */
enum { FLAG_KNOWN = 0x100, FLAG_REMOTE = 0x200 };

size_t
otlp_trace_bytes(void)
{
	return sizeof(struct otlp_trace) + sizeof(struct chunk) +
	       POOL_BYTES(sizeof(struct chunk), OTLP_TRACE_CHUNKS);
}

size_t
otlp_trace_waiting(const struct otlp_trace *t)
{
	return t->waiting;
}

static uint8_t *
put_fixed64(uint8_t *p, uint8_t tag, uint64_t v)
{
	*p++ = tag;
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> 8 * i);
	return p + 8;
}

static uint32_t
text_len(uint32_t len)
{
	return len == 0 ? 0 : 1 + varint_len(len) + len;
}

static uint32_t
count_len(uint32_t n)
{
	return n == 0 ? 0 : 1 + varint_len(n);
}

static uint32_t
status_len(const struct span *s)
{
	return text_len(s->message.len) + (s->status == 0 ? 0 : 2);
}

/* A status that says nothing is left out. */
static uint32_t
status_field_len(const struct span *s)
{
	uint32_t n = status_len(s);

	return n == 0 ? 0 : 1 + varint_len(n) + n;
}

static uint32_t
flags_of(const struct span *s)
{
	return (s->flags & (WIRE_FLAG_SAMPLED | WIRE_FLAG_RANDOM)) | FLAG_KNOWN |
	       (s->flags & WIRE_FLAG_REMOTE ? FLAG_REMOTE : 0);
}

/* The fixed part: ids, kind, two times, flags, each with its tag. */
enum { FIXED_LEN = 18 + 10 + 2 + 9 + 9 + 6 };

static uint32_t
span_len(const struct span *s)
{
	return FIXED_LEN + text_len(s->tracestate.len) + (s->parent_id != NULL ? 10 : 0) +
	       text_len(s->name.len) + s->attrs.len + count_len(s->attrs.dropped) + s->events.len +
	       count_len(s->events.dropped) + s->links.len + count_len(s->links.dropped) +
	       status_field_len(s);
}

static uint8_t *
put_bytes(uint8_t *p, uint8_t tag, const void *bytes, uint32_t n)
{
	*p++ = tag;
	p = varint_put(p, n);
	memcpy(p, bytes, n);
	return p + n;
}

static uint8_t *
put_text(uint8_t *p, uint8_t tag, struct text t)
{
	return t.len == 0 ? p : put_bytes(p, tag, t.s, t.len);
}

static uint8_t *
put_list(uint8_t *p, uint8_t dropped_tag, const struct span_list *list)
{
	if (list->len != 0) {
		memcpy(p, list->bytes, list->len);
		p += list->len;
	}
	if (list->dropped != 0) {
		*p++ = dropped_tag;
		p = varint_put(p, list->dropped);
	}
	return p;
}

/* One ScopeSpans.spans, its length known. Fields in the order of their numbers, as protobuf-c
 * writes them. */
static uint8_t *
put_span(uint8_t *p, const struct span *s, uint32_t len)
{
	uint32_t status = status_len(s), flags = flags_of(s);

	*p++ = TAG(2, TAG_BYTES);
	p = varint_put(p, len);
	p = put_bytes(p, TAG(1, TAG_BYTES), s->trace_id, WIRE_TRACE_ID);
	p = put_bytes(p, TAG(2, TAG_BYTES), s->span_id, WIRE_SPAN_ID);
	p = put_text(p, TAG(3, TAG_BYTES), s->tracestate);
	if (s->parent_id != NULL)
		p = put_bytes(p, TAG(4, TAG_BYTES), s->parent_id, WIRE_SPAN_ID);
	p = put_text(p, TAG(5, TAG_BYTES), s->name);
	*p++ = TAG(6, TAG_VARINT);
	*p++ = s->kind;
	p = put_fixed64(p, TAG(7, TAG_FIXED64), s->start);
	p = put_fixed64(p, TAG(8, TAG_FIXED64), s->end);
	p = put_list(p, TAG(10, TAG_VARINT), &s->attrs);
	p = put_list(p, TAG(12, TAG_VARINT), &s->events);
	p = put_list(p, TAG(14, TAG_VARINT), &s->links);
	if (status != 0) {
		*p++ = TAG(15, TAG_BYTES);
		p = varint_put(p, status);
		p = put_text(p, TAG(2, TAG_BYTES), s->message);
		if (s->status != 0) {
			*p++ = TAG(3, TAG_VARINT);
			*p++ = s->status;
		}
	}
	*p++ = 0x85; /* field 16, fixed32: the first field whose tag takes two bytes */
	*p++ = 0x01;
	*p++ = (uint8_t)flags;
	*p++ = (uint8_t)(flags >> 8);
	*p++ = 0;
	*p++ = 0;
	return p;
}

/* The instrumentation scope of every span: this program. */
static uint8_t *
put_scope(uint8_t *p)
{
	static const char name[] = "sidecard", version[] = VERSION;

	*p++ = TAG(1, TAG_BYTES);
	*p++ = (uint8_t)(2 + sizeof(name) - 1 + 2 + sizeof(version) - 1);
	p = put_text(p, TAG(1, TAG_BYTES), TEXT(name));
	return put_text(p, TAG(2, TAG_BYTES), TEXT(version));
}

struct otlp_trace *
otlp_trace_init(void *mem, struct resources *resources)
{
	struct otlp_trace *t = mem;
	/* Chunks begin at a multiple of their size, so that each touches its own pages only. */
	uintptr_t chunks = (uintptr_t)mem + sizeof(*t) + sizeof(struct chunk) - 1;

	t->resources = resources;
	t->scope_len = (uint32_t)(put_scope(t->scope) - t->scope);
	pool_init(&t->chunks,
	    (uint8_t *)mem +
		(chunks / sizeof(struct chunk) * sizeof(struct chunk) - (uintptr_t)mem),
	    sizeof(struct chunk), OTLP_TRACE_CHUNKS);
	return t;
}

/* An empty chunk at the end of the area. NULL: none is left. */
static struct chunk *
grow(struct otlp_trace *t, struct area *area)
{
	uint32_t n = pool_take(&t->chunks);
	struct chunk *chunk;

	if (n == 0)
		return NULL;
	chunk = pool_at(&t->chunks, n);
	chunk->next = chunk->len = chunk->spans = chunk->continues = 0;
	if (area->last != 0)
		((struct chunk *)pool_at(&t->chunks, area->last))->next = n;
	else
		area->first = n;
	area->last = n;
	return chunk;
}

/* A span that no chunk holds: all its chunks or none. */
static bool
append_large(
    struct otlp_trace *t, struct area *area, const struct span *s, uint32_t len, uint32_t total)
{
	uint32_t need = (total + CHUNK_ROOM - 1) / CHUNK_ROOM;

	if (total > SPAN_MAX || t->chunks.used + need >= t->chunks.count)
		return false;
	put_span(t->large, s, len);
	for (uint32_t at = 0; at < total; at += CHUNK_ROOM) {
		struct chunk *chunk = grow(t, area);
		uint32_t part = total - at < CHUNK_ROOM ? total - at : CHUNK_ROOM;

		memcpy(chunk->bytes, t->large + at, part);
		chunk->len = part;
		chunk->spans = at == 0;
		chunk->continues = at + part < total;
	}
	return true;
}

bool
otlp_trace_append(struct otlp_trace *t, struct resource *resource, const struct span *s)
{
	struct area *area = &t->areas[resource->number];
	uint32_t len = span_len(s);
	uint32_t total = 1 + varint_len(len) + len;

	if (total > CHUNK_ROOM) {
		if (!append_large(t, area, s, len, total))
			return false;
	} else {
		struct chunk *chunk = area->last != 0 ? pool_at(&t->chunks, area->last) : NULL;

		if ((chunk == NULL || CHUNK_ROOM - chunk->len < total) &&
		    (chunk = grow(t, area)) == NULL)
			return false;
		put_span(chunk->bytes + chunk->len, s, len);
		chunk->len += total;
		chunk->spans++;
	}
	t->waiting += total;
	if (area->resource == NULL) {
		area->resource = resource;
		resource_hold(resource);
		if (t->last != 0)
			t->areas[t->last].next = resource->number;
		else
			t->first = resource->number;
		t->last = resource->number;
		area->next = 0;
	}
	return true;
}

/* How many bytes of the area's whole spans fit into room, from its first chunk on; at least its
 * first span's or chunk's when `must`. *end: the chunk after them. */
static uint32_t
measure(const struct otlp_trace *t, const struct area *area, size_t room, bool must, uint32_t *end)
{
	uint32_t bytes = 0, n = area->first;

	*end = n;
	while (n != 0) {
		const struct chunk *chunk = pool_at(&t->chunks, n);
		uint32_t run = chunk->len;

		while (chunk->continues) {
			chunk = pool_at(&t->chunks, chunk->next);
			run += chunk->len;
		}
		if (bytes + run > room && !(must && bytes == 0))
			break;
		bytes += run;
		*end = n = chunk->next;
	}
	return bytes;
}

/* Copy the chunks up to `end` and give them back; returns how many spans they held. */
static uint64_t
take(struct otlp_trace *t, struct area *area, uint32_t end, struct buf *out)
{
	uint64_t spans = 0;

	while (area->first != end) {
		uint32_t n = area->first;
		const struct chunk *chunk = pool_at(&t->chunks, n);

		buf_put(out, chunk->bytes, chunk->len);
		spans += chunk->spans;
		t->waiting -= chunk->len;
		area->first = chunk->next;
		pool_give(&t->chunks, n);
	}
	if (area->first == 0)
		area->last = 0;
	return spans;
}

static void
put_head(struct buf *out, uint8_t tag, uint32_t len)
{
	uint8_t head[6] = { tag };

	buf_put(out, head, (size_t)(varint_put(head + 1, len) - head));
}

/* The bytes around an area's spans, scope and resource included, are at most this many beside the
 * resource's. */
enum { ENVELOPE_MAX = 128 };

unsigned
otlp_trace_seal(
    struct otlp_trace *t, struct buf *out, size_t most, struct otlp_share *shares, unsigned max)
{
	unsigned n = 0;

	while (t->first != 0 && n < max) {
		struct area *area = &t->areas[t->first];
		struct resource *r = area->resource;
		size_t around = ENVELOPE_MAX + r->len, room;
		uint32_t end, spans_len;

		room = most > out->len + around ? most - out->len - around : 0;
		spans_len = measure(t, area, room, n == 0, &end);
		if (spans_len == 0)
			break;

		uint32_t scope_spans = t->scope_len + spans_len;
		uint32_t resource_spans =
		    1 + varint_len(r->len) + r->len + 1 + varint_len(scope_spans) + scope_spans;

		put_head(out, TAG(1, TAG_BYTES), resource_spans); /* TraceRequest.resource_spans */
		put_head(out, TAG(1, TAG_BYTES), r->len);         /* ResourceSpans.resource */
		buf_put(out, r->bytes, r->len);
		put_head(out, TAG(2, TAG_BYTES), scope_spans); /* ResourceSpans.scope_spans */
		buf_put(out, t->scope, t->scope_len);
		shares[n++] = (struct otlp_share){ r->service, take(t, area, end, out) };
		if (area->first != 0)
			break; /* the rest of it goes into the next request */
		t->first = area->next;
		if (t->first == 0)
			t->last = 0;
		area->resource = NULL;
		resource_drop(t->resources, r);
	}
	return n;
}
