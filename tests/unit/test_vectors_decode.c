/* Every file of protocol/vectors/decode: what decode says of it, however it is cut; what a session counts for it. */
#include "rig.h"

#include "guard.h"
#include "same_event.h"
#include "sidecar/decode.h"
#include "sidecar/pack.h"
#include "vectors.h"

#include <inttypes.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- events as the vectors write them */

static const char *const names[WIRE_TYPES] = { "HELLO", "STRING", "SPAN", "START", "END",
	"PRODUCED", "CONSUMED", "ERROR", "LAG", "STATS", "BYE", "ATTR", "EVENT", "LINK",
	"MEASURE" };

static json_t *
id(const uint8_t *bytes, size_t n)
{
	char text[33];

	if (bytes == NULL)
		return json_null();
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

static json_t *
text(const struct word *w)
{
	switch (w->kind) {
	case WORD_STR: return json_pack("{so}", "text", json_stringn(w->s, w->n));
	case WORD_ID: return json_pack("{sI}", "id", (json_int_t)w->n);
	case WORD_NONE: break;
	}
	return json_null();
}

/* A number that may be nil: as JSON has it, or in decimals. */
static json_t *
number(uint64_t n)
{
	return n == EVENT_NIL ? json_null() : json_integer((json_int_t)n);
}

static json_t *
decimal(uint64_t n)
{
	return n == EVENT_NIL ? json_null() : json_sprintf("%" PRIu64, n);
}

static json_t *
value(const uint8_t *p, const uint8_t **after)
{
	struct pack t;
	json_t *items;

	p = pack_read(p, &t);
	*after = p;
	switch (t.kind) {
	case PACK_STR: return json_pack("{so}", "str", json_stringn((const char *)t.bytes, t.n));
	case PACK_BOOL: return json_pack("{sb}", "bool", (int)t.u);
	case PACK_UINT:
	case PACK_INT: return json_pack("{so}", "int", json_sprintf("%" PRId64, t.i));
	case PACK_FLOAT: return json_pack("{so}", "double", vectors_double(t.d));
	case PACK_ARRAY: break;
	default: return json_null();
	}
	items = json_array();
	for (uint32_t i = 0; i < t.n; i++)
		json_array_append_new(items, value(*after, after));
	return json_pack("{so}", "array", items);
}

static json_t *
key(const uint8_t *p, const uint8_t **after)
{
	struct pack t;

	*after = pack_read(p, &t);
	return t.kind == PACK_STR
		   ? json_pack("{so}", "text", json_stringn((const char *)t.bytes, t.n))
		   : json_pack("{sI}", "id", (json_int_t)t.u);
}

static json_t *
attrs(const struct bag *b)
{
	const uint8_t *p = b->items;
	json_t *pairs;

	if (p == NULL)
		return json_null();
	pairs = json_array();
	for (uint32_t i = 0; i < b->n; i++) {
		json_t *k = key(p, &p);

		json_array_append_new(pairs, json_pack("[oo]", k, value(p, &p)));
	}
	return pairs;
}

static json_t *
drops(const struct bag *b)
{
	const uint8_t *p = b->items;
	json_t *pairs;

	if (p == NULL)
		return json_null();
	pairs = json_array();
	for (uint32_t i = 0; i < b->n; i++) {
		struct pack k, n;

		p = pack_read(pack_read(p, &k), &n);
		json_array_append_new(pairs,
		    json_pack("[oo]", json_stringn((const char *)k.bytes, k.n), decimal(n.u)));
	}
	return pairs;
}

static json_t *
words(const struct bag *b)
{
	const uint8_t *p = b->items;
	json_t *items;
	struct pack t;

	if (p == NULL)
		return json_null();
	items = json_array();
	for (uint32_t i = 0; i < b->n; i++) {
		p = pack_read(p, &t);
		json_array_append_new(items, json_stringn((const char *)t.bytes, t.n));
	}
	return items;
}

static json_t *
opening(const struct event *e)
{
	return json_pack("{so so so so so so so so so}", "trace", id(e->trace_id, 16), "span",
	    id(e->span_id, 8), "parent", id(e->other_id, 8), "name", text(&e->name), "kind",
	    number(e->code), "start", decimal(e->time), "flags", number(e->flags & 7), "attrs",
	    attrs(&e->attrs), "tracestate", text(&e->tracestate));
}

static json_t *
ending(const struct event *e)
{
	return json_pack("{so so so so so}", "span", id(e->span_id, 8), "end", decimal(e->end),
	    "status", number(e->status), "message", text(&e->detail), "attrs", attrs(&e->attrs));
}

static json_t *
fields(const struct event *e)
{
	const uint8_t *after;
	json_t *o, *more;

	switch (e->type) {
	case WIRE_HELLO:
		/* The resource's keys are str: the vectors write them as other keys. */
		return json_pack("{so so so}", "version", number(e->code), "resource",
		    attrs(&e->attrs), "capabilities", words(&e->words));
	case WIRE_STRING:
		return json_pack(
		    "{so so}", "id", number(e->code), "text", json_stringn(e->name.s, e->name.n));
	case WIRE_SPAN:
		o = opening(e);
		more = ending(e);
		json_object_update(o, more);
		json_decref(more);
		return o;
	case WIRE_START: return opening(e);
	case WIRE_END: return ending(e);
	case WIRE_PRODUCED:
		return json_pack("{so so so so}", "topic", text(&e->name), "partition",
		    number(e->partition), "produced_at", decimal(e->produced_at), "count",
		    decimal(e->number));
	case WIRE_CONSUMED:
		return json_pack("{so so so so so so}", "topic", text(&e->name), "partition",
		    number(e->partition), "produced_at", decimal(e->produced_at), "consumed_at",
		    decimal(e->time), "trace", id(e->trace_id, 16), "span", id(e->span_id, 8));
	case WIRE_ERROR:
		return json_pack("{so so so so}", "side", number(e->code), "topic", text(&e->name),
		    "error_type", text(&e->detail), "count", decimal(e->number));
	case WIRE_LAG:
		return json_pack("{so so so so}", "topic", text(&e->name), "partition",
		    number(e->partition), "lag", decimal(e->number), "as_of", decimal(e->time));
	case WIRE_STATS:
		return json_pack("{so so}", "sent", decimal(e->number), "drops", drops(&e->attrs));
	case WIRE_ATTR:
		return json_pack("{so so so}", "span", id(e->span_id, 8), "key", text(&e->name),
		    "value", value(e->value, &after));
	case WIRE_EVENT:
		return json_pack("{so so so so}", "span", id(e->span_id, 8), "time",
		    decimal(e->time), "name", text(&e->name), "attrs", attrs(&e->attrs));
	case WIRE_LINK:
		return json_pack("{so so so so so}", "span", id(e->span_id, 8), "linked_trace",
		    id(e->trace_id, 16), "linked_span", id(e->other_id, 8), "attrs",
		    attrs(&e->attrs), "tracestate", text(&e->tracestate));
	case WIRE_MEASURE:
		return json_pack("{so so so so so}", "kind", number(e->code), "name",
		    text(&e->name), "unit", text(&e->detail), "value", value(e->value, &after),
		    "attrs", attrs(&e->attrs));
	default: return json_object();
	}
}

/* ---- what is said of a vector */

static const char *
said(enum decode_outcome outcome, const struct event *e)
{
	switch (outcome) {
	case DECODE_MORE: return "incomplete";
	case DECODE_MALFORMED: return "malformed";
	case DECODE_TOO_DEEP: return "too_deep";
	case DECODE_OVERSIZED: return "oversized";
	case DECODE_OK:
	case DECODE_SHAPE: break;
	}
	/* Before the rest, as a session looks at it. */
	if (e->type == WIRE_HELLO && e->code != EVENT_NIL && e->code != WIRE_VERSION)
		return "version";
	if (outcome == DECODE_SHAPE)
		return "malformed";
	if (e->type == WIRE_STRING && e->code >= WIRE_STRING_IDS)
		return "too_many_strings";
	return e->type >= WIRE_TYPES ? "skipped" : "ok";
}

/* decode, given the first cut bytes, then (from another place) as many more as it takes. */
static enum decode_outcome
decode_cut(const struct vector *v, size_t cut, size_t step, uint8_t *place, struct decoder *d,
    struct event *e)
{
	enum decode_outcome outcome = DECODE_MORE;

	*d = (struct decoder){ .used = 0 };
	for (size_t n = cut != 0 ? cut : step; outcome == DECODE_MORE; n += step) {
		if (n > v->n)
			n = v->n;
		if (n == 0)
			break;
		memcpy(place, v->bytes, n);
		outcome = decode(d, place, n, e);
		if (n == v->n)
			break;
	}
	return outcome;
}

static void
check(const struct vector *v, enum decode_outcome outcome, const struct decoder *d,
    const struct event *e)
{
	const char *expected = json_string_value(json_object_get(v->json, "outcome"));
	json_t *event = json_object_get(v->json, "event"), *got;

	if (strcmp(expected, "refused") == 0)
		expected = "ok"; /* which values are good is the session's to say */
	if (strcmp(expected, "malformed") == 0)
		expected = json_string_value(json_object_get(v->json, "cause"));
	if (strcmp(said(outcome, e), expected) != 0)
		fail_msg("%s: %s, not %s", v->name, said(outcome, e), expected);
	if (outcome != DECODE_OK || e->type >= WIRE_TYPES)
		return;
	if (event == NULL)
		return;
	assert_int_equal(d->used, json_integer_value(json_object_get(v->json, "used")));
	got = fields(e);
	json_object_set_new(got, "type", json_string(names[e->type]));
	vectors_normalise(event);
	if (!json_equal(got, event)) {
		json_dumpf(got, stderr, JSON_SORT_KEYS);
		fail_msg("%s: the event differs", v->name);
	}
	json_decref(got);
}

static void
test_vectors(void **state)
{
	struct vector *all = vectors_read("decode");
	static uint8_t place[1 << 16];
	struct decoder d;
	struct event e;

	(void)state;
	for (struct vector *v = all; v->name != NULL; v++) {
		uint8_t *guarded = guard_copy(v->bytes, v->n);
		size_t stride = v->n < 1500 ? 1 : 97;

		d = (struct decoder){ .used = 0 };
		if (v->n != 0)
			check(v, decode(&d, guarded, v->n, &e), &d, &e);
		check(v, decode_cut(v, 0, 1, place, &d, &e), &d, &e);
		for (size_t cut = 1; cut < v->n; cut += cut < 64 || cut + 64 > v->n ? 1 : stride)
			check(v, decode_cut(v, cut, v->n, place, &d, &e), &d, &e);
		guard_free(guarded, v->n);
	}
	vectors_free(all);
}

static void
test_readers_agree(void **state)
{
	struct vector *all = vectors_read("decode");
	struct decoder d;
	struct event slow, fast;
	unsigned taken = 0;

	(void)state;
	for (struct vector *v = all; v->name != NULL; v++) {
		uint8_t *guarded = guard_copy(v->bytes, v->n);
		uint32_t used = v->n != 0 ? decode_fast(guarded, v->n, &fast) : 0;

		if (used != 0) {
			d = (struct decoder){ .used = 0 };
			assert_int_equal(decode_slow(&d, guarded, v->n, &slow), DECODE_OK);
			assert_int_equal(d.used, used);
			assert_true(same_event(&fast, &slow));
			taken++;
		}
		guard_free(guarded, v->n);
	}
	assert_true(taken > 40); /* the fast reader does take the usual ones */
	vectors_free(all);
}

/* An event of the right shape that is refused is counted by its cause, and the connection lives. */
static void
test_refused(void **state)
{
	struct vector *all = vectors_read("decode");
	unsigned refused = 0;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	for (struct vector *v = all; v->name != NULL; v++) {
		struct session *s;

		if (strcmp(json_string_value(json_object_get(v->json, "outcome")), "refused") != 0)
			continue;
		s = rig_hello(&r, false);
		assert_int_equal(rig_feed(&r, s, v->bytes, v->n, 0), SESSION_OPEN);
		assert_int_equal(stats.refused_invalid, ++refused);
		rig_end(&r, s);
	}
	assert_true(refused > 40);
	rig_close(&r);
	vectors_free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_readers_agree),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
