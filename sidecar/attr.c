#include "attr.h"

#include "pack.h"
#include "stat.h"
#include "utf8.h"
#include "varint.h"

/* KeyValue: key = 1, value = 2. AnyValue: string 1, bool 2, int 3, double 4, array 5. ArrayValue: values = 1. */
enum {
	TAG_KEY = 0x0a,
	TAG_VALUE = 0x12,
	TAG_STRING = 0x0a,
	TAG_BOOL = 0x10,
	TAG_INT = 0x18,
	TAG_DOUBLE = 0x21,
	TAG_ARRAY = 0x2a,
	TAG_ITEM = 0x0a
};

void
attrs_init(struct attrs *a, void *mem, uint32_t cap)
{
	*a = (struct attrs){ .bytes = mem, .cap = cap };
}

void
attrs_begin(struct attrs *a, enum attr_tag tag)
{
	a->tag = tag;
	a->len = 0;
	a->n = 0;
	a->dropped = 0;
}

void
tally_count(const struct tally *t)
{
	stats.text_cut += t->text_cut;
	stats.text_cleaned += t->text_cleaned;
	stats.attr_invalid += t->attr_invalid;
	stats.attr_over_limit += t->attr_over_limit;
	stats.attr_store_full += t->attr_store_full;
}

struct text
attr_text(const char *s, uint32_t n, uint32_t limit, char *room, struct tally *tally)
{
	struct utf8 fit = utf8_fit(s, n, limit);

	if (fit.keep < n)
		tally->text_cut++;
	if (!fit.clean) {
		tally->text_cleaned++;
		utf8_clean(room, s, fit.keep);
		s = room;
	}
	return (struct text){ s, fit.keep };
}

/* ---- values */

/* Bytes of a field with a tag and a length. */
static uint32_t
field_size(uint32_t len)
{
	return 1 + varint_len(len) + len;
}

static uint8_t *
put_head(uint8_t *to, uint8_t tag, uint32_t len)
{
	*to++ = tag;
	return varint_put(to, len);
}

/* Bytes of the AnyValue; 0: it cannot be one. */
static uint32_t
scalar_size(const struct pack *t)
{
	switch (t->kind) {
	case PACK_STR:
		return field_size(utf8_fit((const char *)t->bytes, t->n, WIRE_VALUE_MAX).keep);
	case PACK_BOOL: return 2;
	case PACK_UINT: return t->u <= INT64_MAX ? 1 + varint_len(t->u) : 0;
	case PACK_INT: return 1 + VARINT_MAX;
	case PACK_FLOAT: return 1 + sizeof(t->d);
	default: return 0;
	}
}

static uint8_t *
put_scalar(uint8_t *to, const struct pack *t, struct tally *tally)
{
	struct utf8 fit;

	switch (t->kind) {
	case PACK_STR:
		fit = utf8_fit((const char *)t->bytes, t->n, WIRE_VALUE_MAX);
		tally->text_cut += fit.keep < t->n;
		tally->text_cleaned += !fit.clean;
		to = put_head(to, TAG_STRING, fit.keep);
		if (fit.clean)
			memcpy(to, t->bytes, fit.keep);
		else
			utf8_clean((char *)to, (const char *)t->bytes, fit.keep);
		return to + fit.keep;
	case PACK_BOOL:
		*to++ = TAG_BOOL;
		*to++ = (uint8_t)t->u;
		return to;
	case PACK_FLOAT:
		*to++ = TAG_DOUBLE;
		memcpy(to, &t->d, sizeof(t->d));
		return to + sizeof(t->d);
	default:
		*to++ = TAG_INT;
		return varint_put(to, t->u); /* as two's complement when below 0 */
	}
}

/* Items may be of one kind only; integers are one, whatever their sign. */
static enum pack_kind
kind_in_array(const struct pack *t)
{
	return t->kind == PACK_INT ? PACK_UINT : t->kind;
}

/* Bytes of an ArrayValue with these items. False: an item cannot be in one. */
static bool
array_size(const uint8_t *p, uint32_t n, uint32_t *size)
{
	enum pack_kind kind = PACK_NIL;
	struct pack t;
	uint32_t item;

	*size = 0;
	for (uint32_t i = 0; i < n; i++) {
		p = pack_read(p, &t);
		item = scalar_size(&t);
		if (i == 0)
			kind = kind_in_array(&t);
		if (item == 0 || kind != kind_in_array(&t))
			return false;
		*size += field_size(item);
	}
	return true;
}

/* Bytes of the AnyValue; 0: the value is none that an attribute may have. inside: of an array, its ArrayValue. */
static uint32_t
value_size(const uint8_t *p, uint32_t *inside)
{
	struct pack t;

	p = pack_read(p, &t);
	if (t.kind != PACK_ARRAY)
		return scalar_size(&t);
	return array_size(p, t.n, inside) ? field_size(*inside) : 0;
}

static uint8_t *
put_value(uint8_t *to, const uint8_t *p, uint32_t inside, struct tally *tally)
{
	struct pack t;
	uint32_t n;

	p = pack_read(p, &t);
	if (t.kind != PACK_ARRAY)
		return put_scalar(to, &t, tally);
	to = put_head(to, TAG_ARRAY, inside);
	for (n = t.n; n != 0; n--) {
		p = pack_read(p, &t);
		to = put_scalar(put_head(to, TAG_ITEM, scalar_size(&t)), &t, tally);
	}
	return to;
}

/* ---- attributes */

const struct attr *
attrs_find(const struct attrs *a, struct text key, uint32_t hash)
{
	for (uint32_t i = 0; i < a->n; i++) {
		const struct attr *it = &a->at[i];

		if (it->hash == hash &&
		    text_same(key, (struct text){ (const char *)a->bytes + it->key, it->key_len }))
			return it;
	}
	return NULL;
}

static void
forget(struct attrs *a, const struct attr *it)
{
	uint32_t i = (uint32_t)(it - a->at), at = it->at, size = it->size;

	memmove(a->bytes + at, a->bytes + at + size, a->len - at - size);
	a->len -= size;
	a->n--;
	for (; i < a->n; i++) {
		a->at[i] = a->at[i + 1];
		a->at[i].at -= size;
		a->at[i].key -= size;
	}
}

/* The one after the last, size bytes of it. */
static void
append(struct attrs *a, struct text key, uint32_t hash, uint32_t size, uint32_t key_at)
{
	a->at[a->n++] = (struct attr){ hash, a->len, size, a->len + key_at, key.len };
	a->len += size;
}

void
attrs_put(
    struct attrs *a, struct text key, uint32_t hash, const uint8_t *value, struct tally *tally)
{
	uint32_t inside = 0, any = value_size(value, &inside), body, size;
	const struct attr *old;
	uint8_t *to;

	if (key.len == 0 || any == 0) {
		tally->attr_invalid++;
		a->dropped++;
		return;
	}
	body = field_size(key.len) + field_size(any);
	size = field_size(body);
	old = attrs_find(a, key, hash);
	if (old == NULL && a->n == WIRE_ATTRS_MAX) {
		tally->attr_over_limit++;
		a->dropped++;
		return;
	}
	if (size > a->cap - a->len) {
		tally->attr_store_full++;
		a->dropped++;
		return;
	}
	if (old != NULL)
		forget(a, old);
	to = put_head(a->bytes + a->len, (uint8_t)a->tag, body);
	to = put_head(to, TAG_KEY, key.len);
	memcpy(to, key.s, key.len);
	to = put_head(to + key.len, TAG_VALUE, any);
	put_value(to, value, inside, tally);
	append(a, key, hash, size, 1 + varint_len(body) + 1 + varint_len(key.len));
}

bool
attrs_copy(struct attrs *a, struct text key, uint32_t hash, struct text keyvalue)
{
	uint32_t size = 1 + keyvalue.len;

	if (a->n == WIRE_ATTRS_MAX || size > a->cap - a->len)
		return false;
	a->bytes[a->len] = (uint8_t)a->tag;
	memcpy(a->bytes + a->len + 1, keyvalue.s, keyvalue.len);
	append(a, key, hash, size, 1 + (uint32_t)(key.s - keyvalue.s));
	return true;
}

bool
attrs_read(struct attrs *a, struct attr_names names, const struct bag *bag, struct tally *tally)
{
	const uint8_t *p = bag->items;
	char room[WIRE_TEXT_MAX];
	struct pack t;

	if (p == NULL)
		return true;
	for (uint32_t i = 0; i < bag->n; i++) {
		struct text key;
		uint32_t hash, number;

		p = pack_read(p, &t);
		if (t.kind == PACK_STR) {
			key = attr_text((const char *)t.bytes, t.n, WIRE_TEXT_MAX, room, tally);
			hash = strings_hash(names.strings, key);
		} else {
			number = t.u < WIRE_STRING_IDS
				     ? strings_find(names.definitions, (uint32_t)t.u)
				     : 0;
			if (number == 0)
				return false;
			key = strings_text(names.strings, number);
			hash = strings_at(names.strings, number)->hash;
		}
		attrs_put(a, key, hash, p, tally);
		p = pack_skip(p);
	}
	return true;
}
