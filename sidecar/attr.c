#include "attr.h"

#include "pack.h"
#include "stat.h"
#include "utf8.h"
#include "varint.h"

/* KeyValue: key = 1, value = 2. AnyValue: string 1, bool 2, int 3, double 4, array 5. ArrayValue:
 * values = 1. */
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
	if ((t->text_cut | t->text_cleaned | t->attr_invalid | t->attr_over_limit |
		t->attr_store_full) == 0)
		return;
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

/* A value of the wire, looked at once. */
struct value {
	struct pack token;
	struct utf8 fit;      /* of a str */
	uint32_t size;        /* bytes of its AnyValue; 0: it is none that an attribute may have */
	uint32_t inside;      /* of an array: bytes of its ArrayValue */
	const uint8_t *items; /* of an array */
};

/* Read a token as a value by itself, and return what stands after it. */
static const uint8_t *
read_scalar(const uint8_t *p, struct value *v)
{
	const struct pack *t = &v->token;

	p = pack_read(p, &v->token);
	switch (t->kind) {
	case PACK_STR:
		v->fit = utf8_fit((const char *)t->bytes, t->n, WIRE_VALUE_MAX);
		v->size = field_size(v->fit.keep);
		break;
	case PACK_BOOL: v->size = 2; break;
	case PACK_UINT: v->size = t->u <= INT64_MAX ? 1 + varint_len(t->u) : 0; break;
	case PACK_INT: v->size = 1 + VARINT_MAX; break;
	case PACK_FLOAT: v->size = 1 + sizeof(t->d); break;
	default: v->size = 0; break;
	}
	return p;
}

/* Items may be of one kind only; integers are one, whatever their sign. */
static enum pack_kind
kind_in_array(const struct pack *t)
{
	return t->kind == PACK_INT ? PACK_UINT : t->kind;
}

static void
measure_array(struct value *v)
{
	enum pack_kind kind = PACK_NIL;
	const uint8_t *p = v->items;
	struct value item;

	v->inside = 0;
	v->size = 0;
	for (uint32_t i = 0; i < v->token.n; i++) {
		p = read_scalar(p, &item);
		if (i == 0)
			kind = kind_in_array(&item.token);
		if (item.size == 0 || kind != kind_in_array(&item.token))
			return;
		v->inside += field_size(item.size);
	}
	v->size = field_size(v->inside);
}

/* Read a value with all that is in it, and return what stands after it. */
static const uint8_t *
read_value(const uint8_t *p, struct value *v)
{
	const uint8_t *after = read_scalar(p, v);

	if (v->token.kind == PACK_ARRAY) {
		v->items = after;
		measure_array(v);
		return pack_skip(p);
	}
	return v->token.kind == PACK_MAP ? pack_skip(p) : after;
}

static uint8_t *
put_scalar(uint8_t *to, const struct value *v, struct tally *tally)
{
	const struct pack *t = &v->token;

	switch (t->kind) {
	case PACK_STR:
		tally->text_cut += v->fit.keep < t->n;
		tally->text_cleaned += !v->fit.clean;
		to = put_head(to, TAG_STRING, v->fit.keep);
		if (v->fit.clean)
			memcpy(to, t->bytes, v->fit.keep);
		else
			utf8_clean((char *)to, (const char *)t->bytes, v->fit.keep);
		return to + v->fit.keep;
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

static void
put_value(uint8_t *to, const struct value *v, struct tally *tally)
{
	const uint8_t *p = v->items;
	struct value item;

	if (v->token.kind != PACK_ARRAY) {
		put_scalar(to, v, tally);
		return;
	}
	to = put_head(to, TAG_ARRAY, v->inside);
	for (uint32_t n = v->token.n; n != 0; n--) {
		p = read_scalar(p, &item);
		to = put_scalar(put_head(to, TAG_ITEM, item.size), &item, tally);
	}
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

static void
put(struct attrs *a, struct text key, uint32_t hash, const struct value *v, struct tally *tally)
{
	uint32_t body = field_size(key.len) + field_size(v->size), size = field_size(body);
	const struct attr *old;
	uint8_t *to;

	if (key.len == 0 || v->size == 0) {
		tally->attr_invalid++;
		a->dropped++;
		return;
	}
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
	put_value(put_head(to + key.len, TAG_VALUE, v->size), v, tally);
	append(a, key, hash, size, 1 + varint_len(body) + 1 + varint_len(key.len));
}

void
attrs_put(
    struct attrs *a, struct text key, uint32_t hash, const uint8_t *value, struct tally *tally)
{
	struct value v;

	read_value(value, &v);
	put(a, key, hash, &v, tally);
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
	struct value v;
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
		p = read_value(p, &v);
		put(a, key, hash, &v, tally);
	}
	return true;
}
