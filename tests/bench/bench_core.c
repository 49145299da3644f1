/*
 * The heart of the way in, by itself: decode against msgpack_unpacker, the table of open spans
 * against a plain hash table, and spans through a whole session. Everything of one line runs in the
 * same rounds; medians are printed.
 */
#include "tests/unit/rig.h"

#include "sidecar/assemble.h"
#include "sidecar/decode.h"

#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 9, SPANS = 200000, READ = 65536 };

/* ---- measuring */

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), by_size);
	return v[ROUNDS / 2];
}

static uint64_t
random_next(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

static volatile uint64_t sink;

/* ---- a stream */

struct stream {
	uint8_t *bytes;
	size_t n, events;
};

static void
put(struct stream *s, const void *bytes, size_t n)
{
	memcpy(s->bytes + s->n, bytes, n);
	s->n += n;
}

static void
put_u64(struct stream *s, uint64_t v)
{
	uint8_t be[9] = { 0xcf };

	for (int i = 0; i < 8; i++)
		be[1 + i] = (uint8_t)(v >> (56 - 8 * i));
	put(s, be, sizeof(be));
}

static const char attrs[] = "\x82\xaarpc.method\xa3Sum\xb0messaging.system\xa5kafka";

static void
put_ids(struct stream *s, uint64_t id)
{
	uint64_t trace[2] = { id * 3 + 1, ~id };

	put(s, "\xc4\x10", 2);
	put(s, trace, 16);
	put(s, "\xc4\x08", 2);
	put(s, &id, 8);
}

static void
put_opening(struct stream *s, uint64_t id, char head, char type, bool whole, bool full)
{
	put(s, &head, 1);
	put(s, &type, 1);
	put_ids(s, id);
	put(s, "\xc4\x08parent01", 10);
	put(s, "\x01\x02", 2); /* name 1, SERVER */
	put_u64(s, UINT64_C(1700000000000000000));
	put(s, "\x01", 1);
	if (whole) {
		put_u64(s, UINT64_C(1700000000001000000));
		put(s, "\x00\xc0", 2);
	}
	if (full)
		put(s, attrs, sizeof(attrs) - 1);
	else
		put(s, "\xc0", 1);
	put(s, "\xc0", 1);
	s->events++;
}

static void
put_end(struct stream *s, uint64_t id)
{
	put(s, "\x96\x04\xc4\x08", 4);
	put(s, &id, 8);
	put_u64(s, UINT64_C(1700000000001000000));
	put(s, "\x00\xc0\xc0", 3);
	s->events++;
}

/* STRING 1, then spans: pairs of which `open` are open at a time, or whole ones. */
static struct stream
make_stream(bool whole, bool full, size_t open)
{
	struct stream s = { malloc((size_t)SPANS * 200), 0, 0 };
	uint64_t *ids = calloc(open + 1, sizeof(*ids));

	put(&s, "\x93\x01\x01\xa2op", 6);
	for (size_t i = 0; i < SPANS; i++) {
		uint64_t id = random_next() | 1;

		put_opening(&s, id, whole ? (char)0x9d : (char)0x9a, whole ? 2 : 3, whole, full);
		if (whole)
			continue;
		if (ids[i % open] != 0)
			put_end(&s, ids[i % open]);
		ids[i % open] = id;
	}
	for (size_t i = 0; i < open && !whole; i++)
		put_end(&s, ids[i]);
	free(ids);
	return s;
}

/* ---- decode */

static double
time_decode(const struct stream *s)
{
	struct decoder d = { .used = 0 };
	double from = seconds();
	struct event e;

	for (size_t at = 0; at < s->n; at += d.used) {
		if (decode(&d, s->bytes + at, s->n - at, &e) != DECODE_OK)
			abort();
		sink += e.time + e.end;
	}
	return (seconds() - from) * 1e9 / (double)s->events;
}

static double
time_slow(const struct stream *s)
{
	struct decoder d = { .used = 0 };
	double from = seconds();
	struct event e;

	for (size_t at = 0; at < s->n; at += d.used) {
		if (decode_slow(&d, s->bytes + at, s->n - at, &e) != DECODE_OK)
			abort();
		sink += e.time + e.end;
	}
	return (seconds() - from) * 1e9 / (double)s->events;
}

static double
time_unpacker(const struct stream *s)
{
	msgpack_unpacker u;
	msgpack_unpacked result;
	double from = seconds();

	msgpack_unpacker_init(&u, 2 * READ);
	msgpack_unpacked_init(&result);
	for (size_t at = 0, part; at < s->n; at += part) {
		part = s->n - at < READ ? s->n - at : READ;
		msgpack_unpacker_reserve_buffer(&u, part);
		memcpy(msgpack_unpacker_buffer(&u), s->bytes + at, part);
		msgpack_unpacker_buffer_consumed(&u, part);
		while (msgpack_unpacker_next(&u, &result) == MSGPACK_UNPACK_SUCCESS)
			sink += result.data.via.array.size;
	}
	msgpack_unpacked_destroy(&result);
	msgpack_unpacker_destroy(&u);
	return (seconds() - from) * 1e9 / (double)s->events;
}

static void
bench_decode(const char *what, bool whole, bool full)
{
	struct stream s = make_stream(whole, full, 1000);
	double fast[ROUNDS], slow[ROUNDS], unpacker[ROUNDS], f, w, u;

	for (int i = 0; i < ROUNDS; i++) {
		fast[i] = time_decode(&s);
		slow[i] = time_slow(&s);
		unpacker[i] = time_unpacker(&s);
	}
	f = median(fast);
	w = median(slow);
	u = median(unpacker);
	printf(
	    "decode %-34s %6.1f ns an event; any layout %.1f; msgpack_unpacker %.1f (%.1f times)\n",
	    what, f, w, u, u / f);
	free(s.bytes);
}

/* ---- the table */

struct node {
	struct node *next;
	uint64_t id;
	uint8_t rest[48];
};

enum { BUCKETS = 1 << 18 };

/* A span's life in bare chains, as one writes them first: malloc, modulo, free; no order, no seed,
 * no names. */
static double
time_naive(size_t open)
{
	struct node **buckets = calloc(BUCKETS, sizeof(*buckets)), **at, *node;
	uint64_t *ids = calloc(open, sizeof(*ids));
	double from = 0;

	for (size_t i = 0; i < open + SPANS; i++) {
		uint64_t id = random_next();

		if (i == open)
			from = seconds();
		if (i >= open) {
			for (at = &buckets[ids[i % open] % BUCKETS]; (*at)->id != ids[i % open];)
				at = &(*at)->next;
			node = *at;
			*at = node->next;
			sink += node->rest[0];
			free(node);
		}
		node = malloc(sizeof(*node));
		memset(node->rest, (int)i, sizeof(node->rest));
		node->id = id;
		node->next = buckets[id % BUCKETS];
		buckets[id % BUCKETS] = node;
		ids[i % open] = id;
	}
	from = seconds() - from;
	for (size_t i = 0; i < BUCKETS; i++)
		for (node = buckets[i]; node != NULL;) {
			struct node *next = node->next;

			free(node);
			node = next;
		}
	free(buckets);
	free(ids);
	return from * 1e9 / SPANS;
}

static void *
map(size_t n)
{
	void *p = mmap(
	    NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static double
time_table(size_t open)
{
	static const uint8_t trace[16] = { 1 };
	struct strings strings;
	struct attrs none;
	struct tally tally = { .text_cut = 0 };
	void *texts = map(strings_bytes()), *mem = map(assemble_bytes());
	uint64_t *ids = calloc(open, sizeof(*ids));
	struct assemble *a;
	double from = 0;
	uint32_t name;

	strings_init(&strings, texts, 7);
	attrs_init(&none, texts, 0);
	name = strings_add(&strings, TEXT("op"));
	a = assemble_init(mem, &strings, LIMIT_OPEN_SPANS, random_next());
	assemble_join(a, 1, 1);
	for (size_t i = 0; i < open + SPANS; i++) {
		uint64_t id = random_next() | 1;
		struct opening o = { .trace_id = trace,
			.span_id = (uint8_t *)&id,
			.name_string = name,
			.tracestate = TEXT(""),
			.attrs = &none };

		if (i == open)
			from = seconds();
		if (i >= open)
			sink += assemble_end(a, 1, (const uint8_t *)&ids[i % open], &none, &tally)
				    ->start;
		if (assemble_start(a, 1, &o, &tally) != ASSEMBLE_OK)
			abort();
		ids[i % open] = id;
	}
	from = seconds() - from;
	munmap(texts, strings_bytes());
	munmap(mem, assemble_bytes());
	free(ids);
	return from * 1e9 / SPANS;
}

static void
bench_table(size_t open)
{
	double ours[ROUNDS], naive[ROUNDS], o, n;

	for (int i = 0; i < ROUNDS; i++) {
		ours[i] = time_table(open);
		naive[i] = time_naive(open);
	}
	o = median(ours);
	n = median(naive);
	printf("table  %-34zu %6.1f ns a span's life; bare chains and malloc %.1f (%.1f times)\n",
	    open, o, n, n / o);
}

/* ---- a session */

static double
time_session(const struct stream *s)
{
	struct rig r;
	struct session *session;
	double from;

	rig_open(&r, NULL);
	r.finish.traces = NULL; /* no endpoint: nothing is encoded */
	session = rig_hello(&r, false);
	from = seconds();
	if (rig_feed(&r, session, s->bytes, s->n, READ) != SESSION_OPEN)
		abort();
	from = seconds() - from;
	if (r.services.at[0].ledger.finished != SPANS)
		abort();
	rig_end(&r, session);
	rig_close(&r);
	return from * 1e9 / SPANS;
}

static void
bench_session(const char *what, bool whole, bool full, size_t open)
{
	struct stream s = make_stream(whole, full, open);
	double v[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		v[i] = time_session(&s);
	printf("session %-33s %6.1f ns a span, from bytes to finish\n", what, median(v));
	free(s.bytes);
}

int
main(void)
{
	bench_decode("START and END", false, false);
	bench_decode("START and END, 2 attributes", false, true);
	bench_decode("SPAN", true, false);
	bench_decode("SPAN, 2 attributes", true, true);
	bench_table(1000);
	bench_table(10000);
	bench_table(100000);
	bench_session("pairs, 1,000 open", false, false, 1000);
	bench_session("pairs, 10,000 open", false, false, 10000);
	bench_session("pairs, 2 attributes, 1,000 open", false, true, 1000);
	bench_session("SPAN", true, false, 1);
	bench_session("SPAN, 2 attributes", true, true, 1);
	return 0;
}
