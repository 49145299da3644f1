/*
 * attributes.h -- attributes as OTLP bytes, written by protobuf-c, for tests.
 */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

#include "sidecar/span.h"

#include "otlp.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* A list of these ends with a NULL key. */
struct attribute_spec {
	const char *key;
	char type; /* s, i, b, d; a: the array [s, 1, true, 0.5]; e: no value at all */
	const char *s;
	int64_t i;
	double d;
};

struct attributes {
	uint8_t bytes[16384];
	uint32_t len, n;
};

/* An AnyValue in memory that lives until the next call with the same place. */
static inline Otlp__AnyValue *
attributes_value(unsigned place, const struct attribute_spec *spec)
{
	static Otlp__AnyValue values[8];
	static Otlp__ArrayValue array;
	static Otlp__AnyValue *elements[4];
	static const char empty[] = ""; /* not protobuf-c's own, which it would leave out */
	Otlp__AnyValue *v = &values[place];

	otlp__any_value__init(v);
	switch (spec->type) {
	case 's':
		v->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
		v->string_value = (char *)(uintptr_t)(*spec->s != '\0' ? spec->s : empty);
		break;
	case 'i':
		v->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
		v->int_value = spec->i;
		break;
	case 'b':
		v->value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
		v->bool_value = spec->i != 0;
		break;
	case 'd':
		v->value_case = OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
		v->double_value = spec->d;
		break;
	case 'a':
		otlp__array_value__init(&array);
		for (unsigned k = 0; k < 4; k++)
			elements[k] = attributes_value(
			    place + 1 + k, &(struct attribute_spec){
					       .type = "sibd"[k], .s = spec->s, .i = 1, .d = 0.5 });
		array.n_values = 4;
		array.values = elements;
		v->value_case = OTLP__ANY_VALUE__VALUE_ARRAY_VALUE;
		v->array_value = &array;
		break;
	default: break;
	}
	return v;
}

/* Each with the tag of Span.attributes (9) and its length. The result lives until the next call. */
static inline const struct attributes *
attributes_make(const struct attribute_spec *spec)
{
	static struct attributes a;

	a.len = a.n = 0;
	for (; spec->key != NULL; spec++) {
		Otlp__KeyValue kv;
		size_t size;

		otlp__key_value__init(&kv);
		kv.key = (char *)(uintptr_t)spec->key;
		kv.value = attributes_value(0, spec);
		size = otlp__key_value__get_packed_size(&kv);
		if (size >= 16384 || a.len + size + 4 > sizeof(a.bytes))
			abort();
		a.bytes[a.len++] = 9 << 3 | 2;
		if (size >= 128)
			a.bytes[a.len++] = (uint8_t)(size | 0x80);
		a.bytes[a.len++] = (uint8_t)(size >= 128 ? size >> 7 : size);
		a.len += (uint32_t)otlp__key_value__pack(&kv, a.bytes + a.len);
		a.n++;
	}
	return &a;
}

static inline struct span_list
attributes_list(const struct attributes *a)
{
	return (struct span_list){ .bytes = a->bytes, .len = a->len, .n = a->n };
}

#endif
