#include "timeline.h"

#include "annotation.h"
#include "stat.h"

/* ---- fields */

static uint8_t
known_flags(uint64_t flags)
{
	return flags & (WIRE_FLAG_SAMPLED | WIRE_FLAG_RANDOM | WIRE_FLAG_REMOTE);
}

/* What SPAN and START begin with, up to the start time. */
static enum verdict
read_opening(struct session *s, const struct event *e, struct now now, struct opening *o)
{
	o->start = e->time;
	if (!peer_trace_id(e->trace_id) || !peer_span_id(e->span_id))
		return INVALID;
	if (e->other_id != NULL && !peer_span_id(e->other_id))
		return INVALID;
	if (!peer_text(s, &e->name, 0, &o->name))
		return UNKNOWN_STRING;
	if (!peer_time(&o->start, now))
		return INVALID;
	o->trace_id = e->trace_id;
	o->span_id = e->span_id;
	o->parent_id = e->other_id;
	o->flags = known_flags(e->flags);
	o->kind = e->code == WIRE_KIND_UNSPECIFIED ? WIRE_KIND_INTERNAL : (uint8_t)e->code;
	return ACCEPTED;
}

/* Whether a tracestate, or the definition of its id, was cut within an entry. */
static bool
is_torn(const struct session *s, const struct word *w, struct text kept)
{
	if (w->kind == WORD_STR)
		return w->n > kept.len && w->s[kept.len] != ',';
	return w->kind == WORD_ID &&
	       strings_at(&s->core->strings, strings_find(&s->strings, w->n))->torn;
}

/* The length of a list without the entry that lost its end, as W3C Trace Context asks. */
static uint32_t
whole_entries(struct text torn)
{
	uint32_t len = torn.len;

	while (len > 0 && torn.s[len - 1] != ',')
		len--;
	return len > 0 ? len - 1 : 0;
}

static enum verdict
read_attrs_and_tracestate(
    struct session *s, const struct event *e, enum attr_tag tag, struct text *tracestate)
{
	if (!peer_attrs(s, &e->attrs, tag) || !peer_text(s, &e->tracestate, 1, tracestate))
		return UNKNOWN_STRING;
	if (is_torn(s, &e->tracestate, *tracestate))
		tracestate->len = whole_entries(*tracestate);
	return ACCEPTED;
}

/* ---- ends */

static void
finish(struct session *s, struct span *span, enum span_end end)
{
	struct core *c = s->core;
	bool resumed = s->resume && (end == SPAN_PROTOCOL || end == SPAN_SHUTDOWN);

	if (span->end < span->start) {
		stats.end_before_start++;
		span->end = span->start;
	}
	finish_span(c->parts.finish, s->service, s->resource, span, end, resumed);
}

void
timeline_abandon(struct session *s, uint32_t number, enum span_end cause, struct now now)
{
	struct span *span = assemble_take(s->core->assemble, number);

	s->service->ledger.open--;
	span->end = now.wall.ns > span->start ? now.wall.ns : span->start;
	finish(s, span, cause);
}

/* ---- events */

enum verdict
timeline_span(struct session *s, const struct event *e, struct now now)
{
	struct opening o;
	struct span span;
	uint64_t end = e->end;
	struct text message, tracestate;
	enum verdict verdict = read_opening(s, e, now, &o);

	if (verdict != ACCEPTED)
		return verdict;
	if (!peer_time(&end, now))
		return INVALID;
	if (!peer_text(s, &e->detail, 2, &message))
		return UNKNOWN_STRING;
	verdict = read_attrs_and_tracestate(s, e, ATTR_OF_SPAN, &tracestate);
	if (verdict != ACCEPTED)
		return verdict;
	if (e->code >= WIRE_KINDS || e->status >= WIRE_STATUSES)
		return INVALID;
	span = (struct span){
		.trace_id = o.trace_id,
		.span_id = o.span_id,
		.parent_id = o.parent_id,
		.name = o.name,
		.tracestate = tracestate,
		.message = message,
		.start = o.start,
		.end = end,
		.kind = o.kind,
		.status = (uint8_t)e->status,
		.flags = o.flags,
		.attrs = { s->core->attrs.bytes, s->core->attrs.len, s->core->attrs.n,
		    s->core->attrs.dropped },
	};
	s->service->ledger.started++;
	finish(s, &span, SPAN_FINISHED);
	return ACCEPTED;
}

/* Make room in a full table: not at the cost of peers that hold less. */
static void
evict(struct core *c, struct now now)
{
	uint32_t victim = assemble_victim(c->assemble);
	struct session *of = pool_at(&c->sessions, assemble_peer(c->assemble, victim));

	timeline_abandon(of, victim, SPAN_EVICTED, now);
}

enum verdict
timeline_start(struct session *s, const struct event *e, struct now now)
{
	struct core *c = s->core;
	struct opening o;
	enum assemble_outcome outcome;
	enum verdict verdict = read_opening(s, e, now, &o);

	if (verdict != ACCEPTED)
		return verdict;
	verdict = read_attrs_and_tracestate(s, e, ATTR_OF_SPAN, &o.tracestate);
	if (verdict != ACCEPTED)
		return verdict;
	if (e->code >= WIRE_KINDS)
		return INVALID;
	o.name_string = e->name.kind == WORD_ID ? strings_find(&s->strings, e->name.n) : 0;
	o.now_ms = (uint32_t)(now.mono.ns / CLOCK_MILLI);
	o.attrs = &c->attrs;
	while ((outcome = assemble_start(c->assemble, s->number, &o, &c->tally)) == ASSEMBLE_FULL)
		evict(c, now);
	if (outcome == ASSEMBLE_DUPLICATE)
		return DUPLICATE_START;
	s->service->ledger.started++;
	s->service->ledger.open++;
	return ACCEPTED;
}

enum verdict
timeline_end(struct session *s, const struct event *e, struct now now)
{
	struct core *c = s->core;
	uint64_t end = e->end;
	struct text message;
	struct span *span;

	if (!peer_span_id(e->span_id) || !peer_time(&end, now))
		return INVALID;
	if (!peer_text(s, &e->detail, 2, &message) || !peer_attrs(s, &e->attrs, ATTR_OF_SPAN))
		return UNKNOWN_STRING;
	if (e->status >= WIRE_STATUSES)
		return INVALID;
	span = assemble_end(c->assemble, s->number, e->span_id, &c->attrs, &c->tally);
	if (span == NULL)
		return UNMATCHED;
	s->service->ledger.open--;
	span->end = end;
	span->status = (uint8_t)e->status;
	span->message = message;
	finish(s, span, SPAN_FINISHED);
	return ACCEPTED;
}

enum verdict
timeline_attr(struct session *s, const struct event *e)
{
	struct core *c = s->core;
	struct text key;
	uint32_t number;

	if (!peer_span_id(e->span_id))
		return INVALID;
	if (!peer_text(s, &e->name, 0, &key))
		return UNKNOWN_STRING;
	number = assemble_find(c->assemble, s->number, e->span_id);
	if (number == 0)
		return UNMATCHED;
	attrs_begin(&c->attrs, ATTR_OF_SPAN);
	attrs_put(&c->attrs, key, strings_hash(&c->strings, key), e->value, &c->tally);
	assemble_attrs(c->assemble, number, &c->attrs, &c->tally);
	return ACCEPTED;
}

static enum verdict
collected(enum details_outcome outcome)
{
	switch (outcome) {
	case DETAILS_SPAN_FULL: return SPAN_FULL;
	case DETAILS_STORE_FULL: return ATTRIBUTE_STORE_FULL;
	case DETAILS_OK: break;
	}
	return ACCEPTED;
}

enum verdict
timeline_event(struct session *s, const struct event *e, struct now now)
{
	struct core *c = s->core;
	uint64_t time = e->time;
	struct text name;
	uint32_t number;

	if (!peer_span_id(e->span_id) || !peer_time(&time, now))
		return INVALID;
	if (!peer_text(s, &e->name, 0, &name) || !peer_attrs(s, &e->attrs, ATTR_OF_EVENT))
		return UNKNOWN_STRING;
	number = assemble_find(c->assemble, s->number, e->span_id);
	if (number == 0)
		return UNMATCHED;
	return collected(assemble_event(
	    c->assemble, number, annotation_event(c->annotation, time, name, &c->attrs)));
}

enum verdict
timeline_link(struct session *s, const struct event *e)
{
	struct core *c = s->core;
	struct text tracestate;
	enum verdict verdict;
	uint32_t number;

	if (!peer_span_id(e->span_id) || !peer_trace_id(e->trace_id) || !peer_span_id(e->other_id))
		return INVALID;
	verdict = read_attrs_and_tracestate(s, e, ATTR_OF_LINK, &tracestate);
	if (verdict != ACCEPTED)
		return verdict;
	number = assemble_find(c->assemble, s->number, e->span_id);
	if (number == 0)
		return UNMATCHED;
	return collected(assemble_link(c->assemble, number,
	    annotation_link(c->annotation, e->trace_id, e->other_id, tracestate, &c->attrs)));
}
