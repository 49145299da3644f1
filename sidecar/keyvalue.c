#include "keyvalue.h"

#include "number.h"

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2 };

struct field {
	uint64_t number; /* with its wire type: number << 3 | wire */
	uint64_t value;  /* of VARINT and FIXED64 */
	struct text bytes;
};

static bool
varint_next(struct text *rest, uint64_t *value)
{
	uint32_t i = 0;

	*value = 0;
	for (unsigned shift = 0; i < rest->len && shift < 64; shift += 7) {
		uint8_t byte = (uint8_t)rest->s[i++];

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			rest->s += i;
			rest->len -= i;
			return true;
		}
	}
	return false;
}

static bool
field_next(struct text *rest, struct field *f)
{
	uint64_t len;

	*f = (struct field){ 0 };
	if (!varint_next(rest, &f->number))
		return false;
	switch (f->number & 7) {
	case VARINT: return varint_next(rest, &f->value);
	case FIXED64: len = 8; break;
	case BYTES:
		if (!varint_next(rest, &len))
			return false;
		break;
	default: return false;
	}
	if (len > rest->len)
		return false;
	f->bytes = (struct text){ .s = rest->s, .len = (uint32_t)len };
	if ((f->number & 7) == FIXED64)
		memcpy(&f->value, rest->s, 8); /* the machine is little-endian, as the wire is */
	rest->s += len;
	rest->len -= (uint32_t)len;
	return true;
}

#define FIELD(number, wire) ((number) << 3 | (wire))

static void
value_read(struct text any, struct keyvalue *kv)
{
	struct field f;

	kv->type = KEYVALUE_EMPTY;
	while (field_next(&any, &f))
		switch (f.number) {
		case FIELD(1, BYTES):
			kv->type = KEYVALUE_TEXT;
			kv->bytes = f.bytes;
			break;
		case FIELD(2, VARINT):
			kv->type = KEYVALUE_BOOL;
			kv->integer = f.value != 0;
			break;
		case FIELD(3, VARINT):
			kv->type = KEYVALUE_INT;
			kv->integer = (int64_t)f.value;
			break;
		case FIELD(4, FIXED64):
			kv->type = KEYVALUE_DOUBLE;
			memcpy(&kv->real, &f.value, sizeof(kv->real));
			break;
		case FIELD(5, BYTES):
			kv->type = KEYVALUE_ARRAY;
			kv->bytes = f.bytes;
			break;
		default: break;
		}
}

bool
keyvalue_next(struct text *rest, struct keyvalue *kv)
{
	struct text start, body;
	struct field f;
	uint64_t tag, len;

	*kv = (struct keyvalue){ .type = KEYVALUE_EMPTY };
	if (!varint_next(rest, &tag) || (tag & 7) != BYTES)
		return false;
	start = *rest;
	if (!varint_next(rest, &len) || len > rest->len)
		return false;
	body = (struct text){ .s = rest->s, .len = (uint32_t)len };
	rest->s += len;
	rest->len -= (uint32_t)len;
	kv->whole = (struct text){ .s = start.s, .len = start.len - rest->len };
	while (field_next(&body, &f)) {
		if (f.number == FIELD(1, BYTES))
			kv->key = f.bytes;
		else if (f.number == FIELD(2, BYTES))
			value_read(f.bytes, kv);
	}
	return true;
}

static void
put_json_text(struct buf *out, struct text t)
{
	buf_put_u8(out, '"');
	for (uint32_t i = 0; i < t.len; i++) {
		char c = t.s[i];

		if (c == '"' || c == '\\')
			buf_put_u8(out, '\\');
		if ((unsigned char)c < 0x20)
			buf_printf(out, "\\u%04x", (unsigned)c);
		else
			buf_put_u8(out, (uint8_t)c);
	}
	buf_put_u8(out, '"');
}

static void
put_value(struct buf *out, const struct keyvalue *kv)
{
	switch (kv->type) {
	case KEYVALUE_EMPTY: buf_put_str(out, "null"); break;
	case KEYVALUE_TEXT: put_json_text(out, kv->bytes); break;
	case KEYVALUE_BOOL: buf_put_str(out, kv->integer ? "true" : "false"); break;
	case KEYVALUE_INT: number_put_int(out, kv->integer); break;
	case KEYVALUE_DOUBLE: number_put_double(out, kv->real); break;
	case KEYVALUE_ARRAY: buf_put_str(out, "[]"); break; /* arrays on the wire are flat */
	}
}

struct text
keyvalue_label(const struct keyvalue *kv, struct buf *scratch)
{
	size_t start = scratch->len;
	struct text rest = kv->bytes;
	struct keyvalue one = { 0 };
	struct field f;

	if (kv->type == KEYVALUE_EMPTY)
		return TEXT("");
	if (kv->type == KEYVALUE_TEXT)
		return kv->bytes;
	if (kv->type != KEYVALUE_ARRAY) {
		put_value(scratch, kv);
	} else {
		buf_put_u8(scratch, '[');
		for (bool more = false; field_next(&rest, &f); more = true) {
			if (more)
				buf_put_u8(scratch, ',');
			value_read(f.bytes, &one);
			put_value(scratch, &one);
		}
		buf_put_u8(scratch, ']');
	}
	return (struct text){ .s = (char *)scratch->base + start,
		.len = (uint32_t)(scratch->len - start) };
}
