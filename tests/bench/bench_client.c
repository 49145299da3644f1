/*
 * bench_client.c -- ns a span (START and END) that the calling thread pays, against msgpack-c.
 *
 * hot	 The calls alone, again and again, the ring emptied by hand, nobody reading, every cache
 *	 warm. msgpack-c packs the same events into an sbuffer that is thrown away.
 * /s	 What a service pays: so many spans a second in requests of 10, between which the caller
 *	 walks through 64 KiB of its own, as its work would; the flusher on another core writes to
 *	 a peer that reads. msgpack-c packs into an sbuffer that the caller sends at 8 KiB.
 *
 * The caller is bound to one core, all else to the others. All variants take turns in each round;
 * figures are medians of rounds, without the requests in which the caller lost its core.
 * A ratio is the median of the rounds' ratios to msgpack-c in the same round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/local.h"
#include "client/sidecar.h"
#include "tests/bench/packed.h"
#include "tests/bench/peer.h"

enum {
	ATTRS = 4,
	REQUEST = 10, /* spans */
	WORK = 65536, /* bytes that a request's own work reads */
	HOT_REQUESTS = 3000,
	HOT_AT_ONCE = 10,
	ROUND_NS = 20000000, /* of a paced round; the first quarter does not count */
	ROUNDS = 15,
};

struct variant {
	const char *what, *clock;
	void (*request)(size_t attrs);
	bool tsc;
	size_t attrs;
	double ns[ROUNDS];
};

static struct sidecar *sidecar; /* of the case that is measured */
static const char *name;
static const char *keys[ATTRS];

/* As a service would, anew for each span. */
static inline void
fill(struct sidecar_attr attrs[ATTRS])
{
	attrs[0] = sidecar_str(keys[0], "GET");
	attrs[1] = sidecar_int(keys[1], 200);
	attrs[2] = sidecar_str(keys[2], "/api/orders/{id}");
	attrs[3] = sidecar_int(keys[3], 8080);
}

static void
request_library(size_t n)
{
	for (int i = 0; i < REQUEST; i++) {
		struct sidecar_attr attrs[ATTRS];
		struct sidecar_span span;

		if (n != 0)
			fill(attrs);
		sidecar_span_start(sidecar, &span, name, SIDECAR_INTERNAL, NULL, 0, attrs, n);
		sidecar_span_end(&span, SIDECAR_OK, NULL, 0, NULL, 0);
	}
}

static void
request_packed(size_t n)
{
	for (int i = 0; i < REQUEST; i++) {
		struct sidecar_attr attrs[ATTRS];

		if (n != 0)
			fill(attrs);
		packed_span(attrs, n);
	}
}

static struct variant variants[] = {
	{ "msgpack-c", "clock_gettime", request_packed, .attrs = 0 },
	{ "msgpack-c", "clock_gettime", request_packed, .attrs = ATTRS },
	{ "libsidecar", "clock_gettime", request_library, .attrs = 0 },
	{ "libsidecar", "clock_gettime", request_library, .attrs = ATTRS },
	{ "libsidecar", "TSC", request_library, .tsc = true, .attrs = 0 },
	{ "libsidecar", "TSC", request_library, .tsc = true, .attrs = ATTRS },
};
enum { VARIANTS = sizeof(variants) / sizeof(variants[0]) };

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* How often this thread had to leave its core. */
static long
interruptions(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nivcsw;
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const double *of)
{
	double v[ROUNDS];

	memcpy(v, of, sizeof(v));
	qsort(v, ROUNDS, sizeof(v[0]), ascending);
	return v[ROUNDS / 2];
}

/* Everything in this thread's ring is as if written: nobody else empties it while there is no
 * sidecar to connect to. */
static void
empty(void)
{
	struct ring *r = local_self.ring;

	atomic_store_explicit(&r->tail, r->head, memory_order_release);
}

static double clock_cost;

static void
time_clock(void)
{
	double v[ROUNDS];

	for (int r = 0; r < ROUNDS; r++) {
		uint64_t begun = now();

		for (int i = 0; i < 999; i++)
			now();
		v[r] = (double)(now() - begun) / 1000;
	}
	clock_cost = median(v);
}

static void
work(void)
{
	static volatile unsigned char bytes[WORK];

	for (size_t i = 0; i < sizeof(bytes); i += 64)
		bytes[i]++;
}

struct tally {
	double ns;
	uint64_t spans;
};

static uint64_t
refused(void)
{
	return atomic_load_explicit(&local_self.ring->dropped[DROP_FULL], memory_order_relaxed);
}

/* Adds nothing when the caller had to leave its core meanwhile, which is no cost of its own, or
 * when the ring was full, which is cheap. */
static void
time_requests(const struct variant *v, int requests, struct tally *t)
{
	uint64_t full = refused();
	long before = interruptions();
	uint64_t begun = now(), ended;

	for (int i = 0; i < requests; i++)
		v->request(v->attrs);
	packed_send();
	ended = now();
	if (interruptions() != before || refused() != full)
		return;
	t->ns += (double)(ended - begun) - clock_cost;
	t->spans += (uint64_t)(requests * REQUEST);
}

static void
hot(const struct variant *v, struct tally *t)
{
	for (int i = 0; i < HOT_REQUESTS; i += HOT_AT_ONCE) {
		time_requests(v, HOT_AT_ONCE, t);
		empty();
	}
}

/* What was missed while the caller had no core is not made up for. */
static void
paced(const struct variant *v, uint64_t rate, struct tally *t)
{
	uint64_t apart = REQUEST * UINT64_C(1000000000) / rate, due = now();

	for (uint64_t i = 0, n = ROUND_NS / apart; i < n; i++) {
		struct tally lead_in = { 0 };
		uint64_t at;

		work();
		while ((at = now()) < due)
			continue;
		time_requests(v, 1, i < n / 4 ? &lead_in : t);
		due = at + apart;
	}
}

static double
round_of(const struct variant *v, uint64_t rate)
{
	struct tally t = { 0 };

	clock_use_tsc(v->tsc);
	while (v->tsc && !clock_on_tsc())
		clock_calibrate();
	while (t.spans == 0) {
		if (rate == 0) {
			hot(v, &t);
		} else {
			sidecar_flush(sidecar, 1000);
			paced(v, rate, &t);
		}
	}
	return t.ns / (double)t.spans;
}

/* rate 0: hot. */
static void
compare(const char *how, uint64_t rate)
{
	bool tsc = clock_use_tsc(true);
	struct variant *v;

	for (int r = 0; r < ROUNDS; r++)
		for (v = variants; v < variants + VARIANTS; v++)
			if (tsc || !v->tsc)
				v->ns[r] = round_of(v, rate);
	for (v = variants; v < variants + VARIANTS; v++) {
		const struct variant *base = &variants[v->attrs != 0];
		double ratio[ROUNDS];

		if (v->tsc && !tsc)
			continue;
		for (int r = 0; r < ROUNDS; r++)
			ratio[r] = v->ns[r] / base->ns[r];
		printf("%s  %-10s  %-13s  %zu attributes  %6.1f ns/span", how, v->what, v->clock,
		    v->attrs, median(v->ns));
		if (v != base)
			printf("  %.2f of msgpack-c", median(ratio));
		putchar('\n');
	}
}

static void
open_at(const char *path, uint32_t ring_bytes)
{
	struct sidecar_options options = {
		.socket_path = path, .service_name = "bench", .ring_bytes = ring_bytes
	};

	sidecar = sidecar_open(&options);
	if (sidecar == NULL) {
		perror("sidecar_open");
		exit(1);
	}
	name = sidecar_intern(sidecar, "GET /api/orders");
	keys[0] = sidecar_intern(sidecar, "http.request.method");
	keys[1] = sidecar_intern(sidecar, "http.response.status_code");
	keys[2] = sidecar_intern(sidecar, "http.route");
	keys[3] = sidecar_intern(sidecar, "server.port");
	peer_pin(PEER_CALLER);
	local_enter(sidecar);
}

static int
close_and_count(void)
{
	struct sidecar_totals t;

	sidecar_flush(sidecar, 1000);
	sidecar_stats(sidecar, &t);
	sidecar_close(sidecar, 1000);
	peer_pin(PEER_OTHERS);
	if (t.dropped_full != 0)
		printf("%llu of %llu events found the ring full\n",
		    (unsigned long long)t.dropped_full, (unsigned long long)t.emitted);
	if (t.emitted == t.written + t.dropped_full)
		return 0;
	printf("FAULT: %llu events, %llu written\n", (unsigned long long)t.emitted,
	    (unsigned long long)t.written);
	return 1;
}

int
main(void)
{
	struct peer peer;
	int fault;

	if (!peer_pin(PEER_OTHERS))
		puts("one core: the caller shares it with its flusher");
	time_clock();
	open_at("/nonexistent/sidecar.sock", 0);
	compare("hot       ", 0);
	empty();
	sidecar_close(sidecar, 0);

	peer_start(&peer);
	open_at(peer.path, 0);
	packed_open(peer.path);
	compare("100,000/s ", 100000);
	fault = close_and_count();
	open_at(peer.path, 1 << 20);
	compare("1,000,000/s", 1000000);
	fault |= close_and_count();
	packed_close();
	peer_stop(&peer);
	return fault;
}
