/* Every file of protocol/vectors/session, whole and cut in every way: counters, spans, series. */
#include "rig.h"

#include "base/buf.h"
#include "sidecar/expose.h"
#include "vectors.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- counters */

static const struct counter {
	const char *name;
	bool ledger;
	size_t offset;
} counters[] = {
#define STAT(field, metric, labels, help) { #field, false, offsetof(struct stats, field) },
#define LEVEL(field, metric, labels, help)
#define LEDGER(field, metric, labels, help) { #field, true, offsetof(struct ledger, field) },
#define LEDGER_LEVEL(field, metric, labels, help)
#include "sidecar/stat.def"
};

static uint64_t
counted(const struct rig *r, const struct counter *c)
{
	uint64_t n = 0, one;

	if (!c->ledger) {
		memcpy(&n, (const char *)&stats + c->offset, sizeof(n));
		return n;
	}
	for (uint32_t i = 0; i < r->services.n; i++) {
		memcpy(&one, (const char *)&r->services.at[i].ledger + c->offset, sizeof(one));
		n += one;
	}
	return n;
}

static bool
same_counters(const struct rig *r, const struct vector *v, size_t step)
{
	json_t *expected = json_object_get(v->json, "counters"), *value;
	bool same = true, known;
	const char *name;

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		json_int_t want = json_integer_value(json_object_get(expected, counters[i].name));
		uint64_t n = counted(r, &counters[i]);

		if ((uint64_t)want == n)
			continue;
		fprintf(stderr,
		    "%s in steps of %zu: %s is %" PRIu64 ", not %" JSON_INTEGER_FORMAT "\n",
		    v->name, step, counters[i].name, n, want);
		same = false;
	}
	json_object_foreach(expected, name, value)
	{
		known = false;
		for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
			known |= strcmp(counters[i].name, name) == 0;
		if (!known) {
			fprintf(stderr, "%s: there is no counter %s\n", v->name, name);
			same = false;
		}
	}
	return same;
}

/* ---- spans */

static json_t *
hex(const ProtobufCBinaryData *b)
{
	char text[33] = "";

	if (b->len == 0)
		return json_null();
	for (size_t i = 0; i < b->len; i++)
		snprintf(text + 2 * i, 3, "%02x", b->data[i]);
	return json_string(text);
}

static json_t *
decimal(uint64_t n)
{
	return json_sprintf("%" PRIu64, n);
}

static json_t *
value_of(const Otlp__AnyValue *v)
{
	json_t *items;

	switch (v->value_case) {
	case OTLP__ANY_VALUE__VALUE_STRING_VALUE: return json_pack("{ss}", "str", v->string_value);
	case OTLP__ANY_VALUE__VALUE_BOOL_VALUE: return json_pack("{sb}", "bool", v->bool_value);
	case OTLP__ANY_VALUE__VALUE_INT_VALUE:
		return json_pack("{so}", "int", json_sprintf("%" PRId64, v->int_value));
	case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
		return json_pack("{so}", "double", vectors_double(v->double_value));
	case OTLP__ANY_VALUE__VALUE_ARRAY_VALUE: break;
	default: return json_null();
	}
	items = json_array();
	for (size_t i = 0; i < v->array_value->n_values; i++)
		json_array_append_new(items, value_of(v->array_value->values[i]));
	return json_pack("{so}", "array", items);
}

static json_t *
attrs_of(Otlp__KeyValue **at, size_t n)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++)
		json_object_set_new(o, at[i]->key, value_of(at[i]->value));
	assert_int_equal(json_object_size(o), n); /* no key twice */
	return o;
}

static json_t *
span_of(const struct rig_span *of)
{
	const Otlp__Span *s = of->span;
	json_t *events = json_array(), *links = json_array();
	json_t *name = json_stringn(s->name, of->name_len);

	for (size_t i = 0; i < s->n_events; i++) {
		const Otlp__SpanEvent *e = s->events[i];

		json_array_append_new(
		    events, json_pack("{sossso}", "time", decimal(e->time_unix_nano), "name",
				e->name, "attrs", attrs_of(e->attributes, e->n_attributes)));
	}
	for (size_t i = 0; i < s->n_links; i++) {
		const Otlp__SpanLink *l = s->links[i];

		json_array_append_new(
		    links, json_pack("{so so so ss}", "trace", hex(&l->trace_id), "span",
			       hex(&l->span_id), "attrs", attrs_of(l->attributes, l->n_attributes),
			       "tracestate", l->trace_state));
	}
	return json_pack("{so so so so si so so si si ss ss so si so so}", "trace",
	    hex(&s->trace_id), "span", hex(&s->span_id), "parent", hex(&s->parent_span_id), "name",
	    name, "kind", s->kind, "start", decimal(s->start_time_unix_nano), "end",
	    decimal(s->end_time_unix_nano), "flags", s->flags, "status", s->status->code, "message",
	    s->status->message, "tracestate", s->trace_state, "attrs",
	    attrs_of(s->attributes, s->n_attributes), "dropped", s->dropped_attributes_count,
	    "events", events, "links", links);
}

static bool
same_spans(const struct vector *v, size_t step)
{
	json_t *expected = json_deep_copy(json_object_get(v->json, "spans")), *want;
	bool same = true;
	size_t i;

	vectors_normalise(expected);
	for (unsigned n = 0; n < rig_nspans; n++) {
		json_t *got = span_of(&rig_spans[n]);

		json_array_foreach(expected, i, want) if (json_equal(got, want)) break;
		if (i < json_array_size(expected)) {
			json_array_remove(expected, i);
		} else {
			fprintf(stderr, "%s in steps of %zu: not expected:\n", v->name, step);
			json_dumpf(got, stderr, JSON_SORT_KEYS);
			fputc('\n', stderr);
			same = false;
		}
		json_decref(got);
	}
	json_array_foreach(expected, i, want)
	{
		fprintf(stderr, "%s in steps of %zu: did not come:\n", v->name, step);
		json_dumpf(want, stderr, JSON_SORT_KEYS);
		fputc('\n', stderr);
		same = false;
	}
	json_decref(expected);
	return same;
}

/* ---- series */

enum { PAGE_BYTES = 1 << 20 };

/* The labels of a line of the page, as an object; values of le as numbers. */
static json_t *
labels_of(const char *p, const char **after)
{
	json_t *labels = json_object();

	for (p += *p == '{'; *p != '}' && *p != ' '; p += *p == ',') {
		const char *equals = strchr(p, '=');
		char name[64], value[512];
		size_t n = 0;

		snprintf(name, sizeof(name), "%.*s", (int)(equals - p), p);
		for (p = equals + 2; *p != '"'; p++) {
			if (*p == '\\' && *++p == 'n')
				value[n++] = '\n';
			else
				value[n++] = *p;
		}
		value[n] = '\0';
		p++;
		json_object_set_new(labels, name,
		    strcmp(name, "le") == 0 ? vectors_double(strtod(value, NULL))
					    : json_string(value));
	}
	*after = p + (*p == '}');
	return labels;
}

static bool
on_page(const char *page, const char *name, json_t *labels, double *value)
{
	size_t n = strlen(name);
	const char *line, *after;

	for (line = page; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		json_t *got;
		bool same;

		line += *line == '\n';
		if (strncmp(line, name, n) != 0 || (line[n] != '{' && line[n] != ' '))
			continue;
		got = labels_of(line + n, &after);
		same = json_equal(got, labels);
		json_decref(got);
		if (same) {
			*value = strtod(after, NULL);
			return true;
		}
	}
	return false;
}

static bool
same_series(struct rig *r, const struct vector *v)
{
	static char page[PAGE_BYTES];
	static const struct process process = { .version = "0" };
	json_t *want;
	bool same = true;
	struct buf out;
	size_t i;

	buf_init(&out, page, sizeof(page) - 1);
	expose_text(r->parts.meter, &r->services, &process, r->now.mono, &out);
	assert_false(out.failed);
	page[out.len] = '\0';
	json_array_foreach(json_object_get(v->json, "series"), i, want)
	{
		json_t *labels = json_deep_copy(json_object_get(want, "labels"));
		json_t *le = json_object_get(labels, "le"), *value = json_object_get(want, "value");
		double got = 0;
		bool there;

		if (le != NULL)
			json_object_set_new(
			    labels, "le", vectors_double(strtod(json_string_value(le), NULL)));
		there =
		    on_page(page, json_string_value(json_object_get(want, "name")), labels, &got);
		if (there == json_is_null(value) || (there && got != json_number_value(value))) {
			fprintf(stderr, "%s: the page has %s%g for ", v->name,
			    there ? "" : "nothing, not ", got);
			json_dumpf(want, stderr, 0);
			fputc('\n', stderr);
			same = false;
		}
		json_decref(labels);
	}
	return same;
}

/* ---- */

/* First a piece of cut bytes, then the rest in steps. */
static bool
run(struct rig *r, const struct vector *v, size_t cut, size_t step)
{
	struct session *s = session_open(r->core);
	bool same;

	stats = (struct stats){ 0 };
	for (uint32_t i = 0; i < r->services.n; i++)
		r->services.at[i].ledger = (struct ledger){ 0 };
	rig_forget();
	if (cut == 0 || session_feed(s, v->bytes, cut, r->now) == SESSION_OPEN)
		rig_feed(r, s, v->bytes + cut, v->n - cut, step);
	rig_end(r, s);
	/* On their way to the Collector: levels, and what the session leaves behind. */
	for (uint32_t i = 0; i < r->services.n; i++)
		assert_int_equal(r->services.at[i].ledger.open, 0);
	assert_int_equal(stats.open_spans, 0);
	assert_int_equal(stats.attribute_bytes, 0);
	assert_int_equal(stats.string_bytes, 0);
	same = same_counters(r, v, step != 0 ? step : cut);
	return same_spans(v, step != 0 ? step : cut) && same;
}

static void
test_vectors(void **state)
{
	struct vector *all = vectors_read("session");
	unsigned wrong = 0;

	(void)state;
	for (struct vector *v = all; v->name != NULL; v++) {
		/* Every split point where there are few, and every one near the ends where there are many. */
		size_t stride = v->n < 1500 ? 1 : 331;
		struct rig r;
		bool same;

		rig_open(&r, NULL);
		same = run(&r, v, 0, 0);
		same = same_series(&r, v) && same;
		same = same && run(&r, v, 0, 1) && run(&r, v, 0, 7) && run(&r, v, 0, 601);
		for (size_t cut = 1; same && cut < v->n;
		     cut += cut < 64 || cut + 64 > v->n ? 1 : stride)
			same = run(&r, v, cut, 0);
		wrong += !same;
		rig_close(&r);
	}
	vectors_free(all);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
