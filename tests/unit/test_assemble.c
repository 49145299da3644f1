/* The table of open spans against a plain list, with random operations; its limits; order, eviction, age. */
#include "sidecar/assemble.h"

#include "packer.h"
#include "sidecar/stat.h"

#include "otlp.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { PEERS = 4, IDS = 24, MOST = 40, KEYS = 140 };

static struct strings strings;
static struct assemble *table;
static struct attrs attrs;
static struct tally tally;
static void *memory[2];

static void *
map(size_t n)
{
	void *p = mmap(
	    NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static void
open_table(uint32_t most)
{
	stats = (struct stats){ 0 };
	tally = (struct tally){ .text_cut = 0 };
	memory[0] = map(strings_bytes());
	memory[1] = map(assemble_bytes());
	strings_init(&strings, memory[0], 5);
	table = assemble_init(memory[1], &strings, most, 0x0123456789abcdef);
	for (uint32_t peer = 1; peer <= PEERS; peer++)
		assemble_join(table, peer, 100 - peer); /* peer 4 joined first */
	attrs_init(&attrs, malloc(ATTRS_BYTES), ATTRS_BYTES);
	attrs_begin(&attrs, ATTR_OF_SPAN);
}

static void
close_table(void)
{
	munmap(memory[0], strings_bytes());
	munmap(memory[1], assemble_bytes());
	free(attrs.bytes);
}

static uint64_t
random_next(void)
{
	static uint64_t x = 0x2545f4914f6cdd1d;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

/* ---- the twin: every span, oldest first */

struct twin {
	uint32_t peer, id;
	uint64_t start;
	uint32_t values[KEYS]; /* 0: not there; else how long the value is */
	uint32_t n, dropped;   /* attributes */
	uint32_t events, links;
};

static struct twin twins[MOST];
static unsigned ntwins;

static struct twin *
twin_of(uint32_t peer, uint32_t id)
{
	for (unsigned i = 0; i < ntwins; i++)
		if (twins[i].peer == peer && twins[i].id == id)
			return &twins[i];
	return NULL;
}

static void
twin_remove(struct twin *t)
{
	memmove(t, t + 1, (size_t)(&twins[ntwins] - (t + 1)) * sizeof(*t));
	ntwins--;
}

/* Some attributes, into attrs and to a twin. */
static void
random_attrs(struct twin *t)
{
	static const uint32_t lengths[] = { 1, 40, 90, 100, 110, 200, 500, 4096 };
	uint32_t first = (uint32_t)(random_next() % KEYS); /* no key twice: that is test_attr's */
	static uint8_t room[WIRE_VALUE_MAX + 3];
	static char value[WIRE_VALUE_MAX];
	char name[16];

	attrs_begin(&attrs, ATTR_OF_SPAN);
	for (uint64_t n = random_next() % 4; n != 0; n--) {
		uint32_t key = (first + (uint32_t)n) % KEYS, len = lengths[random_next() % 8];
		struct text k = { name, (uint32_t)snprintf(name, sizeof(name), "key%u", key) };
		struct packer p = { room, 0 };

		memset(value, (int)('a' + key % 26), len);
		packer_str(&p, value, len);
		attrs_put(&attrs, k, strings_hash(&strings, k), p.bytes, &tally);
		if (t->values[key] == 0 && t->n == WIRE_ATTRS_MAX) {
			t->dropped++;
		} else {
			t->n += t->values[key] == 0;
			t->values[key] = len;
		}
	}
}

static void
assert_same(const struct span *s, const struct twin *t)
{
	size_t n = (size_t)s->attrs.len + s->events.len + s->links.len;
	uint8_t *bytes = malloc(n + 1);
	Otlp__Span *span;
	uint64_t id;

	memcpy(&id, s->span_id, sizeof(id));
	assert_int_equal(id, t->id);
	assert_int_equal(s->start, t->start);
	assert_int_equal(s->trace_id[15], t->peer);
	assert_int_equal(s->parent_id == NULL, t->id % 2);
	assert_int_equal(s->name.len, t->id % 3 == 0 ? 200 : 5);
	assert_int_equal(s->tracestate.len, t->id % 5 == 0 ? 3 : 0);
	memcpy(bytes, s->attrs.bytes, s->attrs.len);
	memcpy(bytes + s->attrs.len, s->events.bytes, s->events.len);
	memcpy(bytes + s->attrs.len + s->events.len, s->links.bytes, s->links.len);
	span = otlp__span__unpack(NULL, n, bytes);
	assert_non_null(span);
	assert_int_equal(span->n_attributes, t->n);
	assert_int_equal(s->attrs.n, t->n);
	assert_int_equal(s->attrs.dropped, t->dropped);
	for (size_t i = 0; i < span->n_attributes; i++) {
		unsigned key = (unsigned)strtoul(span->attributes[i]->key + 3, NULL, 10);
		const char *value = span->attributes[i]->value->string_value;

		assert_int_equal(strlen(value), t->values[key]);
		assert_int_equal(value[0], 'a' + key % 26);
	}
	assert_int_equal(span->n_events, t->events);
	assert_int_equal(s->events.n, t->events);
	assert_int_equal(span->n_links, t->links);
	assert_int_equal(s->links.n, t->links);
	otlp__span__free_unpacked(span, NULL);
	free(bytes);
}

static enum assemble_outcome
start(uint32_t peer, uint64_t id, uint64_t at)
{
	static char long_name[200];
	uint8_t trace[16] = { [15] = (uint8_t)peer };
	struct opening o = { .trace_id = trace,
		.span_id = (uint8_t *)&id,
		.parent_id = id % 2 ? NULL : (const uint8_t *)"parent01",
		.name = id % 3 == 0 ? (struct text){ long_name, 200 } : TEXT("short"),
		.tracestate = id % 5 == 0 ? TEXT("a=b") : TEXT(""),
		.start = at,
		.now_ms = (uint32_t)at,
		.attrs = &attrs };

	return assemble_start(table, peer, &o, &tally);
}

static void
start_both(uint32_t peer, uint32_t id, uint64_t at)
{
	struct twin fresh = { .peer = peer, .id = id, .start = at };
	enum assemble_outcome expected = ASSEMBLE_OK;

	random_attrs(&fresh);
	if (twin_of(peer, id) != NULL)
		expected = ASSEMBLE_DUPLICATE;
	else if (ntwins == MOST)
		expected = ASSEMBLE_FULL;
	assert_int_equal(start(peer, id, at), expected);
	if (expected == ASSEMBLE_OK)
		twins[ntwins++] = fresh;
}

/* The twin's way to a victim: the peer that has most, of several the one that joined first, which has the higher number. */
static struct twin *
twin_victim(void)
{
	unsigned open[PEERS + 1] = { 0 }, most = 0;

	for (unsigned i = 0; i < ntwins; i++)
		open[twins[i].peer]++;
	for (unsigned peer = 1; peer <= PEERS; peer++)
		if (open[peer] != 0 && open[peer] >= open[most])
			most = peer;
	for (unsigned i = 0; i < ntwins; i++)
		if (twins[i].peer == most)
			return &twins[i];
	return NULL;
}

static void
take_both(uint32_t number, struct twin *t)
{
	assert_int_equal(number != 0, t != NULL);
	if (t == NULL)
		return;
	assert_same(assemble_take(table, number), t);
	twin_remove(t);
}

static unsigned full; /* events and links that found a full span */

static void
one_step(uint64_t at)
{
	/* Few ends, so that spans live long enough to be full. */
	static const char kinds[256] =
	    "euov"
	    "ssssssssssss"
	    "llllllllllllllllllllllllllllllllllllllll"
	    "llllllllllllllllllllllllllllllllnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	    "nnnnnnnnnnnnnnnnnnnn";
	static uint8_t field[] = "\x5a\x03\x12\x01x";
	uint32_t peer = 1 + (uint32_t)(random_next() % PEERS);
	uint32_t id = 1 + (uint32_t)(random_next() % IDS), number;
	uint64_t wide = id;
	struct twin *t = twin_of(peer, id);
	struct span *s;
	char kind;

	number = assemble_find(table, peer, (uint8_t *)&wide);
	assert_int_equal(number != 0, t != NULL);
	kind = kinds[random_next() % 256];
	if (strchr("eov", kind) != NULL && random_next() % 8 != 0)
		kind = '\0';
	switch (kind) {
	case 'e':
		if (t == NULL)
			break;
		random_attrs(t);
		s = assemble_end(table, peer, (uint8_t *)&wide, &attrs, &tally);
		assert_non_null(s);
		assert_same(s, t);
		twin_remove(t);
		break;
	case 'u':
		if (t == NULL)
			assert_null(assemble_end(table, peer, (uint8_t *)&wide, &attrs, &tally));
		break;
	case 'o':
		for (t = twins; t < twins + ntwins && t->peer != peer;)
			t++;
		take_both(assemble_oldest(table, peer), t < twins + ntwins ? t : NULL);
		break;
	case 'v':
		if (ntwins == MOST)
			take_both(assemble_victim(table), twin_victim());
		break;
	case 's': start_both(peer, id, at); break;
	case 'l':
		if (t == NULL)
			break;
		field[0] = 0x6a;
		field[2] = 0x1a;
		assert_int_equal(assemble_link(table, number, (struct text){ (char *)field, 5 }),
		    t->links == WIRE_LINKS_MAX ? DETAILS_SPAN_FULL : DETAILS_OK);
		full += t->links == WIRE_LINKS_MAX;
		t->links += t->links < WIRE_LINKS_MAX;
		break;
	case 'n':
		if (t == NULL)
			break;
		field[0] = 0x5a;
		field[2] = 0x12;
		assert_int_equal(assemble_event(table, number, (struct text){ (char *)field, 5 }),
		    t->events == WIRE_EVENTS_MAX ? DETAILS_SPAN_FULL : DETAILS_OK);
		full += t->events == WIRE_EVENTS_MAX;
		t->events += t->events < WIRE_EVENTS_MAX;
		break;
	default:
		if (t == NULL)
			break;
		random_attrs(t);
		assemble_attrs(table, number, &attrs, &tally);
		break;
	}
	assert_int_equal(stats.open_spans, ntwins);
}

static void
test_against_list(void **state)
{
	(void)state;
	open_table(MOST);
	for (uint64_t at = 1; at <= 400000; at++)
		one_step(at);
	while (ntwins != 0)
		take_both(assemble_oldest(table, twins[0].peer), &twins[0]);
	assert_int_equal(stats.open_spans, 0);
	assert_int_equal(stats.attribute_bytes, 0);
	assert_int_equal(stats.string_bytes, 0);
	assert_true(tally.attr_over_limit > 0 && full > 0);
	close_table();
}

/* As many as promised, and one more; the index grows to its last size and every span is still found. */
static void
test_most(void **state)
{
	(void)state;
	open_table(LIMIT_OPEN_SPANS);
	for (uint64_t id = 1; id <= LIMIT_OPEN_SPANS; id++)
		assert_int_equal(start(1 + id % PEERS, id, id), ASSEMBLE_OK);
	assert_int_equal(start(1, LIMIT_OPEN_SPANS + 1, 1), ASSEMBLE_FULL);
	assert_int_equal(start(1 + 5 % PEERS, 5, 1), ASSEMBLE_DUPLICATE);
	for (uint64_t id = LIMIT_OPEN_SPANS; id != 0; id--)
		assert_non_null(
		    assemble_end(table, 1 + id % PEERS, (uint8_t *)&id, &attrs, &tally));
	assert_int_equal(stats.open_spans, 0);
	assert_int_equal(stats.string_bytes, 0);
	close_table();
}

static void
test_age(void **state)
{
	uint32_t number;

	(void)state;
	open_table(MOST);
	start(1, 1, UINT32_MAX - 5); /* the milliseconds wrap */
	start(1, 2, UINT32_MAX);
	start(2, 3, 1);
	assert_int_equal(assemble_expired(table, 1, 4, 10), 0);
	number = assemble_expired(table, 1, 5, 10);
	assert_int_not_equal(number, 0);
	assert_int_equal(number, assemble_oldest(table, 1));
	assert_int_equal(assemble_peer(table, number), 1);
	assemble_take(table, number);
	assert_int_equal(assemble_expired(table, 1, 5, 10), 0);
	assert_int_equal(assemble_expired(table, 3, 5, 10), 0);
	close_table();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_list),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
