#include "session.h"

#include "annotation.h"
#include "greeting.h"
#include "stat.h"
#include "timeline.h"
#include "traffic.h"

static const struct {
	const char *name;
	uint64_t *counter;
} faults[FAULTS] = {
	[FAULT_MALFORMED] = { "malformed", &stats.bad_malformed },
	[FAULT_OVERSIZED] = { "oversized", &stats.bad_oversized },
	[FAULT_TOO_DEEP] = { "too_deep", &stats.bad_too_deep },
	[FAULT_NO_HELLO] = { "no_hello", &stats.bad_no_hello },
	[FAULT_REPEATED_HELLO] = { "repeated_hello", &stats.bad_repeated_hello },
	[FAULT_VERSION] = { "version", &stats.bad_version },
	[FAULT_STRING_REDEFINED] = { "string_redefined", &stats.bad_string_redefined },
	[FAULT_TOO_MANY_STRINGS] = { "too_many_strings", &stats.bad_too_many_strings },
	[FAULT_HELLO_TIMEOUT] = { "hello_timeout", &stats.bad_hello_timeout },
};

static uint64_t *const refused[VERDICTS] = {
	[INVALID] = &stats.refused_invalid,
	[UNKNOWN_STRING] = &stats.refused_unknown_string,
	[DUPLICATE_START] = &stats.refused_duplicate_start,
	[UNMATCHED] = &stats.refused_unmatched,
	[SPAN_FULL] = &stats.refused_span_full,
	[ATTRIBUTE_STORE_FULL] = &stats.refused_attribute_store_full,
	[RESERVED_NAME] = &stats.refused_reserved_name,
	[INSTRUMENT_CONFLICT] = &stats.refused_instrument_conflict,
	[STRING_STORE_FULL] = &stats.refused_string_store_full,
	[LAG_CAP] = &stats.refused_lag_cap,
	[SERVICES_FULL] = &stats.refused_services_full,
	[SERIES_FULL] = &stats.refused_series_full,
};

/* ---- memory: core, index of strings, sessions, carries, annotation, attributes, strings, open
 * spans */

static size_t
round_up(size_t n)
{
	return (n + 63) / 64 * 64;
}

enum { DEFINITIONS = (LIMIT_SESSIONS + 1) * WIRE_STRING_IDS };

size_t
core_bytes(void)
{
	return round_up(sizeof(struct core)) + DEFINITIONS * sizeof(uint32_t) +
	       round_up(POOL_BYTES(sizeof(struct session), LIMIT_SESSIONS)) +
	       POOL_BYTES(WIRE_EVENT_MAX, LIMIT_SESSIONS) + round_up(ANNOTATION_BYTES) +
	       ATTRS_BYTES + round_up(strings_bytes()) + assemble_bytes();
}

struct core *
core_init(void *mem, const struct core_parts *parts)
{
	struct core *c = mem;
	uint8_t *p = mem;

	c->parts = *parts;
	c->sweep = 1;
	p += round_up(sizeof(*c));
	c->definitions = (void *)p;
	p += DEFINITIONS * sizeof(*c->definitions);
	pool_init(&c->sessions, p, sizeof(struct session), LIMIT_SESSIONS);
	p += round_up(POOL_BYTES(sizeof(struct session), LIMIT_SESSIONS));
	pool_init(&c->carries, p, WIRE_EVENT_MAX, LIMIT_SESSIONS);
	p += POOL_BYTES(WIRE_EVENT_MAX, LIMIT_SESSIONS);
	c->annotation = p;
	p += round_up(ANNOTATION_BYTES);
	attrs_init(&c->attrs, p, ATTRS_BYTES);
	p += ATTRS_BYTES;
	strings_init(&c->strings, p, parts->hash_seed);
	p += round_up(strings_bytes());
	c->assemble = assemble_init(p, &c->strings, parts->open_spans, parts->hash_seed);
	return c;
}

/* ---- life */

struct session *
session_open(struct core *c)
{
	uint32_t number = pool_take(&c->sessions);
	struct session *s;

	if (number == 0)
		return NULL;
	s = pool_at(&c->sessions, number);
	*s = (struct session){ .number = number, .core = c, .serial = ++c->serial };
	s->strings.at = c->definitions + (size_t)number * WIRE_STRING_IDS;
	assemble_join(c->assemble, number, s->serial);
	return s;
}

static enum session_state
state_of(const struct session *s)
{
	if (s->fault != FAULT_NONE)
		return SESSION_FAULT;
	return s->bye ? SESSION_BYE : SESSION_OPEN;
}

static void
fail(struct session *s, enum fault fault)
{
	s->fault = fault;
	++*faults[fault].counter;
}

void
session_late(struct session *s)
{
	if (state_of(s) == SESSION_OPEN && !s->greeted)
		fail(s, FAULT_HELLO_TIMEOUT);
}

bool
session_greeted(const struct session *s)
{
	return s->greeted;
}

const char *
session_fault(const struct session *s)
{
	return faults[s->fault].name;
}

struct text
session_name(const struct session *s)
{
	return s->service != NULL ? s->service->name : TEXT("");
}

uint32_t
session_open_spans(const struct session *s)
{
	return assemble_open(s->core->assemble, s->number);
}

/* ---- events */

static enum verdict
apply(struct session *s, const struct event *e, struct now now)
{
	switch (e->type) {
	case WIRE_HELLO: return greeting_hello(s, e);
	case WIRE_STRING: return greeting_string(s, e);
	case WIRE_STATS: return greeting_stats(s, e);
	case WIRE_BYE: s->bye = true; return ACCEPTED;
	default: break;
	}
	if (e->type >= WIRE_TYPES) {
		stats.events_unknown++;
		return ACCEPTED;
	}
	if (s->service == NULL)
		return SERVICES_FULL;
	switch (e->type) {
	case WIRE_SPAN: return timeline_span(s, e, now);
	case WIRE_START: return timeline_start(s, e, now);
	case WIRE_END: return timeline_end(s, e, now);
	case WIRE_ATTR: return timeline_attr(s, e);
	case WIRE_EVENT: return timeline_event(s, e, now);
	case WIRE_LINK: return timeline_link(s, e);
	case WIRE_PRODUCED: return traffic_produced(s, e, now);
	case WIRE_CONSUMED: return traffic_consumed(s, e, now);
	case WIRE_ERROR: return traffic_error(s, e);
	case WIRE_LAG: return traffic_lag(s, e, now);
	default: return traffic_measure(s, e);
	}
}

/* What is wrong with an event before its fields are looked at. */
static enum fault
misplaced(const struct session *s, const struct event *e, bool shaped)
{
	if (e->type == EVENT_NIL)
		return FAULT_MALFORMED;
	if (!s->greeted && e->type != WIRE_HELLO)
		return FAULT_NO_HELLO;
	if (s->greeted && e->type == WIRE_HELLO)
		return FAULT_REPEATED_HELLO;
	if (e->type == WIRE_HELLO && e->code != EVENT_NIL && e->code != WIRE_VERSION)
		return FAULT_VERSION;
	return shaped ? FAULT_NONE : FAULT_MALFORMED;
}

static void
take(struct session *s, const struct event *e, struct now now)
{
	enum verdict verdict;

	s->core->tally = (struct tally){ .text_cut = 0 };
	verdict = apply(s, e, now);
	if (verdict == BROKEN) {
		fail(s, s->fault);
		return;
	}
	if (verdict == ACCEPTED)
		tally_count(&s->core->tally);
	else
		++*refused[verdict];
	s->received++;
	stats.events++;
}

/* Decode one event and do what it says. The bytes it took; 0: it is not complete, or the connection
 * is broken. */
static uint32_t
step(struct session *s, const uint8_t *bytes, size_t n, struct now now)
{
	struct event e;
	enum decode_outcome outcome = decode(&s->decoder, bytes, n, &e);
	enum fault fault;

	switch (outcome) {
	case DECODE_OK:
	case DECODE_SHAPE:
		fault = misplaced(s, &e, outcome == DECODE_OK);
		if (fault == FAULT_NONE)
			take(s, &e, now);
		else
			fail(s, fault);
		return s->decoder.used;
	case DECODE_MORE: return 0;
	case DECODE_MALFORMED: fail(s, FAULT_MALFORMED); break;
	case DECODE_TOO_DEEP: fail(s, FAULT_TOO_DEEP); break;
	case DECODE_OVERSIZED: fail(s, FAULT_OVERSIZED); break;
	}
	return 0;
}

/* Bytes that join a cut event before it is looked at again: most events are shorter. */
enum { CARRY_PART = 512 };

/* Go on with the event that the last read cut. How many of these bytes are its own. */
static size_t
carry_on(struct session *s, const uint8_t *bytes, size_t n, struct now now)
{
	uint8_t *carry = pool_at(&s->core->carries, s->carry);
	size_t joined = 0;

	while (joined < n && state_of(s) == SESSION_OPEN) {
		size_t part = n - joined < CARRY_PART ? n - joined : CARRY_PART;
		uint32_t used;

		if (part > WIRE_EVENT_MAX - s->carried)
			part = WIRE_EVENT_MAX - s->carried;
		memcpy(carry + s->carried, bytes + joined, part);
		used = step(s, carry, s->carried + part, now);
		if (used != 0) {
			joined += used - s->carried;
			pool_give(&s->core->carries, s->carry);
			s->carry = s->carried = 0;
			break;
		}
		s->carried += (uint32_t)part;
		joined += part;
	}
	return joined;
}

static void
keep(struct session *s, const uint8_t *bytes, size_t n)
{
	s->carry = pool_take(&s->core->carries); /* as many as sessions */
	memcpy(pool_at(&s->core->carries, s->carry), bytes, n);
	s->carried = (uint32_t)n;
}

enum session_state
session_feed(struct session *s, const void *bytes, size_t n, struct now now)
{
	const uint8_t *p = bytes, *end = p + n;

	if (s->carry != 0)
		p += carry_on(s, p, n, now);
	while (p < end && state_of(s) == SESSION_OPEN) {
		uint32_t used = step(s, p, (size_t)(end - p), now);

		if (used == 0 && state_of(s) == SESSION_OPEN) {
			keep(s, p, (size_t)(end - p));
			break;
		}
		p += used;
	}
	return state_of(s);
}

/* ---- the end */

static void
leave(struct session *s, enum span_end end, struct now now)
{
	struct core *c = s->core;

	if (s->carry != 0) {
		stats.events_truncated += state_of(s) == SESSION_OPEN;
		pool_give(&c->carries, s->carry);
	}
	meter_owner_gone(c->parts.meter, s->serial, end == SPAN_CLOSED, now.mono);
	strings_forget(&c->strings, &s->strings);
	resource_drop(c->parts.resources, s->resource);
	if (s->service != NULL)
		s->service->sessions--;
	pool_give(&c->sessions, s->number);
}

bool
session_close(struct session *s, enum span_end end, struct now now)
{
	for (int i = 0; i < SESSION_DRAIN; i++) {
		uint32_t span = assemble_oldest(s->core->assemble, s->number);

		if (span == 0) {
			leave(s, end, now);
			return false;
		}
		timeline_abandon(s, span, end, now);
	}
	return true;
}

bool
session_expire(struct core *c, struct now now)
{
	uint32_t now_ms = (uint32_t)(now.mono.ns / CLOCK_MILLI), span;
	uint32_t age_ms = (uint32_t)(c->parts.span_timeout / CLOCK_MILLI);
	int room = SESSION_DRAIN;

	for (; c->sweep < c->sessions.fresh; c->sweep++) {
		while ((span = assemble_expired(c->assemble, c->sweep, now_ms, age_ms)) != 0) {
			if (room-- == 0)
				return true;
			timeline_abandon(pool_at(&c->sessions, c->sweep), span, SPAN_TIMEOUT, now);
		}
	}
	c->sweep = 1;
	return false;
}
