/* Attributes, events and links against protobuf-c, byte for byte. */
#include "sidecar/annotation.h"

#include "attr_reading.h"

static void
assert_packed(const Otlp__Span *span)
{
	uint8_t *bytes = malloc(otlp__span__get_packed_size(span) + 1);
	size_t n = otlp__span__pack(span, bytes);

	assert_int_equal(attrs.len, n);
	assert_memory_equal(attrs.bytes, bytes, n);
	free(bytes);
}

static uint64_t
random_next(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

/* The same scalar, to both sides. kind: 0 str, 1 bool, 2 int, 3 double. */
static void
random_scalar(struct packer *p, Otlp__AnyValue *v, unsigned kind)
{
	static const int64_t edges[] = { 0, 1, -1, -32, -33, 127, 128, 16383, 16384, INT64_MAX,
		INT64_MIN };
	static char texts[8][400]; /* not protobuf-c's own empty one, which it would leave out */
	static unsigned next;
	char *text = texts[next++ % 8];
	size_t n;

	otlp__any_value__init(v);
	switch (kind) {
	case 0:
		n = random_next() % 3 == 0 ? random_next() % 399 : random_next() % 9;
		memset(text, 'a' + (int)(random_next() % 26), n);
		text[n] = '\0';
		packer_str(p, text, n);
		v->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
		v->string_value = text;
		break;
	case 1:
		v->value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
		v->bool_value = random_next() & 1;
		packer_bool(p, v->bool_value);
		break;
	case 2:
		v->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
		v->int_value =
		    random_next() & 1 ? (int64_t)random_next() : edges[random_next() % 11];
		packer_int(p, v->int_value);
		break;
	default:
		v->value_case = OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
		v->double_value = random_next() & 1 ? 0.0 : (double)random_next() / 7;
		packer_double(p, v->double_value);
		break;
	}
}

enum { PAIRS = 12, ITEMS = 6 };

static void
random_value(struct packer *p, Otlp__AnyValue *v)
{
	Otlp__AnyValue *items;
	unsigned kind = (unsigned)(random_next() % 4), n;

	if (random_next() % 3 != 0) {
		random_scalar(p, v, kind);
		return;
	}
	n = (unsigned)(random_next() % ITEMS);
	items = calloc(ITEMS, sizeof(*items));
	otlp__any_value__init(v);
	v->value_case = OTLP__ANY_VALUE__VALUE_ARRAY_VALUE;
	v->array_value = malloc(sizeof(*v->array_value));
	otlp__array_value__init(v->array_value);
	v->array_value->n_values = n;
	v->array_value->values = calloc(ITEMS, sizeof(*v->array_value->values));
	v->array_value->values[0] = items;
	packer_array(p, n);
	for (unsigned i = 0; i < n; i++) {
		v->array_value->values[i] = &items[i];
		random_scalar(p, &items[i], kind);
	}
}

static void
free_value(Otlp__AnyValue *v)
{
	if (v->value_case != OTLP__ANY_VALUE__VALUE_ARRAY_VALUE)
		return;
	free(v->array_value->values[0]);
	free(v->array_value->values);
	free(v->array_value);
}

/* Whatever the values are, the bytes are those that protobuf-c writes. */
static void
test_differential(void **state)
{
	char keys[PAIRS][300];
	Otlp__KeyValue kv[PAIRS], *list[PAIRS];
	Otlp__AnyValue values[PAIRS];
	Otlp__Span span;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct packer p = packer_new();

		otlp__span__init(&span);
		span.attributes = list;
		/* Texts of one round are few enough to live in random_scalar's room. */
		span.n_attributes = 1 + random_next() % 3;
		for (size_t i = 0; i < span.n_attributes; i++) {
			size_t n =
			    2 + (random_next() & 1 ? random_next() % 254 : random_next() % 8);

			memset(keys[i], 'k', n);
			keys[i][0] = (char)('A' + i);
			keys[i][n > 255 ? 255 : n] = '\0';
			otlp__key_value__init(&kv[i]);
			kv[i].key = keys[i];
			kv[i].value = &values[i];
			list[i] = &kv[i];
			packer_text(&p, keys[i]);
			if (i == 0)
				random_value(&p, &values[i]);
			else
				random_scalar(&p, &values[i], (unsigned)(random_next() % 4));
		}
		assert_true(read_pairs(&p, (uint32_t)span.n_attributes, ATTR_OF_SPAN));
		assert_int_equal(attrs.n, span.n_attributes);
		assert_packed(&span);
		assert_int_equal(tally.attr_invalid + tally.text_cut + tally.text_cleaned, 0);
		free_value(&values[0]);
		free(p.bytes);
	}
}

/* What protobuf-c reads back must be what was said, and be written again as the same bytes. */
static Otlp__Span *
read_back(struct text field)
{
	Otlp__Span *span = otlp__span__unpack(NULL, field.len, (const uint8_t *)field.s);
	uint8_t bytes[1024];

	assert_non_null(span);
	assert_int_equal(otlp__span__pack(span, bytes), field.len);
	assert_memory_equal(bytes, field.s, field.len);
	return span;
}

static void
test_annotations(void **state)
{
	static const uint8_t trace[16] = "0123456789abcdef", id[8] = "01234567";
	static const struct text names[] = { TEXT(""), TEXT("retry") };
	uint8_t *out = malloc(ANNOTATION_BYTES);
	struct packer p = packer_new();
	Otlp__Span *span;

	(void)state;
	packer_text(&p, "k");
	packer_text(&p, "v");
	packer_text(&p, "bad");
	packer_nil(&p);
	for (unsigned some = 0; some < 2; some++) { /* texts and attributes */
		read_pairs(&p, 2 * some, ATTR_OF_EVENT);
		span = read_back(annotation_event(out, 1700000000000000000, names[some], &attrs));
		assert_int_equal(span->n_events, 1);
		assert_int_equal(span->events[0]->time_unix_nano, 1700000000000000000);
		assert_string_equal(span->events[0]->name, names[some].s);
		assert_int_equal(span->events[0]->n_attributes, some);
		assert_int_equal(span->events[0]->dropped_attributes_count, some);
		otlp__span__free_unpacked(span, NULL);

		read_pairs(&p, 2 * some, ATTR_OF_LINK);
		span = read_back(annotation_link(out, trace, id, names[some], &attrs));
		assert_int_equal(span->n_links, 1);
		assert_memory_equal(span->links[0]->trace_id.data, trace, 16);
		assert_memory_equal(span->links[0]->span_id.data, id, 8);
		assert_string_equal(span->links[0]->trace_state, names[some].s);
		assert_int_equal(span->links[0]->n_attributes, some);
		assert_int_equal(span->links[0]->dropped_attributes_count, some);
		otlp__span__free_unpacked(span, NULL);
	}
	free(out);
	free(p.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differential),
		cmocka_unit_test(test_annotations),
	};

	return cmocka_run_group_tests(tests, reading_open, NULL);
}
