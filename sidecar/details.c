#include "details.h"

#include "limits.h"
#include "protocol/wire.h"

struct record {
	uint32_t hash; /* of the key */
	uint32_t size; /* of the KeyValue with its tag; FAR: in a chain of its own */
};

#define FAR UINT32_C(0x80000000)

/* An encoded attribute's tag and length, its key's, and its key. */
enum { HEAD_MAX = 1 + 5 + 1 + 2 + WIRE_TEXT_MAX };

static uint32_t
size_of(const struct record *r)
{
	return r->size & ~FAR;
}

/* Bytes behind the record, in the same chain. */
static uint32_t
body_of(const struct record *r)
{
	return (r->size & FAR) != 0 ? (uint32_t)sizeof(struct chain) : r->size;
}

/* Where the KeyValue of a record begins, place standing behind the record. */
static struct chain_place
key_value(const struct pool *blocks, const struct record *r, struct chain_place place)
{
	struct chain far;

	if ((r->size & FAR) == 0)
		return place;
	chain_read(blocks, &place, &far, sizeof(far));
	return chain_begin(&far);
}

/* The key of a KeyValue, whose first bytes are copied to head. */
static struct text
key_of(const struct pool *blocks, const struct record *r, struct chain_place place,
    uint8_t head[HEAD_MAX])
{
	uint32_t n = size_of(r) < HEAD_MAX ? size_of(r) : HEAD_MAX, len;
	const uint8_t *p = head + 1;

	place = key_value(blocks, r, place);
	chain_read(blocks, &place, head, n);
	while (*p++ >= 0x80) /* the KeyValue's length */
		;
	p++; /* the key's tag */
	len = *p & 0x7f;
	if (*p++ >= 0x80)
		len |= (uint32_t)*p++ << 7;
	return (struct text){ (const char *)p, len };
}

static struct text
key_in(const struct attrs *a, const struct attr *it)
{
	return (struct text){ (const char *)a->bytes + it->key, it->key_len };
}

/* ---- collecting */

struct found {
	struct record record;
	struct chain_place place; /* of the record */
	uint32_t at;              /* its offset */
};

static bool
find(const struct pool *blocks, const struct details *d, struct text key, uint32_t hash,
    struct found *f)
{
	struct chain_place place = chain_begin(&d->attrs);
	uint8_t head[HEAD_MAX];
	uint32_t at = 0;

	while (at < d->attrs.len) {
		f->place = place;
		f->at = at;
		chain_read(blocks, &place, &f->record, sizeof(f->record));
		if (f->record.hash == hash &&
		    text_same(key, key_of(blocks, &f->record, place, head)))
			return true;
		chain_read(blocks, &place, NULL, body_of(&f->record));
		at += (uint32_t)sizeof(f->record) + body_of(&f->record);
	}
	return false;
}

static void
forget(struct pool *blocks, struct details *d, const struct found *f)
{
	if ((f->record.size & FAR) != 0) {
		struct chain_place place = f->place;
		struct chain far;

		chain_read(blocks, &place, NULL, sizeof(f->record));
		chain_read(blocks, &place, &far, sizeof(far));
		chain_free(blocks, &far);
	}
	d->attr_bytes -= size_of(&f->record);
	d->nattrs--;
	chain_cut(
	    blocks, &d->attrs, f->at, f->place, (uint32_t)sizeof(f->record) + body_of(&f->record));
}

/* Whether one more of this size fits, the blocks of its own chain and of the records counted apart.
 */
static bool
fits(const struct pool *blocks, const struct details *d, uint32_t size)
{
	struct chain far = { .head = 0 };
	uint32_t record = (uint32_t)sizeof(struct record);

	if (d->attr_bytes + size > LIMIT_LIST_BYTES)
		return false;
	if (size <= DETAILS_NEAR)
		return chain_fits(blocks, &d->attrs, record + size);
	/* One block more than the value needs covers the records. */
	return chain_fits(blocks, &far, size + CHAIN_BYTES);
}

static void
add(struct pool *blocks, struct details *d, const uint8_t *bytes, uint32_t size, uint32_t hash)
{
	struct record r = { hash, size };

	if (size <= DETAILS_NEAR) {
		chain_append(blocks, &d->attrs, &r, sizeof(r));
		chain_append(blocks, &d->attrs, bytes, size);
	} else {
		struct chain far = { .head = 0 };

		r.size |= FAR;
		chain_append(blocks, &far, bytes, size);
		chain_append(blocks, &d->attrs, &r, sizeof(r));
		chain_append(blocks, &d->attrs, &far, sizeof(far));
	}
	d->attr_bytes += size;
	d->nattrs++;
}

void
details_attrs(struct pool *blocks, struct details *d, const struct attrs *a, struct tally *tally)
{
	d->attrs_dropped += a->dropped;
	for (uint32_t i = 0; i < a->n; i++) {
		const struct attr *it = &a->at[i];
		struct found old;
		bool known = find(blocks, d, key_in(a, it), it->hash, &old);

		if (!known && d->nattrs == WIRE_ATTRS_MAX) {
			tally->attr_over_limit++;
			d->attrs_dropped++;
		} else if (!fits(blocks, d, it->size)) {
			tally->attr_store_full++;
			d->attrs_dropped++;
		} else {
			if (known)
				forget(blocks, d, &old);
			add(blocks, d, a->bytes + it->at, it->size, it->hash);
		}
	}
}

static enum details_outcome
collect(struct pool *blocks, struct chain *list, struct text field, uint32_t most, uint8_t *n,
    uint16_t *dropped)
{
	enum details_outcome outcome = DETAILS_OK;

	if (*n == most)
		outcome = DETAILS_SPAN_FULL;
	else if (list->len + field.len > LIMIT_LIST_BYTES || !chain_fits(blocks, list, field.len))
		outcome = DETAILS_STORE_FULL;
	if (outcome != DETAILS_OK) {
		if (*dropped < UINT16_MAX)
			++*dropped;
		return outcome;
	}
	chain_append(blocks, list, field.s, field.len);
	++*n;
	return DETAILS_OK;
}

enum details_outcome
details_event(struct pool *blocks, struct details *d, struct text field)
{
	return collect(blocks, &d->events, field, WIRE_EVENTS_MAX, &d->nevents, &d->events_dropped);
}

enum details_outcome
details_link(struct pool *blocks, struct details *d, struct text field)
{
	return collect(blocks, &d->links, field, WIRE_LINKS_MAX, &d->nlinks, &d->links_dropped);
}

/* ---- handing over */

/* The attributes that were collected and that last does not have; known: those of last that replace
 * one. */
static uint32_t
gather(const struct pool *blocks, const struct details *d, const struct attrs *last, uint8_t *out,
    bool known[WIRE_ATTRS_MAX])
{
	struct chain_place place = chain_begin(&d->attrs);
	uint8_t head[HEAD_MAX], *to = out;

	memset(known, 0, last->n * sizeof(*known));
	for (uint32_t i = 0; i < d->nattrs; i++) {
		const struct attr *newer = NULL;
		struct chain_place value;
		struct record r;

		chain_read(blocks, &place, &r, sizeof(r));
		if (last->n != 0)
			newer = attrs_find(last, key_of(blocks, &r, place, head), r.hash);
		if (newer != NULL) {
			known[newer - last->at] = true;
		} else {
			value = key_value(blocks, &r, place);
			chain_read(blocks, &value, to, size_of(&r));
			to += size_of(&r);
		}
		chain_read(blocks, &place, NULL, body_of(&r));
	}
	return (uint32_t)(to - out);
}

static void
merge(const struct pool *blocks, const struct details *d, const struct attrs *last, uint8_t *out,
    struct span_list *list, struct tally *tally)
{
	bool known[WIRE_ATTRS_MAX];
	uint32_t len = gather(blocks, d, last, out, known), n = d->nattrs;
	uint32_t dropped = d->attrs_dropped + last->dropped;

	for (uint32_t i = 0; i < last->n; i++) {
		const struct attr *it = &last->at[i];

		if (!known[i] && n == WIRE_ATTRS_MAX) {
			tally->attr_over_limit++;
			dropped++;
		} else if (len + it->size > LIMIT_LIST_BYTES) {
			tally->attr_store_full++;
			dropped++;
			n -= known[i];
		} else {
			memcpy(out + len, last->bytes + it->at, it->size);
			len += it->size;
			n += !known[i];
		}
	}
	*list = (struct span_list){ out, len, n, dropped };
}

static struct span_list
copy(const struct pool *blocks, const struct chain *c, uint32_t n, uint32_t dropped, uint8_t *out)
{
	struct chain_place place = chain_begin(c);

	chain_read(blocks, &place, out, c->len);
	return (struct span_list){ out, c->len, n, dropped };
}

void
details_lists(const struct pool *blocks, const struct details *d, const struct attrs *last,
    uint8_t *out, struct span *span, struct tally *tally)
{
	merge(blocks, d, last, out, &span->attrs, tally);
	out += span->attrs.len;
	span->events = copy(blocks, &d->events, d->nevents, d->events_dropped, out);
	out += span->events.len;
	span->links = copy(blocks, &d->links, d->nlinks, d->links_dropped, out);
}

void
details_free(struct pool *blocks, struct details *d)
{
	struct chain_place place = chain_begin(&d->attrs);

	for (uint32_t i = 0; i < d->nattrs; i++) {
		struct chain far;
		struct record r;

		chain_read(blocks, &place, &r, sizeof(r));
		if ((r.size & FAR) != 0) {
			chain_read(blocks, &place, &far, sizeof(far));
			chain_free(blocks, &far);
		} else {
			chain_read(blocks, &place, NULL, r.size);
		}
	}
	chain_free(blocks, &d->attrs);
	chain_free(blocks, &d->events);
	chain_free(blocks, &d->links);
}
