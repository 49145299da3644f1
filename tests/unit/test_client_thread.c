/* Many threads: order on the wire, spans that change hands, rings that come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "client/rings.h"
#include "client/sidecar.h"
#include "client_peer.h"

enum { WAIT = 20000, MANY = 100 };

static struct peer *peer;
static struct sidecar *sidecar;

static int
setup(void **state)
{
	struct sidecar_options options = { .service_name = "svc", .ring_bytes = 1 << 20 };

	(void)state;
	peer = peer_start(NULL);
	options.socket_path = peer_path(peer);
	sidecar = sidecar_open(&options);
	assert_non_null(sidecar);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sidecar_close(sidecar, WAIT);
	peer_stop(peer);
	return 0;
}

static void
assert_all_written(void)
{
	struct sidecar_totals t;

	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	sidecar_stats(sidecar, &t);
	assert_int_equal(t.emitted, t.written);
}

/* What a naive sidecar would make of the stream: it needs START before the rest of a span, a string
 * before its use, and nothing twice. */
struct naive {
	uint8_t (*open)[8];
	size_t count;
	uint64_t strings;
};

static size_t
find(const struct naive *n, const msgpack_object *id)
{
	size_t i = 0;

	while (i < n->count && memcmp(n->open[i], id->via.bin.ptr, 8) != 0)
		i++;
	return i;
}

static void
assert_known(const struct naive *n, const struct event *e, size_t field)
{
	if (event_field(e, field)->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
		assert_true(event_uint(e, field) < n->strings);
}

static void
feed(struct naive *n, const struct event *e)
{
	size_t i;

	switch (e->type) {
	case WIRE_STRING:
		assert_int_equal(event_uint(e, 1), n->strings);
		n->strings++;
		return;
	case WIRE_START:
		assert_known(n, e, 4);
		assert_int_equal(find(n, event_field(e, 2)), n->count);
		n->open = realloc(n->open, (n->count + 1) * 8);
		memcpy(n->open[n->count++], event_field(e, 2)->via.bin.ptr, 8);
		return;
	case WIRE_ATTR: assert_known(n, e, 2); break;
	case WIRE_EVENT: assert_known(n, e, 3); break;
	case WIRE_END: break;
	default: return;
	}
	i = find(n, event_field(e, 1));
	assert_true(i < n->count); /* its START came before */
	if (e->type == WIRE_END)
		memcpy(n->open[i], n->open[--n->count], 8);
}

static void
assert_in_order(size_t spans)
{
	struct naive n = { .count = 0 };
	size_t total;

	peer_wait_type(peer, WIRE_END, spans - 1);
	total = peer_count(peer);
	for (size_t i = 0; i < total; i++)
		feed(&n, peer_event(peer, i));
	assert_int_equal(n.count, 0);
	assert_int_equal(peer_count_type(peer, WIRE_START), spans);
	free(n.open);
}

/* A span goes round a circle of threads; each adds to it, the last ends it. */
enum { STATIONS = 4, TRAVELLERS = 64, ROUNDS = 15 };

static struct station {
	pthread_mutex_t lock;
	struct sidecar_span *waiting[TRAVELLERS];
	size_t count;
} station[STATIONS];

static _Atomic size_t travelling;

static void
send_to(size_t i, struct sidecar_span *span)
{
	pthread_mutex_lock(&station[i].lock);
	station[i].waiting[station[i].count++] = span;
	pthread_mutex_unlock(&station[i].lock);
}

static struct sidecar_span *
take_from(size_t i)
{
	struct sidecar_span *span = NULL;

	pthread_mutex_lock(&station[i].lock);
	if (station[i].count > 0)
		span = station[i].waiting[--station[i].count];
	pthread_mutex_unlock(&station[i].lock);
	return span;
}

static void *
work(void *arg)
{
	size_t me = (size_t)((struct station *)arg - station);
	const char *key = sidecar_intern(sidecar, me % 2 == 0 ? "even" : "odd");

	while (atomic_load(&travelling) > 0) {
		struct sidecar_span *span = take_from(me);
		struct sidecar_attr attr = sidecar_int(key, (int64_t)me);

		if (span == NULL) {
			sched_yield();
			continue;
		}
		sidecar_span_set(span, &attr, 1);
		if (me + 1 < STATIONS) {
			send_to(me + 1, span);
			continue;
		}
		sidecar_end(span, SIDECAR_OK);
		free(span);
		atomic_fetch_sub(&travelling, 1);
	}
	return NULL;
}

static void
spans_change_hands(void **state)
{
	pthread_t threads[STATIONS];

	(void)state;
	atomic_store(&travelling, (size_t)TRAVELLERS * ROUNDS);
	for (size_t i = 0; i < STATIONS; i++) {
		pthread_mutex_init(&station[i].lock, NULL);
		assert_int_equal(pthread_create(&threads[i], NULL, work, &station[i]), 0);
	}
	for (size_t n = 0; n < (size_t)TRAVELLERS * ROUNDS;) {
		struct sidecar_span *span;

		/* So many under way at once, as each station holds. */
		if (n + atomic_load(&travelling) >= (size_t)TRAVELLERS * ROUNDS + TRAVELLERS) {
			sched_yield();
			continue;
		}
		span = malloc(sizeof(*span));
		sidecar_begin(sidecar, span, sidecar_intern(sidecar, n % 2 ? "a" : "b"),
		    SIDECAR_INTERNAL, NULL);
		send_to(0, span);
		n++;
	}
	for (size_t i = 0; i < STATIONS; i++)
		pthread_join(threads[i], NULL);
	assert_all_written();
	peer_wait_type(peer, WIRE_ATTR, (size_t)TRAVELLERS * ROUNDS * STATIONS - 1);
	assert_in_order((size_t)TRAVELLERS * ROUNDS);
}

/* The common ring too: a thread that comes back to a span that others had finds it in order. */
static void *
touch(void *arg)
{
	sidecar_span_event(arg, "theirs", 0, NULL, 0);
	return NULL;
}

static void
there_and_back(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		struct sidecar_span span;
		pthread_t thread;

		sidecar_begin(sidecar, &span, "s", SIDECAR_INTERNAL, NULL);
		sidecar_span_event(&span, "mine", 0, NULL, 0);
		assert_int_equal(pthread_create(&thread, NULL, touch, &span), 0);
		pthread_join(thread, NULL);
		sidecar_span_event(&span, "mine again", 0, NULL, 0);
		sidecar_end(&span, SIDECAR_OK);
	}
	assert_all_written();
	assert_in_order(50);
	for (size_t i = 0; i < 150; i++) {
		static const char *const names[] = { "mine", "theirs", "mine again" };
		const struct event *e = peer_wait_type(peer, WIRE_EVENT, i);
		size_t seen = 0;

		for (size_t j = 0; j < i; j++)
			seen += event_is_bin(peer_wait_type(peer, WIRE_EVENT, j), 1,
			    event_field(e, 1)->via.bin.ptr, 8);
		assert_true(event_is_str(e, 3, names[seen]));
	}
}

static void *
hundred_spans(void *arg)
{
	for (int i = 0; i < 100; i++) {
		struct sidecar_span span;

		sidecar_begin(sidecar, &span, "s", SIDECAR_INTERNAL, NULL);
		sidecar_end(&span, SIDECAR_OK);
	}
	return arg;
}

static void
a_hundred_threads(void **state)
{
	pthread_t threads[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hundred_spans, NULL), 0);
	for (int i = 0; i < MANY; i++)
		pthread_join(threads[i], NULL);
	assert_all_written();
	assert_in_order((size_t)MANY * 100);
}

/* Threads that come and go: their rings are drained, and then given back but for a few. */
static void
rings_come_back(void **state)
{
	struct sidecar_totals t;

	(void)state;
	for (int i = 0; i < 50; i++) {
		pthread_t threads[10];

		for (int j = 0; j < 10; j++)
			assert_int_equal(pthread_create(&threads[j], NULL, hundred_spans, NULL), 0);
		for (int j = 0; j < 10; j++)
			pthread_join(threads[j], NULL);
		assert_all_written();
	}
	peer_wait_type(peer, WIRE_END, 50 * 10 * 100 - 1);
	/* A flush ends before the rings are looked through; one more begins after. */
	do {
		sidecar_flush(sidecar, WAIT);
		sidecar_stats(sidecar, &t);
	} while (t.rings > 1 + RINGS_FREE);
	assert_int_equal(t.emitted, 50 * 10 * 100 * 2);
	assert_int_equal(t.written, t.emitted);
}

/* One handle for the same socket and service; another service has its own, its own events. */
static void
handles(void **state)
{
	struct sidecar_options options = { .service_name = "svc", .socket_path = peer_path(peer) };
	struct sidecar *again = sidecar_open(&options), *other;

	(void)state;
	assert_ptr_equal(again, sidecar);
	sidecar_close(again, WAIT);
	options.service_name = "other";
	other = sidecar_open(&options);
	assert_ptr_not_equal(other, sidecar);
	for (int i = 0; i < 100; i++) { /* one thread, two rings, in turn */
		sidecar_produced(sidecar, "mine", 0, 0, 1);
		sidecar_produced(other, "theirs", 0, 0, 1);
	}
	assert_all_written();
	assert_int_equal(sidecar_flush(other, WAIT), 0);
	sidecar_close(other, WAIT);
	hundred_spans(NULL); /* the thread's last ring is gone: it finds the other one again */
	assert_all_written();
	for (size_t i = 0; i < 200; i++) {
		const struct event *e = peer_wait_type(peer, WIRE_PRODUCED, i);
		const struct event *hello = peer_wait_type(peer, WIRE_HELLO, 0);
		const char *mine = event_is_str(e, 1, "mine") ? "svc" : "other";
		const msgpack_object *name;

		if (hello->connection != e->connection)
			hello = peer_wait_type(peer, WIRE_HELLO, 1);
		name = event_get(event_field(hello, 2), "service.name");
		assert_memory_equal(name->via.str.ptr, mine, strlen(mine));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(spans_change_hands, setup, teardown),
		cmocka_unit_test_setup_teardown(there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hundred_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(rings_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(handles, setup, teardown),
	};

	return cmocka_run_group_tests_name("client_thread", tests, NULL, NULL);
}
