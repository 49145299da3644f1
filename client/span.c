/* Spans: START, ATTR, EVENT, LINK, END. */
#include <string.h>

#include "clock.h"
#include "copy.h"
#include "emit.h"
#include "sidecar.h"
#include "whole.h"

enum {
	/* Without attributes and the texts of the user, which are at most ENCODE_TEXT. */
	FIXED = RECORD_HEADER + 64,
	START_BOUND = FIXED + ENCODE_TEXT,
	END_BOUND = FIXED + ENCODE_TEXT + WHOLE_MAX,
};

static uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool
is_context(const struct sidecar_context *c)
{
	return c != NULL && (load64(c->trace_id) | load64(c->trace_id + 8)) != 0 &&
	       load64(c->span_id) != 0;
}

/* The head of an event whose first field is a span id. */
static inline uint8_t *
put_head(uint8_t *p, unsigned fields, unsigned type, const uint8_t id[WIRE_SPAN_ID])
{
	*p++ = (uint8_t)(0x90 | fields);
	*p++ = (uint8_t)type;
	return encode_span_id(p, id);
}

/* The ring for an event of this span: of the thread that started it as long as no other touched it.
 * NULL: the common one, from now on, so that what both say stays in order. */
static inline struct ring *
ring_of(struct sidecar_span *span)
{
	local_enter(span->owner);
	if (__builtin_expect(span->thread == local_self.writer, 1))
		return local_self.ring;
	span->thread = 0;
	return NULL;
}

/* NULL: nothing to do for this span. */
static inline struct sidecar *
owner_of(const struct sidecar_span *span)
{
	struct sidecar *sc = span != NULL ? span->owner : NULL;

	/* What a fork's parent started is its own to end: its connection has the START. */
	return sc != NULL && span->connection >= sc->first_connection ? sc : NULL;
}

static inline bool
bad_time(uint64_t ns)
{
	return ns > INT64_MAX;
}

static inline uint64_t
not_zero(uint64_t id)
{
	return id != 0 ? id : 1;
}

/* Ids and flags of a new span, and whether it is exported. The trace id goes to *high and *low too,
 * so that it need not be read back from the span in another width just after. */
static inline void
identify(struct sidecar *sc, struct sidecar_span *span, struct random *random,
    const struct sidecar_context *parent, uint64_t *high, uint64_t *low)
{
	struct sidecar_context *c = &span->context;
	uint64_t ids[3];
	bool sampled = true;
	uint8_t flags = SIDECAR_RANDOM;

	random_ids(random, ids);
	if (parent != NULL) {
		flags = parent->flags & SIDECAR_RANDOM;
		sampled = (parent->flags & SIDECAR_SAMPLED) != 0;
		*high = load64(parent->trace_id);
		*low = load64(parent->trace_id + 8);
		span->parent = *parent; /* read before context is written: it may be that */
	} else {
		*high = ids[1];
		*low = not_zero(ids[2]);
		memset(&span->parent, 0, sizeof(span->parent));
	}
	if (parent == NULL || !sc->sampler.parent_based)
		sampled = sampler_takes(&sc->sampler, __builtin_bswap64(*low));
	memcpy(c->trace_id, high, sizeof(*high));
	memcpy(c->trace_id + 8, low, sizeof(*low));
	ids[0] = not_zero(ids[0]);
	memcpy(c->span_id, &ids[0], sizeof(ids[0]));
	c->flags = flags | (sampled ? SIDECAR_SAMPLED : 0);
	memset(c->reserved, 0, sizeof(c->reserved));
}

/* A span that was not taken passes its parent on. */
static void
pass_on(struct sidecar_span *span, const struct sidecar_context *parent)
{
	span->owner = NULL;
	if (is_context(parent))
		span->parent = *parent;
	else
		memset(&span->parent, 0, sizeof(span->parent));
	span->context = span->parent;
}

/* A name that is not interned is kept with the span, for its end. */
static uint8_t *
put_inline_name(uint8_t *p, struct sidecar_span *span, const char *name)
{
	uint8_t *end = encode_inline_text(p, name);
	size_t size = (size_t)(end - p), head = size > 32 ? 2 : 1;

	span->inlined = 1;
	span->name_size = (uint8_t)(size - head);
	span->kept_size = span->name_size;
	copy_short(span->kept, p + head, span->name_size);
	return end;
}

static inline uint8_t *
put_name(uint8_t *p, const struct intern *names, struct sidecar_span *span, const char *name,
    uint8_t kind)
{
	uint32_t id;
	bool known = intern_known(names, name, &id);

	whole_begin(span, (uint16_t)id, kind);
	if (__builtin_expect(!known, 0))
		return put_inline_name(p, span, name);
	return id < 0x80 ? encode_byte(p, id) : encode_uint_short(p, id);
}

static __attribute__((noinline)) uint8_t *
put_attrs(uint8_t *p, const struct emit *e, struct sidecar_span *span,
    const struct sidecar_attr *attrs, size_t n)
{
	struct encode_kept kept = { .room = sizeof(span->kept) - span->kept_size };
	uint8_t *end;

	end = encode_attrs(p, emit_limit(e) - 1, &e->sidecar->names, attrs, n, &kept);
	if (end == NULL || kept.attrs == 0)
		return end;
	copy_short(span->kept + span->kept_size, p + (n < 16 ? 1 : 3), kept.size);
	span->kept_size = (uint16_t)(span->kept_size + kept.size);
	span->kept_attrs = (uint8_t)kept.attrs;
	return end;
}

void
sidecar_span_start(struct sidecar *sc, struct sidecar_span *span, const char *name,
    enum sidecar_kind kind, const struct sidecar_context *parent, uint64_t start_ns,
    const struct sidecar_attr *attrs, size_t n)
{
	uint8_t taken_kind = kind - 1u < WIRE_KINDS - 1u ? (uint8_t)kind : WIRE_KIND_INTERNAL;
	uint64_t high, low;
	struct emit e;
	uint8_t *p;

	if (span == NULL)
		return;
	if (sc == NULL) {
		pass_on(span, parent);
		return;
	}
	if (__builtin_expect(bad_time(start_ns), 0)) {
		emit_dropped(sc, DROP_INVALID);
		pass_on(span, parent);
		return;
	}
	local_enter(sc);
	if (!is_context(parent))
		parent = NULL;
	identify(sc, span, &local_self.random, parent, &high, &low);
	span->owner = sc;
	span->thread = local_self.writer;
	span->connection = atomic_load_explicit(&sc->connection, memory_order_relaxed);
	span->start = start_ns != 0 ? start_ns : clock_now();

	emit_begin(&e, sc, local_self.ring, n == 0 ? START_BOUND : EMIT_ANY);
	p = e.event;
	*p++ = 0x9a;
	*p++ = WIRE_START;
	p = encode_trace_words(p, high, low);
	p = encode_span_id(p, span->context.span_id);
	p = parent != NULL ? encode_span_id(p, span->parent.span_id) : encode_nil(p);
	p = put_name(p, &sc->names, span, name, taken_kind);
	*p++ = taken_kind;
	p = encode_uint(p, span->start);
	*p++ = (uint8_t)(span->context.flags | (span->parent.flags & SIDECAR_REMOTE));
	p = n == 0 ? encode_nil(p) : put_attrs(p, &e, span, attrs, n);
	if (p != NULL)
		p = encode_nil(p); /* no tracestate */
	if (!emit_end(&e, p, p, span->connection, false))
		pass_on(span, &span->parent);
}

/* In a map of attributes the sidecar leaves out what has no value; an ATTR without one is malformed. */
static bool
has_value(const struct sidecar_attr *attr)
{
	return attr->type == SIDECAR_STR ? attr->value.s != NULL : attr->type <= SIDECAR_BOOL;
}

/* Keep one more attribute with the span, as it was encoded. */
static bool
keep(struct sidecar_span *span, const uint8_t *pair, const uint8_t *end)
{
	size_t size = (size_t)(end - pair);

	if (size > sizeof(span->kept) - span->kept_size || span->kept_attrs == WIRE_ATTRS_MAX)
		return false;
	copy_short(span->kept + span->kept_size, pair, size);
	span->kept_size = (uint16_t)(span->kept_size + size);
	span->kept_attrs++;
	return true;
}

void
sidecar_span_set(struct sidecar_span *span, const struct sidecar_attr *attrs, size_t n)
{
	struct sidecar *sc = owner_of(span);

	if (sc == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		struct emit e;
		uint8_t *pair, *end, *extra;

		if (!has_value(&attrs[i])) {
			emit_dropped(sc, DROP_INVALID);
			continue;
		}
		emit_begin(&e, sc, ring_of(span), EMIT_ANY);
		pair = put_head(e.event, 4, WIRE_ATTR, span->context.span_id);
		end = extra = encode_attr(pair, emit_limit(&e), &sc->names, &attrs[i]);
		/* A byte behind it says that nothing is lost should it not be written: record_header.extra. */
		if (end != NULL && keep(span, pair, end))
			*extra++ = 0;
		emit_end(&e, end, extra, span->connection, false);
	}
}

void
sidecar_span_event(struct sidecar_span *span, const char *name, uint64_t at_ns,
    const struct sidecar_attr *attrs, size_t n)
{
	struct sidecar *sc = owner_of(span);
	struct emit e;
	uint8_t *p;

	if (sc == NULL)
		return;
	if (bad_time(at_ns)) {
		emit_dropped(sc, DROP_INVALID);
		return;
	}
	if (at_ns == 0)
		at_ns = clock_now();
	emit_begin(&e, sc, ring_of(span), n == 0 ? START_BOUND : EMIT_ANY);
	p = put_head(e.event, 5, WIRE_EVENT, span->context.span_id);
	p = encode_uint(p, at_ns);
	p = encode_text(p, &sc->names, name);
	p = encode_attrs(p, emit_limit(&e), &sc->names, attrs, n, NULL);
	emit_end(&e, p, p, span->connection, false);
}

void
sidecar_span_link(struct sidecar_span *span, const struct sidecar_context *linked,
    const struct sidecar_attr *attrs, size_t n)
{
	struct sidecar *sc = owner_of(span);
	struct emit e;
	uint8_t *p;

	if (sc == NULL)
		return;
	if (!is_context(linked)) {
		emit_dropped(sc, DROP_INVALID);
		return;
	}
	emit_begin(&e, sc, ring_of(span), n == 0 ? START_BOUND : EMIT_ANY);
	p = put_head(e.event, 6, WIRE_LINK, span->context.span_id);
	p = encode_trace_id(p, linked->trace_id);
	p = encode_span_id(p, linked->span_id);
	p = encode_attrs(p, emit_limit(&e) - 1, &sc->names, attrs, n, NULL);
	if (p != NULL)
		p = encode_nil(p); /* no tracestate */
	emit_end(&e, p, p, span->connection, false);
}

void
sidecar_span_end(struct sidecar_span *span, enum sidecar_status status, const char *message,
    uint64_t end_ns, const struct sidecar_attr *attrs, size_t n)
{
	struct sidecar *sc = owner_of(span);
	struct emit e;
	uint8_t *p, *attrs_at;

	if (sc == NULL)
		return;
	/* A clock that was set back, or an end before the start, is the sidecar's to see and count. */
	if (end_ns == 0 || bad_time(end_ns))
		end_ns = clock_now();
	emit_begin(&e, sc, ring_of(span), n == 0 ? END_BOUND : EMIT_ANY);
	p = put_head(e.event, 6, WIRE_END, span->context.span_id);
	p = encode_uint(p, end_ns);
	*p++ = (unsigned)status < WIRE_STATUSES ? (uint8_t)status : WIRE_STATUS_UNSET;
	p = message == NULL ? encode_nil(p) : encode_text(p, &sc->names, message);
	attrs_at = p;
	p = n == 0 ? encode_nil(p) : encode_attrs(p, emit_limit(&e), &sc->names, attrs, n, NULL);
	if (__builtin_expect(p == NULL, 0)) {
		/* They are too large. Without its END the span would stay open in the sidecar. */
		emit_dropped(sc, DROP_LARGE);
		p = encode_nil(attrs_at);
	}
	emit_end(&e, p, whole_keep(p, span, (size_t)(attrs_at - e.event)), span->connection, true);
	span->owner = NULL;
}
