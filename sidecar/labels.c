#include "labels.h"

#include "number.h"
#include "promname.h"
#include "protocol/wire.h"
#include "varint.h"

#include <string.h>

/* A key is a row of: length of the name + 65536 times that of the value, 4 bytes; the name; the
 * value. */
enum { HEAD = 4 };

void
labels_begin(struct labels *l)
{
	buf_init(&l->key, l->key_room, sizeof(l->key_room));
	buf_init(&l->attrs, l->attrs_room, sizeof(l->attrs_room));
}

static void
put(struct buf *out, struct text t)
{
	buf_put(out, t.s, t.len);
}

static void
put_key(struct labels *l, struct text name, struct text value)
{
	uint32_t head = (name.len & 0xffff) | value.len << 16; /* longer ones do not fit anyway */

	buf_put(&l->key, &head, HEAD);
	put(&l->key, name);
	put(&l->key, value);
}

void
labels_put(struct labels *l, struct text name, struct text value, struct text whole)
{
	put_key(l, name, value);
	put(&l->attrs, whole);
}

/* KeyValue { key = 1; value = 2: AnyValue } in front of the AnyValue's one field: its tag, and a
 * string's length or an int. */
static void
put_keyvalue(
    struct labels *l, struct text attribute, uint8_t tag, uint64_t number, struct text tail)
{
	uint32_t any = 1 + varint_len(number) + tail.len;
	uint32_t body = 1 + varint_len(attribute.len) + attribute.len + 1 + varint_len(any) + any;

	varint_append(&l->attrs, body);
	buf_put_u8(&l->attrs, 0x0a);
	varint_append(&l->attrs, attribute.len);
	put(&l->attrs, attribute);
	buf_put_u8(&l->attrs, 0x12);
	varint_append(&l->attrs, any);
	buf_put_u8(&l->attrs, tag);
	varint_append(&l->attrs, number);
	put(&l->attrs, tail);
}

void
labels_put_text(struct labels *l, struct text name, struct text attribute, struct text value)
{
	put_key(l, name, value);
	put_keyvalue(l, attribute, 0x0a, value.len, value);
}

void
labels_put_uint(struct labels *l, struct text name, uint64_t value)
{
	uint8_t digits[20];
	struct buf out;

	buf_init(&out, digits, sizeof(digits));
	number_put_uint(&out, value);
	put_key(l, name, (struct text){ .s = (char *)digits, .len = (uint32_t)out.len });
	put_keyvalue(l, name, 0x18, value, TEXT(""));
}

void
labels_put_form(struct labels *l, struct text key, struct text attrs)
{
	put(&l->key, key);
	put(&l->attrs, attrs);
}

struct attribute {
	struct text name; /* for Prometheus */
	struct text value;
	struct keyvalue kv;
	uint32_t place; /* as it came */
};

static int
compare(struct text a, struct text b)
{
	int order = memcmp(a.s, b.s, a.len < b.len ? a.len : b.len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* By name, then by key (the order in which values are joined), then as they came. */
static bool
before(const struct attribute *a, const struct attribute *b)
{
	int order = compare(a->name, b->name);

	if (order == 0)
		order = compare(a->kv.key, b->kv.key);
	return order < 0 || (order == 0 && a->place < b->place);
}

/* Reads up to WIRE_ATTRS_MAX of them in order; what was made of names and values stands in
 * *scratch. */
static uint32_t
read_sorted(struct attribute *sorted, const struct span_list *attrs, struct buf *scratch)
{
	struct text rest = { .s = (const char *)attrs->bytes, .len = attrs->len };
	struct attribute a;
	uint32_t n = 0;

	while (n < WIRE_ATTRS_MAX && keyvalue_next(&rest, &a.kv)) {
		size_t start = scratch->len;
		uint32_t at = n++;

		promname_label(scratch, a.kv.key);
		a.name = (struct text){ .s = (char *)scratch->base + start,
			.len = (uint32_t)(scratch->len - start) };
		a.value = keyvalue_label(&a.kv, scratch);
		a.place = at;
		for (; at > 0 && before(&a, &sorted[at - 1]); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = a;
	}
	return n;
}

void
labels_put_attributes(struct labels *l, const struct span_list *attrs)
{
	struct attribute sorted[WIRE_ATTRS_MAX];
	uint8_t made[LABELS_BYTES], joined[LABELS_BYTES];
	struct buf scratch, value;
	uint32_t n, next;

	buf_init(&scratch, made, sizeof(made));
	n = read_sorted(sorted, attrs, &scratch);
	l->key.failed |= scratch.failed;
	for (uint32_t i = 0; i < n; i = next) {
		buf_init(&value, joined, sizeof(joined));
		for (next = i; next < n && text_same(sorted[next].name, sorted[i].name); next++) {
			/* Of one key's several values the last stands. */
			if ((next + 1 < n &&
				text_same(sorted[next].kv.key, sorted[next + 1].kv.key)) ||
			    sorted[next].value.len == 0)
				continue;
			if (value.len != 0)
				buf_put_u8(&value, ';');
			buf_put(&value, sorted[next].value.s, sorted[next].value.len);
			put(&l->attrs, sorted[next].kv.whole);
		}
		l->key.failed |= value.failed;
		if (value.len != 0)
			put_key(l, sorted[i].name,
			    (struct text){ .s = (char *)joined, .len = (uint32_t)value.len });
	}
}

bool
labels_next(struct text *key, struct text *name, struct text *value)
{
	uint32_t head;

	if (key->len < HEAD)
		return false;
	memcpy(&head, key->s, HEAD);
	*name = (struct text){ .s = key->s + HEAD, .len = head & 0xffff };
	*value = (struct text){ .s = name->s + name->len, .len = head >> 16 };
	key->s += HEAD + name->len + value->len;
	key->len -= HEAD + name->len + value->len;
	return true;
}

uint32_t
labels_shown(struct text key)
{
	struct text name, value;
	uint32_t shown = 0;

	while (labels_next(&key, &name, &value))
		shown += name.len + text_escaped_len(value) + 4; /* name="value", */
	return shown;
}

bool
labels_next_attr(struct text *attrs, struct text *whole)
{
	uint32_t len = 0, head = 0;

	if (attrs->len == 0)
		return false;
	do
		len |= (uint32_t)(attrs->s[head] & 0x7f) << 7 * head;
	while ((attrs->s[head++] & 0x80) != 0);
	*whole = (struct text){ .s = attrs->s, .len = head + len };
	attrs->s += whole->len;
	attrs->len -= whole->len;
	return true;
}
