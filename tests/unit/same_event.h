/*
 * same_event.h -- whether two views of the same bytes say the same: every member that the event's type has.
 */
#ifndef SAME_EVENT_H
#define SAME_EVENT_H

#include "sidecar/event.h"

#include <stdbool.h>

static inline bool
same_word(const struct word *a, const struct word *b)
{
	return a->kind == b->kind &&
	       (a->kind == WORD_NONE || (a->n == b->n && (a->kind == WORD_ID || a->s == b->s)));
}

static inline bool
same_bag(const struct bag *a, const struct bag *b)
{
	return a->items == b->items && (a->items == NULL || a->n == b->n);
}

static inline bool
same_opening(const struct event *a, const struct event *b)
{
	return a->trace_id == b->trace_id && a->span_id == b->span_id &&
	       a->other_id == b->other_id && same_word(&a->name, &b->name) && a->code == b->code &&
	       a->time == b->time && a->flags == b->flags && same_bag(&a->attrs, &b->attrs) &&
	       same_word(&a->tracestate, &b->tracestate);
}

static inline bool
same_ending(const struct event *a, const struct event *b)
{
	return a->span_id == b->span_id && a->end == b->end && a->status == b->status &&
	       same_word(&a->detail, &b->detail) && same_bag(&a->attrs, &b->attrs);
}

static inline bool
same_event(const struct event *a, const struct event *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case WIRE_HELLO:
		return a->code == b->code && same_bag(&a->attrs, &b->attrs) &&
		       same_bag(&a->words, &b->words);
	case WIRE_STRING: return a->code == b->code && same_word(&a->name, &b->name);
	case WIRE_SPAN: return same_opening(a, b) && same_ending(a, b);
	case WIRE_START: return same_opening(a, b);
	case WIRE_END: return same_ending(a, b);
	case WIRE_PRODUCED:
		return same_word(&a->name, &b->name) && a->partition == b->partition &&
		       a->produced_at == b->produced_at && a->number == b->number;
	case WIRE_CONSUMED:
		return same_word(&a->name, &b->name) && a->partition == b->partition &&
		       a->produced_at == b->produced_at && a->time == b->time &&
		       a->trace_id == b->trace_id && a->span_id == b->span_id;
	case WIRE_ERROR:
		return a->code == b->code && same_word(&a->name, &b->name) &&
		       same_word(&a->detail, &b->detail) && a->number == b->number;
	case WIRE_LAG:
		return same_word(&a->name, &b->name) && a->partition == b->partition &&
		       a->number == b->number && a->time == b->time;
	case WIRE_STATS: return a->number == b->number && same_bag(&a->attrs, &b->attrs);
	case WIRE_ATTR:
		return a->span_id == b->span_id && same_word(&a->name, &b->name) &&
		       a->value == b->value;
	case WIRE_EVENT:
		return a->span_id == b->span_id && a->time == b->time &&
		       same_word(&a->name, &b->name) && same_bag(&a->attrs, &b->attrs);
	case WIRE_LINK:
		return a->span_id == b->span_id && a->trace_id == b->trace_id &&
		       a->other_id == b->other_id && same_bag(&a->attrs, &b->attrs) &&
		       same_word(&a->tracestate, &b->tracestate);
	case WIRE_MEASURE:
		return a->code == b->code && same_word(&a->name, &b->name) &&
		       same_word(&a->detail, &b->detail) && a->value == b->value &&
		       same_bag(&a->attrs, &b->attrs);
	default: return true;
	}
}

#endif
