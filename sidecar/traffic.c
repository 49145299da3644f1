#include "traffic.h"

#include "pack.h"
#include "red.h"

#include <math.h>

static bool
is_defined(const struct session *s, const struct word *w)
{
	return w->kind != WORD_ID || strings_find(&s->strings, w->n) != 0;
}

/* The meter's topic of a name that is defined, remembered beside an interned string. */
static struct topic *
topic_of(struct session *s, const struct word *w)
{
	struct core *c = s->core;
	struct string *string = NULL;
	struct topic *topic;
	struct text name;

	if (w->kind == WORD_ID) {
		string = strings_at(&c->strings, strings_find(&s->strings, w->n));
		if (string->topic != NULL)
			return string->topic;
	}
	peer_text(s, w, 0, &name);
	topic = meter_topic(c->parts.meter, s->service, name);
	if (string != NULL)
		string->topic = topic;
	return topic;
}

static bool
is_partition(uint64_t partition)
{
	return partition == EVENT_NIL || partition <= INT32_MAX;
}

/* A count that may be nil: 1 then. False: invalid. */
static bool
count_of(uint64_t number, uint64_t *count)
{
	*count = number == EVENT_NIL ? 1 : number;
	return *count != 0 && *count <= INT64_MAX;
}

enum verdict
traffic_produced(struct session *s, const struct event *e, struct now now)
{
	uint64_t produced_at = e->produced_at, count;

	if (!is_defined(s, &e->name))
		return UNKNOWN_STRING;
	if (!is_partition(e->partition) || !peer_time(&produced_at, now) ||
	    !count_of(e->number, &count))
		return INVALID;
	meter_produced(s->core->parts.meter, topic_of(s, &e->name), count);
	return ACCEPTED;
}

enum verdict
traffic_consumed(struct session *s, const struct event *e, struct now now)
{
	uint64_t produced_at = e->produced_at, consumed_at = e->time;

	if (!is_defined(s, &e->name))
		return UNKNOWN_STRING;
	if (!is_partition(e->partition))
		return INVALID;
	if (produced_at == EVENT_NIL)
		produced_at = 0; /* as the meter has it: not known */
	else if (!peer_time(&produced_at, now))
		return INVALID;
	if (!peer_time(&consumed_at, now))
		return INVALID;
	if ((e->trace_id == NULL) != (e->span_id == NULL))
		return INVALID;
	if (e->trace_id != NULL && (!peer_trace_id(e->trace_id) || !peer_span_id(e->span_id)))
		return INVALID;
	meter_consumed(s->core->parts.meter, topic_of(s, &e->name), produced_at, consumed_at);
	return ACCEPTED;
}

enum verdict
traffic_error(struct session *s, const struct event *e)
{
	struct text topic, type;
	uint64_t count;

	if (!peer_text(s, &e->name, 0, &topic) || !peer_text(s, &e->detail, 1, &type))
		return UNKNOWN_STRING;
	if (!count_of(e->number, &count) || e->code >= WIRE_SIDES)
		return INVALID;
	meter_error(s->core->parts.meter, s->service, (enum wire_side)e->code, topic, type, count);
	return ACCEPTED;
}

enum verdict
traffic_lag(struct session *s, const struct event *e, struct now now)
{
	struct meter *m = s->core->parts.meter;
	uint64_t as_of = e->time == EVENT_NIL ? 0 : e->time;
	uint32_t partition = (uint32_t)e->partition;

	if (!is_defined(s, &e->name))
		return UNKNOWN_STRING;
	if (e->partition > INT32_MAX || (e->number != EVENT_NIL && e->number > INT64_MAX) ||
	    (e->time != EVENT_NIL && !peer_time(&as_of, now)))
		return INVALID;
	if (e->number == EVENT_NIL) {
		meter_lag_revoked(m, topic_of(s, &e->name), partition, s->serial);
		return ACCEPTED;
	}
	if (meter_lag(m, topic_of(s, &e->name), partition, e->number, as_of, s->serial, now.wall,
		now.mono) != METER_OK)
		return LAG_CAP;
	return ACCEPTED;
}

/* False: not finite, outside int64, or a counter that falls. */
static bool
measured(const struct event *e, double *value)
{
	struct pack t;

	pack_read(e->value, &t);
	if (t.kind == PACK_FLOAT)
		*value = t.d;
	else if (t.kind == PACK_UINT && t.u > INT64_MAX)
		return false;
	else
		*value = (double)t.i;
	return isfinite(*value) && !(e->code == WIRE_COUNTER && *value < 0);
}

/* Without a letter or digit nothing but "_" would be left of it on /metrics. */
static bool
nameless(struct text name)
{
	for (uint32_t i = 0; i < name.len; i++) {
		char c = name.s[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			return false;
	}
	return true;
}

enum verdict
traffic_measure(struct session *s, const struct event *e)
{
	struct core *c = s->core;
	struct span_list attrs;
	struct text name, unit;
	double value;

	if (!peer_text(s, &e->name, 0, &name))
		return UNKNOWN_STRING;
	if (nameless(name))
		return INVALID;
	if (!peer_text(s, &e->detail, 1, &unit))
		return UNKNOWN_STRING;
	if (!measured(e, &value))
		return INVALID;
	if (!peer_attrs(s, &e->attrs, ATTR_OF_SPAN))
		return UNKNOWN_STRING;
	if (e->code >= WIRE_INSTRUMENTS)
		return INVALID;
	if (red_reserved(name))
		return RESERVED_NAME;
	attrs = (struct span_list){ c->attrs.bytes, c->attrs.len, c->attrs.n, c->attrs.dropped };
	switch (meter_measure(c->parts.meter, s->service, s->serial, (enum wire_instrument)e->code,
	    name, unit, value, &attrs)) {
	case METER_CONFLICT: return INSTRUMENT_CONFLICT;
	case METER_FULL: return SERIES_FULL;
	case METER_LAG_CAP:
	case METER_OK: break;
	}
	return ACCEPTED;
}
