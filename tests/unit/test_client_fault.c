/*
 * Faults: system calls that fail, settings that switch things off or make no sense. The linker's --wrap
 * lets the k-th call fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/sidecar.h"
#include "client_peer.h"

enum { WAIT = 20000 };

/* The call of that number fails, counted from 1; 0: none; negative: every one. */
static _Atomic int fail_mmap, fail_thread, fail_socket, fail_eventfd, fail_alloc;

static bool
fails(_Atomic int *counter)
{
	int n = atomic_load(counter);

	if (n > 0)
		return atomic_fetch_sub(counter, 1) == 1;
	return n < 0;
}

void *__real_mmap(void *, size_t, int, int, int, off_t);
void *__wrap_mmap(void *, size_t, int, int, int, off_t);
void *
__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	if (!fails(&fail_mmap))
		return __real_mmap(at, n, prot, flags, fd, offset);
	errno = ENOMEM;
	return MAP_FAILED;
}

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int
__wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	return fails(&fail_thread) ? EAGAIN : __real_pthread_create(t, attr, run, arg);
}

int __real_socket(int, int, int);
int __wrap_socket(int, int, int);
int
__wrap_socket(int domain, int type, int protocol)
{
	if (!fails(&fail_socket))
		return __real_socket(domain, type, protocol);
	errno = EMFILE;
	return -1;
}

int __real_eventfd(unsigned, int);
int __wrap_eventfd(unsigned, int);
int
__wrap_eventfd(unsigned n, int flags)
{
	if (!fails(&fail_eventfd))
		return __real_eventfd(n, flags);
	errno = EMFILE;
	return -1;
}

void *__real_aligned_alloc(size_t, size_t);
void *__wrap_aligned_alloc(size_t, size_t);
void *
__wrap_aligned_alloc(size_t to, size_t n)
{
	if (!fails(&fail_alloc))
		return __real_aligned_alloc(to, n);
	errno = ENOMEM;
	return NULL;
}

/* The connection breaks just behind the STATS that tells of an invalid event. Until then each batch
 * leaves a string for the next one, so that this one, too, has some. */
static _Atomic enum { WHOLE, BREAK, BROKEN } after_stats;
static struct sidecar *breaking;

ssize_t __real_send(int, const void *, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);
ssize_t
__wrap_send(int fd, const void *bytes, size_t n, int flags)
{
	static const char told[] = "\xa7invalid\x01";
	static unsigned names;
	const char *at = memmem(bytes, n, told, sizeof(told) - 1);
	char name[16];

	if (atomic_load(&after_stats) == BROKEN) {
		atomic_store(&after_stats, WHOLE);
		errno = EPIPE;
		return -1;
	}
	if (atomic_load(&after_stats) == WHOLE)
		return __real_send(fd, bytes, n, flags);
	snprintf(name, sizeof(name), "name %u", names++);
	sidecar_intern(breaking, name);
	if (at == NULL)
		return __real_send(fd, bytes, n, flags);
	atomic_store(&after_stats, BROKEN);
	return __real_send(fd, bytes, (size_t)(at - (const char *)bytes) + sizeof(told) - 1, flags);
}

static struct sidecar *
open_at(const char *path)
{
	struct sidecar_options options = { .socket_path = path, .service_name = "svc" };

	return sidecar_open(&options);
}

static void
one_of_each(struct sidecar *sidecar)
{
	struct sidecar_attr attr = sidecar_str("k", "v");
	struct sidecar_span span;

	sidecar_span_start(sidecar, &span, "s", SIDECAR_INTERNAL, NULL, 0, &attr, 1);
	sidecar_span_set(&span, &attr, 1);
	sidecar_span_event(&span, "e", 0, NULL, 0);
	sidecar_span_end(&span, SIDECAR_OK, NULL, 0, NULL, 0);
	sidecar_produced(sidecar, "t", 0, 0, 1);
	sidecar_measure(sidecar, SIDECAR_COUNTER, "m", NULL, 1, NULL, 0);
}

enum { EACH = 6 };

/* Whatever fails at the start: NULL, errno, nothing leaked, and a second try may do. */
static void
open_fails(void **state)
{
	struct peer *peer = peer_start(NULL);
	_Atomic int *const faults[] = { &fail_mmap, &fail_thread, &fail_eventfd, &fail_alloc };
	static const int kth[] = { 3, 1, 1, 1 }; /* slots, index, common ring: three mappings */
	struct sidecar *sidecar;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		for (int k = 1; k <= kth[i]; k++) {
			atomic_store(faults[i], k);
			errno = 0;
			assert_null(open_at(peer_path(peer)));
			assert_int_not_equal(errno, 0);
			assert_int_equal(atomic_load(faults[i]), 0);
		}
	}
	one_of_each(NULL);
	sidecar = open_at(peer_path(peer));
	assert_non_null(sidecar);
	one_of_each(sidecar);
	sidecar_close(sidecar, WAIT);
	peer_wait_type(peer, WIRE_BYE, 0);
	peer_stop(peer);
}

static void *
in_thread(void *arg)
{
	one_of_each(arg);
	return NULL;
}

/* No memory for a ring: the thread shares the common one, and nothing is lost. */
static void
mapping_fails_later(void **state)
{
	struct peer *peer = peer_start(NULL);
	struct sidecar *sidecar = open_at(peer_path(peer));
	struct sidecar_totals t;
	pthread_t thread;

	(void)state;
	atomic_store(&fail_mmap, -1);
	one_of_each(sidecar);
	assert_int_equal(pthread_create(&thread, NULL, in_thread, sidecar), 0);
	pthread_join(thread, NULL);
	atomic_store(&fail_mmap, 0);
	one_of_each(sidecar);
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	sidecar_stats(sidecar, &t);
	assert_int_equal(t.rings, 1);
	assert_int_equal(t.emitted, 3 * EACH);
	assert_int_equal(t.written, 3 * EACH);
	sidecar_close(sidecar, WAIT);
	peer_wait_type(peer, WIRE_BYE, 0);
	peer_stop(peer);
}

/* No descriptors for a while is as no sidecar for a while. */
static void
socket_fails(void **state)
{
	struct peer *peer = peer_start(NULL);
	struct sidecar *sidecar;

	(void)state;
	atomic_store(&fail_socket, -1);
	sidecar = open_at(peer_path(peer));
	one_of_each(sidecar);
	assert_int_equal(sidecar_flush(sidecar, 100), -1);
	atomic_store(&fail_socket, 0);
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	peer_wait_type(peer, WIRE_MEASURE, 0);
	sidecar_close(sidecar, WAIT);
	peer_stop(peer);
}

/* Told once, a drop is not told again on the next connection, whatever was cut behind it. */
static void
drops_are_told_once(void **state)
{
	struct peer *peer = peer_start(NULL);
	struct sidecar *sidecar = open_at(peer_path(peer));
	uint64_t told = 0;

	(void)state;
	breaking = sidecar;
	atomic_store(&after_stats, BREAK);
	sidecar_produced(sidecar, NULL, 0, 0, 1);
	sidecar_produced(sidecar, "t", 0, 0, 1);
	peer_wait_accepted(peer, 2);
	sidecar_close(sidecar, WAIT);
	peer_wait_type(peer, WIRE_BYE, 0);
	for (unsigned connection = 0; connection < 2; connection++) {
		uint64_t most = 0;

		for (size_t i = 0; i < peer_count_type(peer, WIRE_STATS); i++) {
			const struct event *e = peer_wait_type(peer, WIRE_STATS, i);

			if (e->connection == connection &&
			    event_get(event_field(e, 2), "invalid") != NULL)
				most = event_get(event_field(e, 2), "invalid")->via.u64;
		}
		told += most;
	}
	assert_int_equal(told, 1);
	peer_stop(peer);
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define FORKS /* which test_client_fork.c says why not to do under these */

/* A forked child that gets no thread at its first event keeps what it has for a flush, or a close. */
static void
thread_fails_in_a_child(void **state)
{
	struct peer *peer = peer_start(NULL);
	struct sidecar *sidecar = open_at(peer_path(peer));

	(void)state;
	for (int close_only = 0; close_only <= 1; close_only++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			alarm(60);
			atomic_store(&fail_thread, 1);
			one_of_each(sidecar);
			if (!close_only && sidecar_flush(sidecar, WAIT) != 0)
				_exit(1);
			sidecar_close(sidecar, WAIT);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		peer_wait_type(peer, WIRE_MEASURE, (size_t)close_only);
		peer_wait_type(peer, WIRE_BYE, (size_t)close_only);
	}
	sidecar_close(sidecar, WAIT);
	peer_stop(peer);
}

#endif

static void
switched_off(void **state)
{
	struct sidecar_context parent = { .trace_id = { 1 }, .span_id = { 2 }, .flags = 1 };
	struct sidecar_span span;
	struct sidecar_totals t;
	char path[200];

	(void)state;
	setenv("OTEL_SDK_DISABLED", "TRUE", 1);
	assert_null(open_at("/nowhere"));
	assert_int_equal(errno, ECANCELED);
	setenv("OTEL_SDK_DISABLED", "1", 1); /* only "true" is true */
	memset(path, 'x', sizeof(path));
	path[108] = '\0';
	assert_null(open_at(path)); /* 108 bytes; 107 is what an address holds */
	assert_int_equal(errno, ENAMETOOLONG);
	path[107] = '\0';
	sidecar_close(open_at(path), 0);
	unsetenv("OTEL_SDK_DISABLED");

	/* NULL does nothing, but passes a trace on. */
	memset(&span, 0x5a, sizeof(span));
	sidecar_begin(NULL, &span, "s", SIDECAR_SERVER, &parent);
	assert_memory_equal(&span.context, &parent, sizeof(parent));
	assert_memory_equal(&span.parent, &parent, sizeof(parent));
	sidecar_end(&span, SIDECAR_OK);
	one_of_each(NULL);
	sidecar_begin(NULL, NULL, "s", SIDECAR_SERVER, NULL);
	sidecar_end(NULL, SIDECAR_OK);
	sidecar_span_set(NULL, NULL, 0);
	sidecar_span_event(NULL, "e", 0, NULL, 0);
	sidecar_span_link(NULL, &parent, NULL, 0);
	sidecar_consumed(NULL, "t", 0, 0, 0, NULL);
	sidecar_kafka_error(NULL, SIDECAR_SIDE_PRODUCER, "t", "e");
	sidecar_lag(NULL, "t", 0, 0, 0);
	assert_string_equal(sidecar_intern(NULL, "s"), "s");
	assert_int_equal(sidecar_flush(NULL, 0), 0);
	sidecar_stats(NULL, &t);
	assert_int_equal(t.emitted, 0);
	sidecar_close(NULL, 0);
}

static void
settings(void **state)
{
	struct peer *peer = peer_start(NULL);
	struct sidecar_options options = { .size = offsetof(struct sidecar_options, sampler),
		.socket_path = "/nowhere/at/all",
		.sampler = "not read: beyond size" };
	struct sidecar *sidecar;
	struct sidecar_totals t;
	struct sidecar_span span;

	(void)state;
	setenv("SIDECAR_SOCKET", peer_path(peer), 1);
	setenv("OTEL_SERVICE_NAME", "from-environment", 1);
	setenv("OTEL_RESOURCE_ATTRIBUTES", "a=%", 1);
	setenv("OTEL_TRACES_SAMPLER", "always_off", 1);
	sidecar_close(sidecar_open(&options), 0); /* beaten by an option: no connection */
	sidecar = sidecar_open(NULL);
	options.socket_path = ""; /* as if it were not set */
	assert_ptr_equal(sidecar_open(&options), sidecar);
	sidecar_close(sidecar, 0);
	sidecar_begin(sidecar, &span, "s", SIDECAR_INTERNAL, NULL);
	assert_int_equal(span.context.flags, SIDECAR_RANDOM);
	sidecar_end(&span, SIDECAR_OK); /* sent all the same: metrics count every span */
	assert_int_equal(sidecar_flush(sidecar, WAIT), 0);
	assert_int_equal(event_uint(peer_wait_type(peer, WIRE_START, 0), 7), SIDECAR_RANDOM);
	sidecar_stats(sidecar, &t);
	assert_int_equal(t.settings_ignored, 1);
	sidecar_close(sidecar, WAIT);
	assert_int_equal(peer_count_type(peer, WIRE_HELLO), 1);
	unsetenv("SIDECAR_SOCKET");
	unsetenv("OTEL_SERVICE_NAME");
	unsetenv("OTEL_RESOURCE_ATTRIBUTES");
	unsetenv("OTEL_TRACES_SAMPLER");
	peer_stop(peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_fails),
		cmocka_unit_test(mapping_fails_later),
		cmocka_unit_test(socket_fails),
		cmocka_unit_test(drops_are_told_once),
#ifdef FORKS
		cmocka_unit_test(thread_fails_in_a_child),
#endif
		cmocka_unit_test(switched_off),
		cmocka_unit_test(settings),
	};

	/* A library raises no SIGPIPE: with its default action one would end this program. */
	signal(SIGPIPE, SIG_DFL);
	return cmocka_run_group_tests_name("client_fault", tests, NULL, NULL);
}
