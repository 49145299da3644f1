#include "client_say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local.h"
#include "vectors.h"

static struct sidecar *sidecar;
static const char *names[WIRE_STRING_IDS]; /* interned: their places are their ids */
static bool sayable;                       /* once false, no call can say it */

/* ---- from a vector's meaning to arguments */

static void
only_if(bool condition)
{
	sayable &= condition;
}

static const json_t *
get(const json_t *e, const char *key)
{
	return json_object_get(e, key);
}

/* A text that is not interned, or one that is; NULL for null. */
static const char *
text(const json_t *t)
{
	const json_t *id = get(t, "id");

	if (id == NULL)
		return json_string_value(get(t, "text"));
	only_if(json_integer_value(id) < WIRE_STRING_IDS);
	return sayable ? names[json_integer_value(id)] : NULL;
}

/* null is 0, which to the client means "now", or "not known". */
static uint64_t
number(const json_t *n)
{
	return json_is_string(n) ? strtoull(json_string_value(n), NULL, 10) : 0;
}

static uint64_t
instant(const json_t *t)
{
	only_if(!json_is_null(t));
	return number(t);
}

static int32_t
partition(const json_t *n)
{
	return json_is_null(n) ? -1 : (int32_t)json_integer_value(n);
}

static void
id(const json_t *hex, uint8_t *out)
{
	if (json_is_string(hex))
		vectors_hex(json_string_value(hex), out);
}

static struct sidecar_attr
attr(const json_t *key, const json_t *value)
{
	const char *k = text(key);
	const json_t *v;

	if ((v = get(value, "str")) != NULL)
		return sidecar_str(k, json_string_value(v));
	if ((v = get(value, "int")) != NULL)
		return sidecar_int(k, strtoll(json_string_value(v), NULL, 10));
	if ((v = get(value, "double")) != NULL)
		return sidecar_double(k, strtod(json_string_value(v), NULL));
	if ((v = get(value, "bool")) != NULL)
		return sidecar_bool(k, json_is_true(v));
	only_if(false); /* arrays */
	return sidecar_bool(k, 0);
}

static struct sidecar_attr attrs[WIRE_ATTRS_MAX];

static size_t
read_attrs(const json_t *e)
{
	const json_t *pairs = get(e, "attrs");
	size_t n = json_array_size(pairs);

	for (size_t i = 0; i < n; i++) {
		const json_t *pair = json_array_get(pairs, i);

		attrs[i] = attr(json_array_get(pair, 0), json_array_get(pair, 1));
	}
	return n;
}

/* ---- spans with the vectors' ids */

static uint64_t
inverse(uint64_t odd)
{
	uint64_t x = odd;

	for (int i = 0; i < 5; i++)
		x *= 2 - odd * x;
	return x;
}

static uint64_t
unscramble(uint64_t x)
{
	return random_rotl(x * inverse(9), 64 - 7) * inverse(5);
}

/* A state of the thread's generator whose next ids are these: what random_ids() does, backwards. */
static void
choose_ids(const uint8_t trace[WIRE_TRACE_ID], const uint8_t span[WIRE_SPAN_ID])
{
	uint64_t words[3];

	memcpy(&words[0], span, WIRE_SPAN_ID);
	memcpy(&words[1], trace, WIRE_TRACE_ID);
	local_self.random = (struct random){ .s = { 0, unscramble(words[1]), unscramble(words[2]),
						 random_rotl(words[0], 64 - 23) } };
}

static void
start(const json_t *e, struct sidecar_span *span, size_t n)
{
	struct sidecar_context parent = { .flags = (uint8_t)json_integer_value(get(e, "flags")) };
	bool root = json_is_null(get(e, "parent"));
	uint8_t span_id[WIRE_SPAN_ID];
	const char *name = text(get(e, "name"));
	uint64_t at = instant(get(e, "start"));

	id(get(e, "span"), span_id);
	id(get(e, "trace"), parent.trace_id);
	id(get(e, "parent"), parent.span_id);
	only_if(json_is_null(get(e, "tracestate")));
	only_if(!root || (parent.flags & SIDECAR_REMOTE) == 0);
	if (!sayable)
		return;
	/* A root is sampled as the sampler says. */
	sidecar->sampler.threshold = parent.flags & SIDECAR_SAMPLED ? 0 : UINT64_C(1) << 56;
	choose_ids(parent.trace_id, span_id);
	sidecar_span_start(sidecar, span, name,
	    (enum sidecar_kind)json_integer_value(get(e, "kind")), root ? NULL : &parent, at, attrs,
	    n);
}

static void
end(const json_t *e, struct sidecar_span *span, size_t n)
{
	const char *message = text(get(e, "message"));
	uint64_t at = instant(get(e, "end"));

	if (sayable)
		sidecar_span_end(span, (enum sidecar_status)json_integer_value(get(e, "status")),
		    message, at, attrs, n);
}

/* Some span with the id that an event names. */
static void
open_span(const json_t *e, struct sidecar_span *span)
{
	static const uint8_t trace[WIRE_TRACE_ID] = { 1, 2, 3 };
	uint8_t span_id[WIRE_SPAN_ID];

	id(get(e, "span"), span_id);
	choose_ids(trace, span_id);
	sidecar_begin(sidecar, span, "any", SIDECAR_INTERNAL, NULL);
}

/* ---- one call, or two, for each type */

static void
say_start(const json_t *e)
{
	struct sidecar_span span;

	start(e, &span, read_attrs(e));
}

static void
say_end(const json_t *e)
{
	struct sidecar_span span;

	open_span(e, &span);
	end(e, &span, read_attrs(e));
}

/* The client says a whole span when the connection that has its START is gone. */
static void
say_span(const json_t *e)
{
	struct sidecar_span span;
	size_t n = read_attrs(e);

	start(e, &span, n);
	if (!sayable)
		return;
	assert_int_equal(sidecar_flush(sidecar, CLIENT_SAY_MS), 0);
	atomic_fetch_add(&sidecar->connection, 1);
	end(e, &span, 0);
}

static void
say_attr(const json_t *e)
{
	struct sidecar_attr a = attr(get(e, "key"), get(e, "value"));
	struct sidecar_span span;

	open_span(e, &span);
	if (sayable)
		sidecar_span_set(&span, &a, 1);
}

static void
say_event(const json_t *e)
{
	const char *name = text(get(e, "name"));
	uint64_t at = instant(get(e, "time"));
	size_t n = read_attrs(e);
	struct sidecar_span span;

	open_span(e, &span);
	if (sayable)
		sidecar_span_event(&span, name, at, attrs, n);
}

static void
say_link(const json_t *e)
{
	struct sidecar_context linked = { .flags = 0 };
	size_t n = read_attrs(e);
	struct sidecar_span span;

	id(get(e, "linked_trace"), linked.trace_id);
	id(get(e, "linked_span"), linked.span_id);
	only_if(json_is_null(get(e, "tracestate")));
	open_span(e, &span);
	if (sayable)
		sidecar_span_link(&span, &linked, attrs, n);
}

static void
say_produced(const json_t *e)
{
	const char *topic = text(get(e, "topic"));
	uint64_t at = instant(get(e, "produced_at")), count = number(get(e, "count"));

	only_if(count <= UINT32_MAX);
	if (sayable)
		sidecar_produced(sidecar, topic, partition(get(e, "partition")), at,
		    count != 0 ? (uint32_t)count : 1);
}

static void
say_consumed(const json_t *e)
{
	struct sidecar_context c = { .flags = SIDECAR_SAMPLED };
	const char *topic = text(get(e, "topic"));
	uint64_t at = instant(get(e, "consumed_at"));

	id(get(e, "trace"), c.trace_id);
	id(get(e, "span"), c.span_id);
	if (sayable)
		sidecar_consumed(sidecar, topic, partition(get(e, "partition")),
		    number(get(e, "produced_at")), at, &c);
}

static void
say_error(const json_t *e)
{
	const char *topic = text(get(e, "topic")), *type = text(get(e, "error_type"));

	only_if(number(get(e, "count")) <= 1);
	if (sayable)
		sidecar_kafka_error(
		    sidecar, (enum sidecar_side)json_integer_value(get(e, "side")), topic, type);
}

static void
say_lag(const json_t *e)
{
	const json_t *lag = get(e, "lag");

	sidecar_lag(sidecar, text(get(e, "topic")), partition(get(e, "partition")),
	    json_is_null(lag) ? -1 : (int64_t)number(lag), number(get(e, "as_of")));
}

static void
say_measure(const json_t *e)
{
	const json_t *value = get(get(e, "value"), "double");
	const char *name = text(get(e, "name")), *unit = text(get(e, "unit"));
	size_t n = read_attrs(e);

	only_if(value != NULL); /* never an integer */
	if (sayable)
		sidecar_measure(sidecar,
		    (enum sidecar_instrument)json_integer_value(get(e, "kind")), name, unit,
		    strtod(json_string_value(value), NULL), attrs, n);
}

/* ---- by type */

static void (*const say[WIRE_TYPES])(const json_t *event) = {
	[WIRE_SPAN] = say_span,
	[WIRE_START] = say_start,
	[WIRE_END] = say_end,
	[WIRE_PRODUCED] = say_produced,
	[WIRE_CONSUMED] = say_consumed,
	[WIRE_ERROR] = say_error,
	[WIRE_LAG] = say_lag,
	[WIRE_ATTR] = say_attr,
	[WIRE_EVENT] = say_event,
	[WIRE_LINK] = say_link,
	[WIRE_MEASURE] = say_measure,
};

void
client_say_strings(struct sidecar *sc)
{
	char name[8];

	names[0] = sidecar_intern(sc, "sums");
	names[1] = sidecar_intern(sc, "");
	for (unsigned i = 2; i < WIRE_STRING_IDS - 1; i++) {
		snprintf(name, sizeof(name), "%u", i);
		names[i] = sidecar_intern(sc, name);
	}
	names[WIRE_STRING_IDS - 1] = sidecar_intern(sc, "x");
}

bool
client_say(struct sidecar *sc, enum wire_type type, const json_t *event)
{
	sidecar = sc;
	local_enter(sc); /* before the ids are chosen: its first act is to draw some */
	sayable = true;
	say[type](event);
	assert_int_equal(sidecar_flush(sc, CLIENT_SAY_MS), 0);
	return sayable;
}
