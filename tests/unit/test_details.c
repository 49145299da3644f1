/* What open spans collect, where room ends: the store of all spans, and one span's share of it. */
#include "sidecar/details.h"

#include "attr_reading.h"
#include "sidecar/stat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 8 };

static struct pool blocks;
static struct details details;
static uint8_t *out;

static void
begin(void *memory, uint32_t n)
{
	pool_init(&blocks, memory, CHAIN_BLOCK, n);
	details = (struct details){ .nattrs = 0 };
	tally = (struct tally){ .text_cut = 0 };
}

/* Add one attribute whose KeyValue has this size in all. */
static void
add(const char *key, uint32_t size)
{
	struct text k = { key, (uint32_t)strlen(key) };
	struct packer p = packer_new();
	char *value = calloc(1, size);
	uint32_t len = size;

	memset(value, key[0], size);
	do { /* the lengths' own lengths decide */
		p.n = 0;
		packer_str(&p, value, --len);
		attrs_begin(&attrs, ATTR_OF_SPAN);
		attrs_put(&attrs, k, strings_hash(&strings, k), p.bytes, &tally);
	} while (attrs.len > size);
	assert_int_equal(attrs.len, size);
	details_attrs(&blocks, &details, &attrs, &tally);
	free(value);
	free(p.bytes);
}

static struct span
lists(void)
{
	struct span span;

	attrs_begin(&attrs, ATTR_OF_SPAN);
	details_lists(&blocks, &details, &attrs, out, &span, &tally);
	return span;
}

/* The attribute's value begins with its key's first letter: what came back is what was put in. */
static void
assert_attrs(const char *keys)
{
	struct span span = lists();
	Otlp__Span *got = otlp__span__unpack(NULL, span.attrs.len, span.attrs.bytes);

	assert_non_null(got);
	assert_int_equal(got->n_attributes, strlen(keys));
	for (size_t i = 0; i < got->n_attributes; i++) {
		assert_int_equal(got->attributes[i]->key[0], keys[i]);
		assert_int_equal(got->attributes[i]->value->string_value[0], keys[i]);
	}
	otlp__span__free_unpacked(got, NULL);
}

static void
test_store_full(void **state)
{
	static uint8_t memory[POOL_BYTES(CHAIN_BLOCK, BLOCKS)];
	uint32_t most = BLOCKS * CHAIN_BYTES;

	(void)state;
	begin(memory, BLOCKS);
	/* Each with its record takes 120 of a block's 124 bytes: seven of them reach into the seventh. */
	for (int i = 0; i < 7; i++)
		add((char[2]){ (char)('a' + i), 0 }, DETAILS_NEAR);
	assert_int_equal(tally.attr_store_full, 0);
	assert_attrs("abcdefg");
	add("h", 400); /* would need four */
	assert_int_equal(tally.attr_store_full, 1);
	assert_int_equal(details.attrs_dropped, 1);
	/* One that does not fit leaves the one that it would replace. */
	add("a", 400);
	assert_int_equal(tally.attr_store_full, 2);
	assert_attrs("abcdefg");
	/* One that fits replaces it, and takes the last place. */
	add("a", 40);
	assert_attrs("bcdefga");
	assert_int_equal(details_event(&blocks, &details, (struct text){ (char *)out, most }),
	    DETAILS_STORE_FULL);
	assert_int_equal(details.events_dropped, 1);
	assert_int_equal(
	    details_event(&blocks, &details, (struct text){ "\x5a\x00", 2 }), DETAILS_OK);
	assert_int_equal(
	    details_link(&blocks, &details, (struct text){ "\x6a\x00", 2 }), DETAILS_STORE_FULL);
	details_free(&blocks, &details);
	assert_int_equal(blocks.used, 0);
	assert_int_equal(stats.attribute_bytes, 0);
}

/* One span's attributes, and its events, may take so much and not a byte more. */
static void
test_share(void **state)
{
	void *memory = calloc(1, POOL_BYTES(CHAIN_BLOCK, 20000));
	struct text field = { calloc(1, LIMIT_LIST_BYTES + 1), 0 };
	struct span span;

	(void)state;
	begin(memory, 20000);
	out = realloc(out, 3 * LIMIT_LIST_BYTES);
	/* As if there were others already. */
	details.attr_bytes = LIMIT_LIST_BYTES - 100;
	add("a", 101);
	assert_int_equal(tally.attr_store_full, 1);
	add("a", 100);
	assert_int_equal(tally.attr_store_full, 1);
	assert_int_equal(details.nattrs, 1);
	details.attr_bytes = 100;

	field.len = LIMIT_LIST_BYTES + 1;
	assert_int_equal(details_event(&blocks, &details, field), DETAILS_STORE_FULL);
	field.len = LIMIT_LIST_BYTES;
	assert_int_equal(details_event(&blocks, &details, field), DETAILS_OK);
	assert_int_equal(details_link(&blocks, &details, field), DETAILS_OK);
	span = lists();
	assert_int_equal(span.events.len, LIMIT_LIST_BYTES);
	assert_int_equal(span.links.len, LIMIT_LIST_BYTES);
	assert_int_equal(span.events.dropped, 1);
	details_free(&blocks, &details);
	assert_int_equal(blocks.used, 0);
	free((void *)(uintptr_t)field.s);
	free(memory);
}

/* A list cut anywhere is the list without what was cut, and holds no block too many. */
static void
test_cut(void **state)
{
	static uint8_t memory[POOL_BYTES(CHAIN_BLOCK, BLOCKS)], bytes[4 * CHAIN_BYTES],
	    got[sizeof(bytes) + 3];

	(void)state;
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (uint32_t at = 0; at < sizeof(bytes); at += 31)
		for (uint32_t n = 1; n <= sizeof(bytes) - at; n += 17) {
			struct chain c = { .head = 0 };
			struct chain_place place;

			begin(memory, BLOCKS);
			chain_append(&blocks, &c, bytes, sizeof(bytes));
			place = chain_begin(&c);
			chain_read(&blocks, &place, NULL, at);
			chain_cut(&blocks, &c, at, place, n);
			assert_int_equal(c.len, sizeof(bytes) - n);
			assert_int_equal(blocks.used, (c.len + CHAIN_BYTES - 1) / CHAIN_BYTES);
			chain_append(&blocks, &c, "end", 3);
			place = chain_begin(&c);
			chain_read(&blocks, &place, got, c.len);
			assert_memory_equal(got, bytes, at);
			assert_memory_equal(got + at, bytes + at + n, sizeof(bytes) - at - n);
			assert_memory_equal(got + c.len - 3, "end", 3);
			chain_free(&blocks, &c);
			assert_int_equal(blocks.used, 0);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store_full),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_cut),
	};

	out = malloc(3 * LIMIT_LIST_BYTES);
	return cmocka_run_group_tests(tests, reading_open, NULL);
}
