#include "shape.h"

#include "pack.h"

#include <stddef.h>

enum form {
	TRACE_ID, /* bin16 */
	SPAN_ID,  /* bin8 */
	TEXT,     /* str or uint */
	STR,
	UINT,
	ATTRS,    /* map of text to anything */
	RESOURCE, /* map of str to anything */
	DROPS,    /* map of str to uint */
	WORDS,    /* array of str */
	NUMBER,   /* integer or float */
	ANY       /* anything but nil */
};

struct field {
	uint8_t at;   /* of its member in struct event */
	uint8_t form; /* enum form */
	bool nil;     /* may be nil */
};

#define AT(member) offsetof(struct event, member)
#define NEED(form, member)              \
	{                               \
		AT(member), form, false \
	}
#define NIL(form, member)              \
	{                              \
		AT(member), form, true \
	}

enum { FIELDS = 12 };

/* PROTOCOL.md's table: the fields after the type, of which the last may be left out. */
static const struct layout {
	uint8_t needed, n;
	struct field field[FIELDS];
} layouts[WIRE_TYPES] = {
	[WIRE_HELLO] = { 2, 3, { NEED(UINT, code), NEED(RESOURCE, attrs), NIL(WORDS, words) } },
	[WIRE_STRING] = { 2, 2, { NEED(UINT, code), NEED(STR, name) } },
	[WIRE_SPAN] = { 9, 12,
	    { NEED(TRACE_ID, trace_id), NEED(SPAN_ID, span_id), NIL(SPAN_ID, other_id),
		NEED(TEXT, name), NEED(UINT, code), NIL(UINT, time), NEED(UINT, flags),
		NIL(UINT, end), NEED(UINT, status), NIL(TEXT, detail), NIL(ATTRS, attrs),
		NIL(TEXT, tracestate) } },
	[WIRE_START] = { 7, 9,
	    { NEED(TRACE_ID, trace_id), NEED(SPAN_ID, span_id), NIL(SPAN_ID, other_id),
		NEED(TEXT, name), NEED(UINT, code), NIL(UINT, time), NEED(UINT, flags),
		NIL(ATTRS, attrs), NIL(TEXT, tracestate) } },
	[WIRE_END] = { 3, 5,
	    { NEED(SPAN_ID, span_id), NIL(UINT, end), NEED(UINT, status), NIL(TEXT, detail),
		NIL(ATTRS, attrs) } },
	[WIRE_PRODUCED] = { 3, 4,
	    { NEED(TEXT, name), NIL(UINT, partition), NIL(UINT, produced_at), NIL(UINT, number) } },
	[WIRE_CONSUMED] = { 4, 6,
	    { NEED(TEXT, name), NIL(UINT, partition), NIL(UINT, produced_at), NIL(UINT, time),
		NIL(TRACE_ID, trace_id), NIL(SPAN_ID, span_id) } },
	[WIRE_ERROR] = { 3, 4,
	    { NEED(UINT, code), NIL(TEXT, name), NEED(TEXT, detail), NIL(UINT, number) } },
	[WIRE_LAG] = { 3, 4,
	    { NEED(TEXT, name), NEED(UINT, partition), NIL(UINT, number), NIL(UINT, time) } },
	[WIRE_STATS] = { 1, 2, { NEED(UINT, number), NIL(DROPS, attrs) } },
	[WIRE_BYE] = { 0, 0, { { 0 } } },
	[WIRE_ATTR] = { 3, 3, { NEED(SPAN_ID, span_id), NEED(TEXT, name), NEED(ANY, value) } },
	[WIRE_EVENT] = { 3, 4,
	    { NEED(SPAN_ID, span_id), NIL(UINT, time), NEED(TEXT, name), NIL(ATTRS, attrs) } },
	[WIRE_LINK] = { 3, 5,
	    { NEED(SPAN_ID, span_id), NEED(TRACE_ID, trace_id), NEED(SPAN_ID, other_id),
		NIL(ATTRS, attrs), NIL(TEXT, tracestate) } },
	[WIRE_MEASURE] = { 4, 5,
	    { NEED(UINT, code), NEED(TEXT, name), NIL(TEXT, detail), NEED(NUMBER, value),
		NIL(ATTRS, attrs) } },
};

_Static_assert(sizeof(struct event) <= UINT8_MAX, "a member's place fits struct field");

/* EVENT_NIL stands for none: a real one becomes another number whose bits of flags are the same. */
static uint64_t
natural(const struct pack *t)
{
	return t->u < EVENT_NIL ? t->u : EVENT_NIL - (WIRE_FLAG_REMOTE << 1);
}

static bool
text_of(const struct pack *t, struct word *w)
{
	if (t->kind == PACK_STR)
		*w = (struct word){ (const char *)t->bytes, t->n, WORD_STR };
	else if (t->kind == PACK_UINT)
		*w =
		    (struct word){ NULL, t->u < UINT32_MAX ? (uint32_t)t->u : UINT32_MAX, WORD_ID };
	else
		return false;
	return true;
}

/* Whether a map's keys are str (or ids too), and its values uints where they must be. */
static bool
keys_are(const uint8_t *p, uint32_t pairs, bool ids, bool uints)
{
	struct pack t;

	for (; pairs != 0; pairs--) {
		pack_read(p, &t);
		if (t.kind != PACK_STR && !(ids && t.kind == PACK_UINT))
			return false;
		p = pack_skip(p);
		pack_read(p, &t);
		if (uints && t.kind != PACK_UINT)
			return false;
		p = pack_skip(p);
	}
	return true;
}

static bool
words_are_str(const uint8_t *p, uint32_t n)
{
	struct pack t;

	for (; n != 0; n--) {
		p = pack_read(p, &t);
		if (t.kind != PACK_STR)
			return false;
	}
	return true;
}

static bool
bag_of(enum pack_kind kind, const struct pack *t, const uint8_t *inside, struct bag *b)
{
	if (t->kind != kind)
		return false;
	*b = (struct bag){ inside, t->n };
	return true;
}

static void
set_none(enum form form, void *member)
{
	switch (form) {
	case TRACE_ID:
	case SPAN_ID:
	case NUMBER:
	case ANY: *(const uint8_t **)member = NULL; break;
	case TEXT:
	case STR: *(struct word *)member = (struct word){ .kind = WORD_NONE }; break;
	case UINT: *(uint64_t *)member = EVENT_NIL; break;
	case ATTRS:
	case RESOURCE:
	case DROPS:
	case WORDS: *(struct bag *)member = (struct bag){ .items = NULL }; break;
	}
}

static bool
set(enum form form, void *member, const uint8_t *p, const uint8_t *inside, const struct pack *t)
{
	struct bag *bag = member;

	switch (form) {
	case TRACE_ID:
	case SPAN_ID:
		if (t->kind != PACK_BIN ||
		    t->n != (form == TRACE_ID ? (uint32_t)WIRE_TRACE_ID : (uint32_t)WIRE_SPAN_ID))
			return false;
		*(const uint8_t **)member = t->bytes;
		return true;
	case TEXT: return text_of(t, member);
	case STR: return t->kind == PACK_STR && text_of(t, member);
	case UINT:
		if (t->kind != PACK_UINT)
			return false;
		*(uint64_t *)member = natural(t);
		return true;
	case ATTRS: return bag_of(PACK_MAP, t, inside, bag) && keys_are(inside, t->n, true, false);
	case RESOURCE:
		return bag_of(PACK_MAP, t, inside, bag) && keys_are(inside, t->n, false, false);
	case DROPS: return bag_of(PACK_MAP, t, inside, bag) && keys_are(inside, t->n, false, true);
	case WORDS: return bag_of(PACK_ARRAY, t, inside, bag) && words_are_str(inside, t->n);
	case NUMBER:
		*(const uint8_t **)member = p;
		return t->kind == PACK_UINT || t->kind == PACK_INT || t->kind == PACK_FLOAT;
	case ANY: *(const uint8_t **)member = p; return true;
	}
	return false;
}

bool
shape_read(const uint8_t *p, struct event *e)
{
	struct pack t;
	const struct layout *l;
	uint32_t given;

	e->type = EVENT_NIL;
	e->code = EVENT_NIL;
	p = pack_read(p, &t);
	given = t.n;
	if (given == 0)
		return false;
	p = pack_read(p, &t);
	if (t.kind != PACK_UINT)
		return false;
	e->type = natural(&t);
	if (e->type >= WIRE_TYPES)
		return true;
	l = &layouts[e->type];
	if (--given < l->needed) {
		/* A HELLO of another version may have other fields. */
		if (e->type == WIRE_HELLO && given > 0 && pack_read(p, &t) && t.kind == PACK_UINT)
			e->code = natural(&t);
		return false;
	}
	for (uint32_t i = 0; i < l->n; i++) {
		const struct field *f = &l->field[i];
		void *member = (char *)e + f->at;
		const uint8_t *inside;

		if (i >= given) {
			set_none((enum form)f->form, member);
			continue;
		}
		inside = pack_read(p, &t);
		if (t.kind == PACK_NIL && f->nil)
			set_none((enum form)f->form, member);
		else if (t.kind == PACK_NIL || !set((enum form)f->form, member, p, inside, &t))
			return false;
		p = pack_skip(p);
	}
	return true;
}
