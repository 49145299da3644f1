/* The connection: absent, lost, back; what goes over whole, and that every event is accounted for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/sidecar.h"
#include "client_peer.h"

enum { WAIT = 20000 };

static struct sidecar *
open_at(const char *path)
{
	struct sidecar_options options = { .socket_path = path, .service_name = "svc" };
	struct sidecar *sidecar = sidecar_open(&options);

	assert_non_null(sidecar);
	return sidecar;
}

static void
assert_balanced(const struct sidecar_totals *t)
{
	assert_int_equal(t->emitted, t->written + t->folded + t->dropped_full + t->dropped_large +
					 t->dropped_disconnected + t->dropped_invalid);
}

/* The sidecar comes after the service: what was emitted before is not lost, nor changed. */
static void
absent_at_the_start(void **state)
{
	char *path = peer_new_path();
	struct sidecar *sidecar = open_at(path);
	struct sidecar_totals totals;
	struct sidecar_span span;
	struct peer *peer;

	(void)state;
	sidecar_begin(sidecar, &span, "early", SIDECAR_INTERNAL, NULL);
	sidecar_span_event(&span, "still early", 0, NULL, 0);
	sidecar_end(&span, SIDECAR_OK);
	assert_int_equal(sidecar_flush(sidecar, 20), -1);
	sidecar_stats(sidecar, &totals);
	assert_int_equal(totals.connected, 0);
	assert_int_equal(totals.connections, 0);
	peer = peer_start(path);
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	peer_wait_type(peer, WIRE_START, 0);
	peer_wait_type(peer, WIRE_EVENT, 0);
	peer_wait_type(peer, WIRE_END, 0);
	sidecar_stats(sidecar, &totals);
	assert_int_equal(totals.connections, 1);
	assert_int_equal(totals.written, 3);
	sidecar_close(sidecar, WAIT);
	peer_wait_type(peer, WIRE_BYE, 0);
	peer_stop(peer);
	peer_remove_path(path);
}

/* A socket file that nobody listens at any more is as none. */
static void
stale_socket(void **state)
{
	char *path = peer_new_path();
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sidecar *sidecar;
	struct peer *peer;

	(void)state;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	sidecar = open_at(path);
	sidecar_produced(sidecar, "t", 0, 0, 1);
	assert_int_equal(sidecar_flush(sidecar, 20), -1);
	peer = peer_start(path);
	peer_wait_type(peer, WIRE_PRODUCED, 0);
	sidecar_close(sidecar, WAIT);
	peer_stop(peer);
	peer_remove_path(path);
}

/* A span that is open across a restart is told whole on the next connection, with all that it had. */
static void
open_across_a_restart(void **state)
{
	struct peer *peer = peer_start(NULL);
	struct sidecar *sidecar = open_at(peer_path(peer));
	struct sidecar_context parent = {
		.trace_id = { 9 }, .span_id = { 8 }, .flags = SIDECAR_SAMPLED | SIDECAR_REMOTE
	};
	struct sidecar_attr at_start[] = { sidecar_str("http.route", "/x"), sidecar_int("n", 1) };
	struct sidecar_attr later[] = { sidecar_bool("late", 1) };
	struct sidecar_attr at_end[] = { sidecar_double("d", 0.5) };
	struct sidecar_span inlined, interned;
	struct sidecar_totals totals;
	const struct event *e;
	const char *name = sidecar_intern(sidecar, "interned");

	(void)state;
	sidecar_span_start(sidecar, &inlined, "GET /x", SIDECAR_SERVER, &parent, 1000, at_start, 2);
	sidecar_begin(sidecar, &interned, name, SIDECAR_INTERNAL, NULL);
	sidecar_span_set(&inlined, later, 1);
	peer_wait_type(peer, WIRE_ATTR, 0);
	peer_hang_up(peer, true);
	peer_wait_accepted(peer, 2);
	sidecar_span_set(&inlined, later, 1);          /* folded */
	sidecar_span_event(&inlined, "e", 0, NULL, 0); /* lost: SPAN has no place for it */
	sidecar_span_end(&inlined, SIDECAR_FAILED, "why", 2000, at_end, 1);
	sidecar_end(&interned, SIDECAR_OK);
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);

	e = peer_wait_type(peer, WIRE_SPAN, 0);
	assert_int_equal(e->connection, 1);
	assert_int_equal(e->message.data.via.array.size, 13);
	assert_true(event_is_bin(e, 1, parent.trace_id, 16));
	assert_true(event_is_bin(e, 2, inlined.context.span_id, 8));
	assert_true(event_is_bin(e, 3, parent.span_id, 8));
	assert_true(event_is_str(e, 4, "GET /x"));
	assert_int_equal(event_uint(e, 5), SIDECAR_SERVER);
	assert_int_equal(event_uint(e, 6), 1000);
	assert_int_equal(event_uint(e, 7), SIDECAR_SAMPLED | SIDECAR_REMOTE);
	assert_int_equal(event_uint(e, 8), 2000);
	assert_int_equal(event_uint(e, 9), SIDECAR_FAILED);
	assert_true(event_is_str(e, 10, "why"));
	assert_int_equal(event_field(e, 11)->via.map.size, 5);
	assert_non_null(event_get(event_field(e, 11), "http.route"));
	assert_non_null(event_get(event_field(e, 11), "late"));
	assert_non_null(event_get(event_field(e, 11), "d"));
	assert_true(event_is_nil(e, 12));
	e = peer_wait_type(peer, WIRE_SPAN, 1);
	assert_int_equal(event_uint(e, 4), 0); /* the id it had on the first connection */
	assert_true(event_is_nil(e, 3));
	assert_true(event_is_nil(e, 11));
	assert_int_equal(peer_count_type(peer, WIRE_HELLO), 2);
	assert_int_equal(peer_wait_type(peer, WIRE_STRING, 1)->connection, 1);
	assert_int_equal(peer_count_type(peer, WIRE_END), 0);
	assert_int_equal(peer_count_type(peer, WIRE_EVENT), 0);
	sidecar_stats(sidecar, &totals);
	assert_int_equal(totals.folded, 1);
	assert_int_equal(totals.dropped_disconnected, 1);
	assert_balanced(&totals);
	sidecar_close(sidecar, WAIT);
	peer_stop(peer);
}

/* A full ring drops what is new, by its cause; a START that is dropped takes its span with it. */
static void
full_is_counted(void **state)
{
	struct peer *peer = peer_start(NULL);
	struct sidecar *sidecar = open_at(peer_path(peer));
	struct sidecar_totals totals;
	struct sidecar_span span;
	uint64_t emitted, told = 0;
	const struct event *e = NULL;

	(void)state;
	peer_wait_accepted(peer, 1);
	/* Accepted is not yet known to be connected, and until then the cause would be another. */
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	peer_pause(peer, true);
	do {
		sidecar_begin(sidecar, &span, "filling", SIDECAR_INTERNAL, NULL);
		sidecar_stats(sidecar, &totals);
		if (totals.dropped_full == 0)
			sidecar_end(&span, SIDECAR_OK);
	} while (totals.dropped_full == 0);
	emitted = totals.emitted;
	assert_null(span.owner);
	sidecar_span_set(&span, NULL, 0);
	sidecar_end(&span, SIDECAR_OK);
	sidecar_stats(sidecar, &totals);
	assert_int_equal(totals.emitted, emitted);
	peer_pause(peer, false);
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	sidecar_stats(sidecar, &totals);
	assert_balanced(&totals);
	assert_int_equal(totals.emitted, totals.written + totals.dropped_full);
	sidecar_close(sidecar, WAIT);
	peer_wait_type(peer, WIRE_BYE, 0);
	assert_int_equal(
	    peer_count_type(peer, WIRE_START) + peer_count_type(peer, WIRE_END), totals.written);
	/* The last STATS closes the ledger: all before it, and the drops by cause. */
	for (size_t i = 0; i < peer_count_type(peer, WIRE_STATS); i++) {
		e = peer_wait_type(peer, WIRE_STATS, i);
		told = event_get(event_field(e, 2), "full") != NULL
			   ? event_get(event_field(e, 2), "full")->via.u64
			   : 0;
	}
	assert_int_equal(event_uint(e, 1), peer_count(peer) - 2); /* all but it and BYE */
	assert_int_equal(told, totals.dropped_full);
	peer_stop(peer);
}

/* With no sidecar the ring fills and the cause is another one; the next connection hears of it. */
static void
disconnected_is_counted(void **state)
{
	char *path = peer_new_path();
	struct sidecar *sidecar = open_at(path);
	struct sidecar_totals totals;
	struct peer *peer;
	const struct event *e;

	(void)state;
	do {
		sidecar_produced(sidecar, "topic", 1, 0, 1);
		sidecar_stats(sidecar, &totals);
	} while (totals.dropped_disconnected < 10);
	peer = peer_start(path);
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	sidecar_stats(sidecar, &totals);
	assert_balanced(&totals);
	assert_int_equal(totals.dropped_disconnected, 10);
	e = peer_wait_type(peer, WIRE_STATS, 0);
	assert_int_equal(event_get(event_field(e, 2), "disconnected")->via.u64, 10);
	sidecar_close(sidecar, WAIT);
	peer_stop(peer);
	peer_remove_path(path);
}

static _Atomic bool enough;

static void *
spans(void *arg)
{
	struct sidecar_attr attr = sidecar_int("i", 1);

	for (int i = 0; i < 200 || !enough; i++) {
		struct sidecar_span outer, inner;

		sidecar_span_start(arg, &outer, "outer", SIDECAR_INTERNAL, NULL, 0, &attr, 1);
		sidecar_begin(arg, &inner, "inner", SIDECAR_INTERNAL, &outer.context);
		sidecar_end(&inner, SIDECAR_OK);
		sidecar_end(&outer, SIDECAR_OK);
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static int
by_span_id(const void *a, const void *b)
{
	const struct event *const *x = a, *const *y = b;
	size_t fx = (*x)->type == WIRE_END ? 1 : 2, fy = (*y)->type == WIRE_END ? 1 : 2;

	return memcmp(event_field(*x, fx)->via.bin.ptr, event_field(*y, fy)->via.bin.ptr, 8);
}

/* A sidecar that restarts in good order, again and again under load: each span that it heard of is
 * told to its end exactly once, by START and END on one connection or by SPAN, whatever was cut. */
static void
restarts_under_load(void **state)
{
	struct peer *peer = peer_start(NULL);
	struct sidecar *sidecar = open_at(peer_path(peer));
	struct sidecar_totals totals;
	pthread_t threads[3];
	const struct event **all;
	size_t n = 0, total;
	uint64_t full;

	(void)state;
	atomic_store(&enough, false);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, spans, sidecar), 0);
	for (unsigned i = 1; i <= 8 || (peer_cut(peer) == 0 && i < 100); i++) {
		peer_wait_type(peer, WIRE_HELLO, i - 1);
		/* Full socket, full rings: the last event is cut somewhere. */
		peer_pause(peer, true);
		sidecar_stats(sidecar, &totals);
		full = totals.dropped_full;
		while (totals.dropped_full < full + 100000)
			sidecar_stats(sidecar, &totals);
		peer_hang_up(peer, true);
		peer_pause(peer, false);
		peer_wait_accepted(peer, i + 1);
	}
	atomic_store(&enough, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	sidecar_stats(sidecar, &totals);
	assert_balanced(&totals);
	assert_int_equal(totals.dropped_large + totals.dropped_invalid, 0);
	assert_true(totals.folded > 0 && peer_count_type(peer, WIRE_SPAN) > 0);
	assert_true(peer_cut(peer) > 0);
	sidecar_close(sidecar, WAIT);
	peer_wait_type(peer, WIRE_BYE, 0);

	total = peer_count(peer);
	all = calloc(total, sizeof(struct event *));
	for (size_t i = 0; i < total; i++) {
		const struct event *e = peer_event(peer, i);

		if (e->type == WIRE_START || e->type == WIRE_END || e->type == WIRE_SPAN)
			all[n++] = e;
	}
	assert_int_equal(n, totals.written);
	/* Stable by position: equal ids keep their order only if it is part of the key. */
	qsort(all, n, sizeof(*all), by_span_id);
	for (size_t i = 0, j; i < n; i = j) {
		size_t starts = 0, ends = 0, wholes = 0, matched = 0;

		for (j = i; j < n && by_span_id(&all[i], &all[j]) == 0; j++) {
			starts += all[j]->type == WIRE_START;
			ends += all[j]->type == WIRE_END;
			wholes += all[j]->type == WIRE_SPAN;
			for (size_t k = i;
			     all[j]->type == WIRE_END && k < n && by_span_id(&all[i], &all[k]) == 0;
			     k++)
				matched += all[k]->type == WIRE_START &&
					   all[k]->connection == all[j]->connection;
		}
		assert_true(starts <= 1 && ends + wholes <= 1);
		assert_int_equal(matched, ends); /* END where its START is, and nowhere else */
		/* The one span whose END found its ring full is all that may stay open. */
		if (ends + wholes == 0)
			assert_true(totals.dropped_full > 0);
	}
	free(all);
	peer_stop(peer);
}

/* Killed, it takes with it what it had and what was on its way; what comes after is whole. */
static void
killed_under_load(void **state)
{
	struct peer *peer = peer_start(NULL);
	struct sidecar *sidecar = open_at(peer_path(peer));
	struct sidecar_totals totals;
	struct sidecar_span span;
	pthread_t thread;

	(void)state;
	atomic_store(&enough, false);
	sidecar_begin(sidecar, &span, "long", SIDECAR_INTERNAL, NULL);
	assert_int_equal(pthread_create(&thread, NULL, spans, sidecar), 0);
	for (unsigned i = 1; i <= 5; i++) {
		peer_wait_type(peer, WIRE_HELLO, i - 1);
		peer_hang_up(peer, false);
		peer_wait_accepted(peer, i + 1);
	}
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
	sidecar_end(&span, SIDECAR_OK);
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	sidecar_stats(sidecar, &totals);
	assert_balanced(&totals);
	sidecar_close(sidecar, WAIT);
	peer_wait_type(peer, WIRE_BYE, 0);
	peer_stop(peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_at_the_start),
		cmocka_unit_test(stale_socket),
		cmocka_unit_test(open_across_a_restart),
		cmocka_unit_test(full_is_counted),
		cmocka_unit_test(disconnected_is_counted),
		cmocka_unit_test(restarts_under_load),
		cmocka_unit_test(killed_under_load),
	};

	return cmocka_run_group_tests_name("client_link", tests, NULL, NULL);
}
