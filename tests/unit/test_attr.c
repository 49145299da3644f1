/* Attributes: which are dropped, cut, cleaned, replaced; limits at N and N + 1. */
#include "attr_reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
test_number_of_attributes(void **state)
{
	struct packer p = packer_new();
	char key[16];

	(void)state;
	for (int i = 0; i < 129; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		packer_text(&p, key);
		packer_int(&p, i);
	}
	read_pairs(&p, 128, ATTR_OF_SPAN);
	assert_int_equal(attrs.n, 128);
	assert_int_equal(attrs.dropped, 0);
	/* A key that is there may still be replaced. */
	packer_text(&p, "k0");
	packer_text(&p, "last");
	read_pairs(&p, 130, ATTR_OF_SPAN);
	assert_int_equal(attrs.n, 128);
	assert_int_equal(attrs.dropped, 1);
	assert_int_equal(tally.attr_over_limit, 1);
	Otlp__Span *span = unpacked();
	assert_string_equal(span->attributes[127]->key, "k0");
	assert_string_equal(span->attributes[127]->value->string_value, "last");
	assert_string_equal(span->attributes[0]->key, "k1");
	otlp__span__free_unpacked(span, NULL);
	free(p.bytes);
}

static void
put_bad(struct packer *p, unsigned which)
{
	switch (which) {
	case 0: packer_nil(p); break;
	case 1: packer_bin(p, "x", 1); break;
	case 2: packer_map(p, 0); break;
	case 3: packer_head(p, 0xd4, 0x0101, 2); break; /* ext */
	case 4: packer_uint(p, (uint64_t)INT64_MAX + 1); break;
	case 5: /* mixed types */
		packer_array(p, 2);
		packer_int(p, 1);
		packer_double(p, 1);
		break;
	case 6: /* no flat array */
		packer_array(p, 1);
		packer_array(p, 0);
		break;
	case 7:
		packer_array(p, 2);
		packer_int(p, 1);
		packer_uint(p, UINT64_MAX);
		break;
	default:
		packer_map(p, 1);
		packer_text(p, "a");
		packer_text(p, "b");
		break;
	}
}

/* What cannot be an attribute is dropped; those around it, and an earlier one of its key, stand. */
static void
test_bad_values(void **state)
{
	(void)state;
	for (unsigned which = 0; which < 9; which++) {
		struct packer p = packer_new();
		Otlp__Span *span;

		packer_text(&p, "a");
		packer_int(&p, 1);
		packer_text(&p, "a");
		put_bad(&p, which);
		packer_text(&p, "b");
		packer_int(&p, 2);
		read_pairs(&p, 3, ATTR_OF_SPAN);
		assert_int_equal(attrs.dropped, 1);
		assert_int_equal(tally.attr_invalid, 1);
		span = unpacked();
		assert_int_equal(span->n_attributes, 2);
		assert_int_equal(span->attributes[0]->value->int_value, 1);
		assert_int_equal(span->attributes[1]->value->int_value, 2);
		otlp__span__free_unpacked(span, NULL);
		free(p.bytes);
	}
}

static void
test_keys(void **state)
{
	struct packer p = packer_new();
	Otlp__Span *span;

	(void)state;
	packer_text(&p, ""); /* dropped */
	packer_int(&p, 1);
	packer_uint(&p, 7); /* an id */
	packer_int(&p, 2);
	packer_text(&p, "seven"); /* the same key */
	packer_int(&p, 3);
	packer_text(&p, "b\xff");
	packer_int(&p, 4);
	assert_true(read_pairs(&p, 4, ATTR_OF_SPAN));
	assert_int_equal(tally.attr_invalid, 1);
	assert_int_equal(tally.text_cleaned, 1);
	span = unpacked();
	assert_int_equal(span->n_attributes, 2);
	assert_string_equal(span->attributes[0]->key, "seven");
	assert_int_equal(span->attributes[0]->value->int_value, 3);
	assert_string_equal(span->attributes[1]->key, "b?");
	otlp__span__free_unpacked(span, NULL);
	packer_uint(&p, 8); /* not defined */
	packer_int(&p, 5);
	assert_false(read_pairs(&p, 5, ATTR_OF_SPAN));
	free(p.bytes);
}

static void
test_lengths(void **state)
{
	static char text[WIRE_VALUE_MAX + 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (uint32_t over = 0; over < 2; over++) {
		struct packer p = packer_new();
		Otlp__Span *span;

		packer_str(&p, text, WIRE_TEXT_MAX + over);
		packer_str(&p, text, WIRE_VALUE_MAX + over);
		read_pairs(&p, 1, ATTR_OF_SPAN);
		assert_int_equal(tally.text_cut, 2 * over);
		span = unpacked();
		assert_int_equal(strlen(span->attributes[0]->key), WIRE_TEXT_MAX);
		assert_int_equal(strlen(span->attributes[0]->value->string_value), WIRE_VALUE_MAX);
		otlp__span__free_unpacked(span, NULL);
		free(p.bytes);
	}
}

/* Room for exactly this one, and for a byte less. */
static void
test_room(void **state)
{
	struct packer p = packer_new();
	uint32_t size;

	(void)state;
	packer_text(&p, "k");
	packer_text(&p, "value");
	read_pairs(&p, 1, ATTR_OF_SPAN);
	size = attrs.len;
	attrs.cap = size;
	read_pairs(&p, 1, ATTR_OF_SPAN);
	assert_int_equal(attrs.n, 1);
	attrs.cap = size - 1;
	read_pairs(&p, 1, ATTR_OF_SPAN);
	assert_int_equal(attrs.n, 0);
	assert_int_equal(attrs.dropped, 1);
	assert_int_equal(tally.attr_store_full, 1);
	attrs.cap = ATTRS_BYTES;
	free(p.bytes);
}

/* The largest that one event can become: its bound in attr.h holds. */
static void
test_largest(void **state)
{
	struct packer p = packer_new();

	(void)state;
	packer_text(&p, "k");
	packer_array(&p, WIRE_EVENT_MAX - 20);
	for (int i = 0; i < WIRE_EVENT_MAX - 20; i++)
		packer_int(&p, -1);
	read_pairs(&p, 1, ATTR_OF_SPAN);
	assert_int_equal(attrs.n, 1);
	assert_true(attrs.len > 13 * (WIRE_EVENT_MAX - 20));
	free(p.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_of_attributes),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, reading_open, NULL);
}
