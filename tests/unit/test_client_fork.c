/* fork: the child has a connection, strings, ids and counts of its own, and nothing of its parent's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/handle.h"
#include "client/sidecar.h"
#include "client_peer.h"

enum { WAIT = 20000 };

static struct peer *peer;
static struct sidecar *sidecar;

static int
setup(void **state)
{
	struct sidecar_options options = { .service_name = "svc" };

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
assert_child_ok(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
a_child_of_its_own(void **state)
{
	struct sidecar_span before, after;
	const char *name = sidecar_intern(sidecar, "shared name");
	struct sidecar_totals t;
	struct random parents;
	const struct event *e;
	pid_t child;

	(void)state;
	peer_wait_accepted(peer, 1);
	parents = sidecar->flusher.link.random;
	sidecar_begin(sidecar, &before, name, SIDECAR_INTERNAL, NULL);
	sidecar_produced(sidecar, "parent's", 0, 0, 1); /* in its ring as it forks */
	child = fork();
	if (child == 0) {
		int bad = 0;

		sidecar_end(&before, SIDECAR_OK); /* the parent's: nothing happens */
		sidecar_stats(sidecar, &t);
		bad |= t.emitted != 0 || t.connections != 0;
		sidecar_begin(sidecar, &after, name, SIDECAR_INTERNAL, &before.context);
		sidecar_end(&after, SIDECAR_OK);
		sidecar_produced(sidecar, "child's", 0, 0, 1);
		bad |= sidecar_flush(sidecar, WAIT) != 0;
		sidecar_stats(sidecar, &t);
		bad |= t.emitted != 3 || t.written != 3 || t.connections != 1;
		/* Nor do its attempts to connect keep step with its parent's. */
		bad |= memcmp(&parents, &sidecar->flusher.link.random, sizeof(parents)) == 0;
		sidecar_close(sidecar, WAIT);
		_exit(bad);
	}
	assert_child_ok(child);
	sidecar_begin(sidecar, &after, name, SIDECAR_INTERNAL, NULL);
	sidecar_end(&after, SIDECAR_OK);
	sidecar_end(&before, SIDECAR_OK);
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	sidecar_stats(sidecar, &t);
	assert_int_equal(t.emitted, 5);
	assert_int_equal(t.written, 5);
	peer_wait_type(peer, WIRE_END, 2);
	peer_wait_type(peer, WIRE_BYE, 0); /* the child's */

	/* Ids drawn after the fork differ: the child's random numbers are its own. */
	assert_int_equal(peer_count_type(peer, WIRE_START), 3);
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(
			    event_field(peer_wait_type(peer, WIRE_START, i), 2)->via.bin.ptr,
			    event_field(peer_wait_type(peer, WIRE_START, j), 2)->via.bin.ptr, 8);
	assert_int_equal(peer_count_type(peer, WIRE_PRODUCED), 2);
	for (size_t i = 0; i < 2; i++) {
		e = peer_wait_type(peer, WIRE_PRODUCED, i);
		assert_true(event_is_str(e, 1, e->connection == 0 ? "parent's" : "child's"));
	}
	/* The name's string was told on both connections. */
	assert_true(event_is_str(peer_wait_type(peer, WIRE_STRING, 0), 2, "shared name"));
	assert_true(event_is_str(peer_wait_type(peer, WIRE_STRING, 1), 2, "shared name"));
}

/* The child holds no end of the parent's connection: its death is seen while the child lives on. */
static void
the_parents_death_is_seen(void **state)
{
	int hold[2];
	pid_t parent;

	(void)state;
	assert_int_equal(pipe(hold), 0);
	parent = fork();
	if (parent == 0) {
		pid_t child;
		char byte;

		sidecar_produced(sidecar, "t", 0, 0, 1);
		if (sidecar_flush(sidecar, WAIT) != 0)
			_exit(1);
		child = fork();
		if (child == 0) { /* lives until the test lets go */
			close(hold[1]);
			_exit(read(hold[0], &byte, 1) != 0);
		}
		_exit(child < 0);
	}
	assert_child_ok(parent);
	peer_wait_accepted(peer, 2); /* this process and the parent */
	peer_wait_ended(peer, 1);
	close(hold[0]);
	close(hold[1]);
}

static _Atomic bool enough;

static void *
busy(void *arg)
{
	while (!atomic_load(&enough)) {
		struct sidecar_span span;

		sidecar_begin(arg, &span, "busy", SIDECAR_INTERNAL, NULL);
		sidecar_intern(arg, "busy");
		sidecar_end(&span, SIDECAR_OK);
		if (span.context.span_id[0] == 0)
			sidecar_flush(arg, 1);
		sched_yield(); /* the peer decodes all of it */
	}
	return NULL;
}

/* Forked while other threads hold every lock in turn, the child finds none of them held. */
static void
fork_under_load(void **state)
{
	pthread_t threads[3];
	int bad = 0;

	(void)state;
	atomic_store(&enough, false);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, busy, sidecar), 0);
	for (unsigned i = 0; i < 12 && bad == 0; i++) {
		pid_t child = fork();

		if (child == 0) {
			struct sidecar_span span;

			alarm(60); /* a lock left held shows as this */
			sidecar_begin(sidecar, &span, sidecar_intern(sidecar, "child"),
			    SIDECAR_INTERNAL, NULL);
			sidecar_end(&span, SIDECAR_OK);
			bad = sidecar_flush(sidecar, WAIT) != 0;
			sidecar_close(sidecar, WAIT);
			_exit(bad);
		}
		assert_int_equal(waitpid(child, &bad, 0), child);
		if (bad == 0)
			peer_wait_ended(peer, i + 1);
	}
	atomic_store(&enough, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(bad, 0);
	peer_wait_type(peer, WIRE_BYE, 11);
}

/* A child that emits nothing connects to nobody. */
static void
a_silent_child(void **state)
{
	pid_t child;

	(void)state;
	peer_wait_accepted(peer, 1);
	child = fork();
	if (child == 0) {
		sidecar_close(sidecar, WAIT);
		_exit(0);
	}
	assert_child_ok(child);
	sidecar_produced(sidecar, "t", 0, 0, 1);
	peer_wait_type(peer, WIRE_PRODUCED, 0);
	assert_int_equal(peer_count_type(peer, WIRE_HELLO), 1);
}

/* Address space of a child, in bytes. */
static size_t
mapped(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	if (f == NULL || fscanf(f, "%zu", &pages) != 1)
		_exit(1);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* As a daemon is made: the child between emits nothing, and the last one has no use for the first
 * one's rings. */
static void
rings_of_a_grandparent(void **state)
{
	struct sidecar_options options = { .service_name = "large", .ring_bytes = 16 << 20 };
	struct sidecar *large;
	pid_t child;

	(void)state;
	options.socket_path = peer_path(peer);
	large = sidecar_open(&options);
	sidecar_produced(large, "t", 0, 0, 1);
	child = fork();
	if (child == 0) {
		pid_t grandchild = fork();
		int status;

		if (grandchild == 0) {
			size_t before = mapped();

			/* Its own ring instead of that one, and a thread's stack. */
			sidecar_produced(large, "t", 0, 0, 1);
			_exit(mapped() >= before + options.ring_bytes);
		}
		_exit(waitpid(grandchild, &status, 0) < 0 || status != 0);
	}
	assert_child_ok(child);
	sidecar_close(large, WAIT);
}

/* The library's socket calls, made slow where a test asks for it, so that a fork falls into them. */
enum { NOWHERE, CONNECTED, CLOSING, CLOSED };
static _Atomic int slow, library_socket = -1;
static _Atomic bool inside, forking;

/* Until the fork has begun, and as much longer as one takes that does not wait for this. */
static void
take_long(void)
{
	atomic_store(&inside, true);
	while (!atomic_load(&forking))
		sched_yield();
	poll(NULL, 0, 100);
}

static void
fork_begins(void)
{
	atomic_store(&forking, true);
}

int __real_connect(int, const struct sockaddr *, socklen_t);
int __wrap_connect(int, const struct sockaddr *, socklen_t);
int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t n)
{
	int result = __real_connect(fd, to, n);

	atomic_store(&library_socket, fd);
	if (atomic_load(&slow) == CONNECTED)
		take_long();
	return result;
}

int __real_close(int);
int __wrap_close(int);
int
__wrap_close(int fd)
{
	int at = fd == atomic_load(&library_socket) ? atomic_load(&slow) : NOWHERE, result;

	if (at == CLOSING)
		take_long();
	result = __real_close(fd);
	if (at == CLOSED)
		take_long();
	return result;
}

/* Fork in the library's slow call: has the child its descriptor? reused: by then it is another's. */
static bool
child_has_it(bool reused)
{
	int status = -1, fd;
	pid_t child;

	while (!atomic_load(&inside))
		sched_yield();
	fd = atomic_load(&library_socket);
	if (reused)
		assert_int_equal(dup2(STDERR_FILENO, fd), fd);
	child = fork();
	if (child == 0)
		_exit(fcntl(fd, F_GETFD) >= 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	slow = NOWHERE;
	inside = forking = false;
	if (reused)
		__real_close(fd);
	return WEXITSTATUS(status) != 0;
}

static void *
close_it(void *arg)
{
	sidecar_close(sidecar, WAIT);
	return arg;
}

/* Forked while the socket is just made, or just closed: the child has no copy of it, nor closes what
 * else has its number by then. */
static void
fork_while_the_socket_changes(void **state)
{
	struct sidecar_options options = { .service_name = "svc" };
	pthread_t thread;

	(void)state;
	peer = peer_start(NULL);
	options.socket_path = peer_path(peer);
	atomic_store(&slow, CONNECTED);
	sidecar = sidecar_open(&options);
	assert_int_equal(pthread_atfork(fork_begins, NULL, NULL), 0); /* before the library's */
	assert_false(child_has_it(false));

	atomic_store(&slow, CLOSED);
	peer_hang_up(peer, false);
	assert_true(child_has_it(true));
	peer_wait_accepted(peer, 2);

	atomic_store(&slow, CLOSING);
	assert_int_equal(pthread_create(&thread, NULL, close_it, NULL), 0);
	assert_false(child_has_it(false));
	pthread_join(thread, NULL);
	peer_stop(peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fork_while_the_socket_changes),
		cmocka_unit_test_setup_teardown(a_child_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(the_parents_death_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(fork_under_load, setup, teardown),
		cmocka_unit_test_setup_teardown(a_silent_child, setup, teardown),
		cmocka_unit_test_setup_teardown(rings_of_a_grandparent, setup, teardown),
	};

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	/* ThreadSanitizer does not follow threads into a forked child; AddressSanitizer's allocator, unlike
	 * libc's, stays locked there if another thread was inside it, as the peer's often is. */
	(void)tests;
	print_message("client_fork: not under this sanitizer\n");
	return 0;
#else
	return cmocka_run_group_tests_name("client_fork", tests, NULL, NULL);
#endif
}
