#include "assemble.h"

#include "hash.h"
#include "limits.h"
#include "stat.h"

#include <stdbool.h>

struct slot {
	uint32_t next; /* first: the pool writes here when the slot is free */
	uint32_t prev; /* in the peer's list, 0 at its ends */
	uint32_t name; /* a string */
	uint32_t details;
	uint8_t trace_id[WIRE_TRACE_ID];
	uint8_t span_id[WIRE_SPAN_ID];
	uint8_t parent_id[WIRE_SPAN_ID]; /* all zero: a root */
	uint64_t start;
	uint32_t came_ms;
	uint16_t peer;
	uint8_t kind, flags;
};

_Static_assert(sizeof(struct slot) == 64, "a slot is a cache line");
_Static_assert(LIMIT_SESSIONS <= UINT16_MAX, "a peer fits its slot");

struct peer {
	uint32_t head, tail; /* slots, oldest first */
	uint32_t open;
	uint64_t serial;
};

enum {
	BLOCKS = LIMIT_ATTRIBUTE_BYTES / CHAIN_BLOCK,
	INDEX_FIRST = 1024,
	INDEX_MOST = 2 * LIMIT_OPEN_SPANS,
	SCRATCH_BYTES = 3 * LIMIT_LIST_BYTES
};

struct assemble {
	struct strings *strings;
	uint64_t seed;
	uint64_t *index; /* tag << 32 | slot, 0: empty; grows in place */
	uint32_t mask;
	uint32_t peers_end; /* above every peer that ever joined */
	struct pool slots, details, blocks;
	struct span view;
	uint8_t *scratch;
	struct attrs *none;
	struct peer peers[LIMIT_SESSIONS + 1];
};

static const size_t line = 64;

static size_t
round_up(size_t n)
{
	return (n + line - 1) / line * line;
}

size_t
assemble_bytes(void)
{
	return round_up(sizeof(struct assemble)) + round_up(sizeof(struct attrs)) +
	       INDEX_MOST * sizeof(uint64_t) + POOL_BYTES(sizeof(struct slot), LIMIT_OPEN_SPANS) +
	       POOL_BYTES(line, LIMIT_OPEN_SPANS) + POOL_BYTES(CHAIN_BLOCK, BLOCKS) + SCRATCH_BYTES;
}

_Static_assert(sizeof(struct details) <= 64, "details are a cache line");

struct assemble *
assemble_init(void *mem, struct strings *strings, uint32_t most, uint64_t hash_seed)
{
	struct assemble *a = mem;
	uint8_t *p = mem;

	a->strings = strings;
	a->seed = hash_seed;
	a->mask = INDEX_FIRST - 1;
	a->peers_end = 1;
	p += round_up(sizeof(*a));
	a->none = (void *)p;
	p += round_up(sizeof(*a->none));
	a->index = (void *)p;
	p += INDEX_MOST * sizeof(*a->index);
	pool_init(&a->slots, p, sizeof(struct slot), most);
	p += POOL_BYTES(sizeof(struct slot), LIMIT_OPEN_SPANS);
	pool_init(&a->details, p, (uint32_t)line, most);
	p += POOL_BYTES(line, LIMIT_OPEN_SPANS);
	pool_init(&a->blocks, p, CHAIN_BLOCK, BLOCKS);
	a->scratch = p + POOL_BYTES(CHAIN_BLOCK, BLOCKS);
	attrs_init(a->none, a->scratch, 0);
	return a;
}

/* ---- the index */

static inline struct slot *
slot_at(const struct assemble *a, uint32_t number)
{
	return pool_at(&a->slots, number);
}

static inline uint32_t
tag_of(const struct assemble *a, uint32_t peer, const uint8_t *span_id)
{
	uint64_t id;

	memcpy(&id, span_id, sizeof(id));
	return (uint32_t)hash_fold(id ^ a->seed, a->seed + peer * UINT64_C(0x9e3779b97f4a7c15));
}

static inline uint64_t
entry_of(uint32_t tag, uint32_t slot)
{
	return (uint64_t)tag << 32 | slot;
}

static inline uint32_t
entry_tag(uint64_t entry)
{
	return (uint32_t)(entry >> 32);
}

/* The place of a span, or the empty one where it would go. */
static inline uint32_t
probe(const struct assemble *a, uint32_t peer, const uint8_t *span_id, uint32_t tag)
{
	uint32_t i = tag & a->mask;

	for (; a->index[i] != 0; i = (i + 1) & a->mask) {
		const struct slot *s;

		if (entry_tag(a->index[i]) != tag)
			continue;
		s = slot_at(a, (uint32_t)a->index[i]);
		if (s->peer == peer && memcmp(s->span_id, span_id, WIRE_SPAN_ID) == 0)
			break;
	}
	return i;
}

/* Twice as many entries, before more than half are in use; the slots know what was there. */
static void
index_grow(struct assemble *a)
{
	memset(a->index, 0, (a->mask + 1) * sizeof(*a->index));
	a->mask = 2 * a->mask + 1;
	for (uint32_t peer = 1; peer < a->peers_end; peer++)
		for (uint32_t n = a->peers[peer].head; n != 0; n = slot_at(a, n)->next) {
			uint32_t tag = tag_of(a, peer, slot_at(a, n)->span_id);

			a->index[probe(a, peer, slot_at(a, n)->span_id, tag)] = entry_of(tag, n);
		}
}

/* Empty a place, and move those behind it up that would no longer be found. */
static void
index_remove(struct assemble *a, uint32_t hole)
{
	for (uint32_t i = hole;;) {
		uint32_t home;

		i = (i + 1) & a->mask;
		if (a->index[i] == 0)
			break;
		home = entry_tag(a->index[i]) & a->mask;
		if (((i - home) & a->mask) >= ((i - hole) & a->mask)) {
			a->index[hole] = a->index[i];
			hole = i;
		}
	}
	a->index[hole] = 0;
}

/* ---- peers */

void
assemble_join(struct assemble *a, uint32_t peer, uint64_t serial)
{
	a->peers[peer] = (struct peer){ .serial = serial };
	if (a->peers_end <= peer)
		a->peers_end = peer + 1;
}

uint32_t
assemble_open(const struct assemble *a, uint32_t peer)
{
	return a->peers[peer].open;
}

static void
list_add(struct assemble *a, uint32_t peer, uint32_t number)
{
	struct peer *p = &a->peers[peer];

	slot_at(a, number)->next = 0;
	slot_at(a, number)->prev = p->tail;
	if (p->tail != 0)
		slot_at(a, p->tail)->next = number;
	else
		p->head = number;
	p->tail = number;
	p->open++;
}

static void
list_remove(struct assemble *a, uint32_t number)
{
	const struct slot *s = slot_at(a, number);
	struct peer *p = &a->peers[s->peer];

	if (s->prev != 0)
		slot_at(a, s->prev)->next = s->next;
	else
		p->head = s->next;
	if (s->next != 0)
		slot_at(a, s->next)->prev = s->prev;
	else
		p->tail = s->prev;
	p->open--;
}

/* ---- spans */

static struct details *
details_of(struct assemble *a, struct slot *s)
{
	if (s->details == 0) {
		s->details = pool_take(&a->details); /* as many as slots */
		memset(pool_at(&a->details, s->details), 0, sizeof(struct details));
	}
	return pool_at(&a->details, s->details);
}

enum assemble_outcome
assemble_start(struct assemble *a, uint32_t peer, const struct opening *o, struct tally *tally)
{
	uint32_t tag = tag_of(a, peer, o->span_id), place = probe(a, peer, o->span_id, tag), number;
	struct slot *s;

	if (a->index[place] != 0)
		return ASSEMBLE_DUPLICATE;
	number = pool_take(&a->slots);
	if (number == 0)
		return ASSEMBLE_FULL;
	a->index[place] = entry_of(tag, number);
	s = slot_at(a, number);
	memcpy(s->trace_id, o->trace_id, sizeof(s->trace_id));
	memcpy(s->span_id, o->span_id, sizeof(s->span_id));
	if (o->parent_id != NULL)
		memcpy(s->parent_id, o->parent_id, sizeof(s->parent_id));
	else
		memset(s->parent_id, 0, sizeof(s->parent_id));
	s->start = o->start;
	s->came_ms = o->now_ms;
	s->peer = (uint16_t)peer;
	s->kind = o->kind;
	s->flags = o->flags;
	s->details = 0;
	if (o->name_string != 0) {
		s->name = o->name_string;
		strings_hold(a->strings, s->name);
	} else {
		s->name = strings_add(a->strings, o->name);
	}
	list_add(a, peer, number);
	stats.open_spans++;
	if (o->tracestate.len != 0)
		details_of(a, s)->tracestate = strings_add(a->strings, o->tracestate);
	if (o->attrs->n != 0 || o->attrs->dropped != 0)
		details_attrs(&a->blocks, details_of(a, s), o->attrs, tally);
	if (a->slots.used * 2 > a->mask + 1)
		index_grow(a);
	return ASSEMBLE_OK;
}

uint32_t
assemble_find(const struct assemble *a, uint32_t peer, const uint8_t span_id[WIRE_SPAN_ID])
{
	return (uint32_t)a->index[probe(a, peer, span_id, tag_of(a, peer, span_id))];
}

uint32_t
assemble_oldest(const struct assemble *a, uint32_t peer)
{
	return a->peers[peer].head;
}

uint32_t
assemble_expired(const struct assemble *a, uint32_t peer, uint32_t now_ms, uint32_t age_ms)
{
	uint32_t head = a->peers[peer].head;

	return head != 0 && now_ms - slot_at(a, head)->came_ms > age_ms ? head : 0;
}

uint32_t
assemble_victim(const struct assemble *a)
{
	const struct peer *most = &a->peers[0];

	for (uint32_t i = 1; i < a->peers_end; i++) {
		const struct peer *p = &a->peers[i];

		if (p->open > most->open || (p->open == most->open && p->serial < most->serial))
			most = p;
	}
	return most->head;
}

uint32_t
assemble_peer(const struct assemble *a, uint32_t span)
{
	return slot_at(a, span)->peer;
}

void
assemble_attrs(struct assemble *a, uint32_t span, const struct attrs *attrs, struct tally *tally)
{
	details_attrs(&a->blocks, details_of(a, slot_at(a, span)), attrs, tally);
}

enum details_outcome
assemble_event(struct assemble *a, uint32_t span, struct text field)
{
	return details_event(&a->blocks, details_of(a, slot_at(a, span)), field);
}

enum details_outcome
assemble_link(struct assemble *a, uint32_t span, struct text field)
{
	return details_link(&a->blocks, details_of(a, slot_at(a, span)), field);
}

static bool
is_root(const struct slot *s)
{
	uint64_t id;

	memcpy(&id, s->parent_id, sizeof(id));
	return id == 0;
}

/* Take out the span whose place in the index this is. */
static struct span *
take(struct assemble *a, uint32_t place, const struct attrs *last, struct tally *tally)
{
	uint32_t number = (uint32_t)a->index[place];
	struct slot *s = slot_at(a, number);
	struct span *v = &a->view;

	v->trace_id = s->trace_id;
	v->span_id = s->span_id;
	v->parent_id = is_root(s) ? NULL : s->parent_id;
	v->name = strings_text(a->strings, s->name);
	v->tracestate = TEXT("");
	v->message = TEXT("");
	v->start = s->start;
	v->kind = s->kind;
	v->flags = s->flags;
	if (s->details == 0) {
		v->attrs = (struct span_list){ last->bytes, last->len, last->n, last->dropped };
		v->events = v->links = (struct span_list){ a->scratch, 0, 0, 0 };
	} else {
		struct details *d = pool_at(&a->details, s->details);

		details_lists(&a->blocks, d, last, a->scratch, v, tally);
		if (d->tracestate != 0) {
			v->tracestate = strings_text(a->strings, d->tracestate);
			strings_drop(a->strings, d->tracestate);
		}
		details_free(&a->blocks, d);
		pool_give(&a->details, s->details);
	}
	strings_drop(a->strings, s->name);
	index_remove(a, place);
	list_remove(a, number);
	pool_give(&a->slots, number);
	stats.open_spans--;
	return v;
}

struct span *
assemble_end(struct assemble *a, uint32_t peer, const uint8_t span_id[WIRE_SPAN_ID],
    const struct attrs *last, struct tally *tally)
{
	uint32_t place = probe(a, peer, span_id, tag_of(a, peer, span_id));

	return a->index[place] != 0 ? take(a, place, last, tally) : NULL;
}

struct span *
assemble_take(struct assemble *a, uint32_t number)
{
	const struct slot *s = slot_at(a, number);
	struct tally none; /* nothing is added, so nothing is dropped */

	return take(
	    a, probe(a, s->peer, s->span_id, tag_of(a, s->peer, s->span_id)), a->none, &none);
}
