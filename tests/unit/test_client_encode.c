/* encode: what is written, an independent decoder reads back; in the shortest form; never past its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/encode.h"

static struct intern names;

static msgpack_unpacked
decode(const uint8_t *bytes, const uint8_t *end)
{
	msgpack_unpacked u;
	size_t used = 0;

	msgpack_unpacked_init(&u);
	assert_int_equal(msgpack_unpack_next(&u, (const char *)bytes, (size_t)(end - bytes), &used),
	    MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(used, end - bytes);
	return u;
}

/* Every integer around every boundary comes out as msgpack-c itself writes it: the shortest form. */
static void
integers(void **state)
{
	uint8_t bytes[16];

	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		for (int64_t around = -2; around <= 2; around++) {
			int64_t v = (int64_t)((UINT64_C(1) << bit) + (uint64_t)around);
			int64_t both[2] = { v, (int64_t)(0 - (uint64_t)v) };

			for (int i = 0; i < 2; i++) {
				msgpack_sbuffer theirs;
				msgpack_packer packer;
				uint8_t *end = encode_int(bytes, both[i]);

				msgpack_sbuffer_init(&theirs);
				msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
				msgpack_pack_int64(&packer, both[i]);
				assert_int_equal(end - bytes, theirs.size);
				assert_memory_equal(bytes, theirs.data, theirs.size);
				msgpack_sbuffer_clear(&theirs);
				msgpack_pack_uint64(&packer, (uint64_t)both[i]);
				end = encode_uint(bytes, (uint64_t)both[i]);
				assert_int_equal(end - bytes, theirs.size);
				assert_memory_equal(bytes, theirs.data, theirs.size);
				msgpack_sbuffer_destroy(&theirs);
			}
		}
	}
}

/* Every length of text and value around every head and limit. */
static void
texts(void **state)
{
	static char s[5000];
	static uint8_t bytes[6000];

	(void)state;
	memset(s, 'x', sizeof(s) - 1);
	for (size_t len = 0; len < sizeof(s);
	     len += len < 300 || (len > 4090 && len < 4100) ? 1 : 97) {
		char last = s[len];
		struct sidecar_attr attr = { .key = "k", .len = UINT32_MAX, .type = SIDECAR_STR };
		msgpack_unpacked u;
		size_t expect = len < 255 ? len : 255;

		s[len] = '\0';
		s[len / 2] = len > 2 ? 'y' : s[len / 2];
		u = decode(bytes, encode_inline_text(bytes, s));
		assert_int_equal(u.data.via.str.size, expect);
		assert_memory_equal(u.data.via.str.ptr, s, expect);
		msgpack_unpacked_destroy(&u);

		attr.value.s = s;
		u = decode(
		    bytes, encode_attrs(bytes, bytes + sizeof(bytes), &names, &attr, 1, NULL));
		expect = len < 4096 ? len : 4096;
		assert_int_equal(u.data.via.map.ptr[0].val.via.str.size, expect);
		assert_memory_equal(u.data.via.map.ptr[0].val.via.str.ptr, s, expect);
		msgpack_unpacked_destroy(&u);
		s[len / 2] = len > 2 ? 'x' : s[len / 2];
		s[len] = last;
	}
}

static void
cut_between_characters(void **state)
{
	static const struct {
		const char *s;
		size_t max, expect;
	} rows[] = {
		{ "abc", 3, 3 },
		{ "abcd", 3, 3 },
		{ "ab\xc3\xa9", 4, 4 },
		{ "ab\xc3\xa9", 3, 2 },    /* two bytes, one of them over */
		{ "a\xe2\x82\xac", 3, 1 }, /* three */
		{ "a\xe2\x82\xac", 2, 1 },
		{ "\xf0\x9f\x98\x80z", 4, 4 }, /* four */
		{ "\xf0\x9f\x98\x80z", 3, 0 },
		{ "\x80\x80\x80\x80\x80", 4, 4 }, /* not UTF-8: cut anywhere */
		{ "", 0, 0 },
		{ "a", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    encode_cut(rows[i].s, strlen(rows[i].s), rows[i].max), rows[i].expect);
}

static void
interned_by_address_only(void **state)
{
	uint8_t bytes[300];
	char copy[] = "topic-1";
	const char *first = intern_text(&names, 0);
	uint32_t id;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		char text[32];
		const char *known;
		msgpack_unpacked u;

		snprintf(text, sizeof(text), "topic-%u", i);
		known = intern_add(&names, text);
		assert_string_equal(known, text);
		assert_ptr_equal(intern_add(&names, text), known);
		u = decode(bytes, encode_text(bytes, &names, known));
		assert_int_equal(u.data.type, MSGPACK_OBJECT_POSITIVE_INTEGER);
		assert_int_equal(u.data.via.u64, i);
		msgpack_unpacked_destroy(&u);
	}
	assert_false(intern_known(&names, copy, &id));
	assert_false(intern_known(&names, first + 1, &id)); /* inside a slot: another text */
	assert_false(intern_known(&names, first - INTERN_SLOT, &id));
	assert_false(intern_known(&names, first + INTERN_BYTES, &id));
	assert_false(intern_known(&names, NULL, &id));
	encode_text(bytes, &names, copy);
	assert_int_equal(bytes[0], 0xa0 | strlen(copy));
}

static void
interned_until_full(void **state)
{
	struct intern full;
	char text[300];

	(void)state;
	assert_int_equal(intern_init(&full), 0);
	for (unsigned i = 0; i < WIRE_STRING_IDS; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_ptr_equal(intern_add(&full, text), intern_text(&full, i));
	}
	assert_null(intern_add(&full, "one more"));
	assert_ptr_equal(intern_add(&full, "4095"), intern_text(&full, 4095));
	assert_int_equal(full.count, WIRE_STRING_IDS);
	intern_free(&full);

	assert_int_equal(intern_init(&full), 0);
	memset(text, 'a', 299);
	text[299] = '\0';
	assert_int_equal(strlen(intern_add(&full, text)), 255); /* cut, and then known as that */
	text[255] = '\0';
	assert_ptr_equal(intern_add(&full, text), intern_text(&full, 0));
	assert_ptr_equal(intern_add(&full, ""), intern_text(&full, 1));
	intern_free(&full);
}

static void
attributes_of_each_type(void **state)
{
	static const char nul[] = "a\0b";
	struct sidecar_attr attrs[] = {
		sidecar_str("s", "text"),
		sidecar_int("i", INT64_MIN),
		sidecar_double("d", -0.5),
		sidecar_bool("t", 7),
		sidecar_bool("f", 0),
		sidecar_str("null", NULL),
		{ .key = "nul", .value.s = nul, .len = 3, .type = SIDECAR_STR },
		{ .key = NULL, .value.i = 1, .type = SIDECAR_INT },
		{ .key = "bad", .value.i = 1, .type = 99 },
		sidecar_str(intern_add(&names, "known"), intern_add(&names, "value")),
	};
	enum { N = sizeof(attrs) / sizeof(attrs[0]) };
	uint8_t bytes[512];
	struct encode_kept kept = { .room = sizeof(bytes) };
	uint8_t *end = encode_attrs(bytes, bytes + sizeof(bytes), &names, attrs, N, &kept);
	msgpack_unpacked u = decode(bytes, end);
	const msgpack_object_kv *kv = u.data.via.map.ptr;

	(void)state;
	assert_int_equal(u.data.via.map.size, N);
	assert_memory_equal(kv[0].val.via.str.ptr, "text", 4);
	assert_true(kv[1].val.via.i64 == INT64_MIN);
	assert_true(kv[2].val.via.f64 == -0.5);
	assert_int_equal(kv[3].val.type, MSGPACK_OBJECT_BOOLEAN);
	assert_true(kv[3].val.via.boolean);
	assert_false(kv[4].val.via.boolean);
	assert_int_equal(kv[5].val.type, MSGPACK_OBJECT_NIL);
	assert_int_equal(kv[6].val.via.str.size, 3);
	assert_memory_equal(kv[6].val.via.str.ptr, nul, 3);
	assert_int_equal(kv[7].key.via.str.size, 0);
	assert_int_equal(kv[8].val.type, MSGPACK_OBJECT_NIL);
	assert_int_equal(kv[9].key.type, MSGPACK_OBJECT_POSITIVE_INTEGER);
	assert_int_equal(kv[9].val.type, MSGPACK_OBJECT_STR); /* a value is never an id */
	assert_int_equal(kept.attrs, N);
	assert_int_equal(kept.size, end - bytes - 1);
	msgpack_unpacked_destroy(&u);
	assert_ptr_equal(encode_attrs(bytes, bytes + 1, &names, attrs, 0, &kept), bytes + 1);
	assert_int_equal(bytes[0], 0xc0);
	assert_int_equal(kept.attrs, 0);
}

/* For every end: the attributes fit before it, or nothing past it is touched. */
static void
never_past_the_end(void **state)
{
	static uint8_t bytes[20000], again[20000];
	static char value[700];
	struct sidecar_attr attrs[20];
	size_t whole;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	for (int i = 0; i < 20; i++)
		attrs[i] = i % 2 == 0 ? sidecar_str("some.key", value) : sidecar_int("n", i);
	whole =
	    (size_t)(encode_attrs(bytes, bytes + sizeof(bytes), &names, attrs, 20, NULL) - bytes);
	for (size_t room = 0; room <= whole + 300; room++) {
		uint8_t *end;

		memset(again, 0xa5, sizeof(again));
		end = encode_attrs(again, again + room, &names, attrs, 20, NULL);
		assert_int_equal(end != NULL, room >= whole);
		if (end != NULL) {
			assert_int_equal(end - again, whole);
			assert_memory_equal(again, bytes, whole);
		}
		for (size_t i = room; i < sizeof(again); i++)
			assert_int_equal(again[i], 0xa5);
	}
	assert_null(encode_attrs(bytes, bytes + 2, &names, attrs, 1, NULL));
	assert_null(encode_attrs(bytes, bytes, &names, attrs, 0, NULL));
	assert_null(encode_attrs(bytes, bytes + sizeof(bytes), &names, attrs, 65536, NULL));
}

/* What is kept is the longest run of whole pairs that fits, for every size of the room. */
static void
keeps_whole_pairs(void **state)
{
	struct sidecar_attr attrs[18];
	uint8_t bytes[400];

	(void)state;
	for (int i = 0; i < 18; i++)
		attrs[i] = sidecar_int("key", i); /* 5 bytes each */
	for (size_t room = 0; room < 100; room++) {
		struct encode_kept kept = { .room = room };
		size_t expect = room / 5 < 18 ? room / 5 : 18;

		assert_non_null(
		    encode_attrs(bytes, bytes + sizeof(bytes), &names, attrs, 18, &kept));
		assert_int_equal(kept.attrs, expect);
		assert_int_equal(kept.size, expect * 5);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),
		cmocka_unit_test(texts),
		cmocka_unit_test(cut_between_characters),
		cmocka_unit_test(interned_by_address_only),
		cmocka_unit_test(interned_until_full),
		cmocka_unit_test(attributes_of_each_type),
		cmocka_unit_test(never_past_the_end),
		cmocka_unit_test(keeps_whole_pairs),
	};
	int failed;

	if (intern_init(&names) != 0)
		return 1;
	failed = cmocka_run_group_tests_name("client_encode", tests, NULL, NULL);
	intern_free(&names);
	return failed;
}
