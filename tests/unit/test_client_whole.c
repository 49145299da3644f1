/* whole: the SPAN that is made of an END and what stands behind it, as an independent decoder reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>
#include <string.h>

#include "client/encode.h"
#include "client/whole.h"

static struct intern names;
static uint8_t record[WIRE_EVENT_MAX + WHOLE_MAX], out[WIRE_EVENT_MAX];

static struct sidecar_span
span_with(size_t kept_attrs)
{
	struct sidecar_span span = { .context = { .trace_id = { 1 }, .span_id = { 2 }, .flags = 3 },
		.start = 1000,
		.name = 7,
		.kind = SIDECAR_CLIENT };
	uint8_t *p = span.kept;

	for (size_t i = 0; i < kept_attrs; i++)
		p = encode_byte(encode_str(p, "", 0), (unsigned)i & 0x7f);
	span.kept_attrs = (uint8_t)kept_attrs;
	span.kept_size = (uint16_t)(p - span.kept);
	return span;
}

/* END of that span with n attributes, one of them of value_size bytes; then SPAN, decoded. */
static msgpack_unpacked
convert(const struct sidecar_span *span, const char *message, size_t n, uint32_t value_size)
{
	static char value[WIRE_VALUE_MAX];
	static struct sidecar_attr attrs[WIRE_ATTRS_MAX + 1];
	uint8_t *p = record, *attrs_at;
	msgpack_unpacked u;
	size_t size, used = 0;

	memset(value, 'v', sizeof(value));
	for (size_t i = 0; i < n; i++)
		attrs[i] = sidecar_int("k", 5);
	for (size_t i = 0; value_size > 0; i++) {
		attrs[i] = sidecar_str("k", value);
		attrs[i].len = value_size > WIRE_VALUE_MAX ? WIRE_VALUE_MAX : value_size;
		value_size -= attrs[i].len;
	}
	*p++ = 0x96;
	*p++ = WIRE_END;
	p = encode_span_id(p, span->context.span_id);
	p = encode_uint(p, 2000);
	p = encode_byte(p, SIDECAR_OK);
	attrs_at = message != NULL ? encode_inline_text(p, message) : encode_nil(p);
	p = encode_attrs(attrs_at, record + WIRE_EVENT_MAX, &names, attrs, n, NULL);
	assert_non_null(p);
	size = (size_t)(p - record);
	whole_keep(p, span, (size_t)(attrs_at - record));

	size = whole_span(out, record, size);
	assert_in_range(size, 1, WIRE_EVENT_MAX);
	msgpack_unpacked_init(&u);
	assert_int_equal(
	    msgpack_unpack_next(&u, (const char *)out, size, &used), MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(used, size);
	assert_int_equal(u.data.via.array.size, 13);
	assert_int_equal(u.data.via.array.ptr[0].via.u64, WIRE_SPAN);
	return u;
}

static void
fields(void **state)
{
	struct sidecar_span span = span_with(2);
	msgpack_unpacked u = convert(&span, "why", 3, 0);
	const msgpack_object *f = u.data.via.array.ptr;

	(void)state;
	assert_memory_equal(f[1].via.bin.ptr, span.context.trace_id, 16);
	assert_memory_equal(f[2].via.bin.ptr, span.context.span_id, 8);
	assert_int_equal(f[3].type, MSGPACK_OBJECT_NIL);
	assert_int_equal(f[4].via.u64, 7);
	assert_int_equal(f[5].via.u64, SIDECAR_CLIENT);
	assert_int_equal(f[6].via.u64, 1000);
	assert_int_equal(f[7].via.u64, 3);
	assert_int_equal(f[8].via.u64, 2000);
	assert_int_equal(f[9].via.u64, SIDECAR_OK);
	assert_memory_equal(f[10].via.str.ptr, "why", 3);
	assert_int_equal(f[11].via.map.size, 5);
	assert_int_equal(f[11].via.map.ptr[1].val.via.u64, 1); /* kept ones first */
	assert_int_equal(f[11].via.map.ptr[2].val.via.u64, 5);
	assert_int_equal(f[12].type, MSGPACK_OBJECT_NIL);
	msgpack_unpacked_destroy(&u);

	memcpy(span.kept + 20, span.kept, span.kept_size); /* a name before the attributes */
	memcpy(span.kept, "twenty characters...", 20);
	span.name_size = 20;
	span.inlined = 1;
	span.kept_size = (uint16_t)(span.kept_size + 20);
	span.parent.span_id[7] = 9;
	span.parent.flags = SIDECAR_REMOTE | SIDECAR_SAMPLED;
	u = convert(&span, NULL, 0, 0);
	f = u.data.via.array.ptr;
	assert_memory_equal(f[3].via.bin.ptr, span.parent.span_id, 8);
	assert_memory_equal(f[4].via.str.ptr, "twenty characters...", 20);
	assert_int_equal(f[7].via.u64, 7);
	assert_int_equal(f[10].type, MSGPACK_OBJECT_NIL);
	assert_int_equal(f[11].via.map.size, 2);
	msgpack_unpacked_destroy(&u);
}

/* 128 attributes are a span's; with one more what was kept is left out, whatever the maps' heads. */
static void
attributes_at_the_limit(void **state)
{
	(void)state;
	for (size_t kept = 0; kept <= 128; kept++) {
		for (size_t n = 0; n <= 128; n += n < 20 || n > 110 ? 1 : 30) {
			struct sidecar_span span = span_with(kept);
			msgpack_unpacked u = convert(&span, NULL, n, 0);
			const msgpack_object *map = &u.data.via.array.ptr[11];
			size_t expect = kept + n <= 128 ? kept + n : n;

			if (expect == 0)
				assert_int_equal(map->type, MSGPACK_OBJECT_NIL);
			else
				assert_int_equal(map->via.map.size, expect);
			msgpack_unpacked_destroy(&u);
		}
	}
}

/* Near 16,384 bytes likewise: with what was kept if it fits, else without, and never too large. */
static void
size_at_the_limit(void **state)
{
	size_t with = 0, without = 0, none = 0;

	(void)state;
	for (uint32_t size = 15600; size < 16330; size++) {
		struct sidecar_span span = span_with(100);
		msgpack_unpacked u = convert(&span, NULL, 5, size);
		const msgpack_object *map = &u.data.via.array.ptr[11];
		size_t pairs = map->type == MSGPACK_OBJECT_MAP ? map->via.map.size : 0;

		assert_true(pairs == 105 || pairs == 5 || pairs == 0);
		assert_true(pairs != 105 || without + none == 0); /* once too large, always */
		assert_true(pairs != 5 || none == 0);
		with += pairs == 105;
		without += pairs == 5;
		none += pairs == 0;
		msgpack_unpacked_destroy(&u);
	}
	assert_true(with > 0 && without > 0 && none > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(attributes_at_the_limit),
		cmocka_unit_test(size_at_the_limit),
	};
	int failed;

	if (intern_init(&names) != 0)
		return 1;
	failed = cmocka_run_group_tests_name("client_whole", tests, NULL, NULL);
	intern_free(&names);
	return failed;
}
