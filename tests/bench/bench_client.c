/*
 * bench_client.c -- ns a span (START and END) in the client, against a msgpack-c encoder.
 *
 * Figures are medians of rounds of bursts, with both clocks; the msgpack-c lines encode the same
 * events with clock_gettime(), in the same run. "warm": the thread's ring is emptied by hand after
 * each burst, nothing else runs. "live": the flusher writes each burst to a peer that reads, and
 * the next begins with caches as that leaves them; the wait for it is not counted.
 */
#include <msgpack.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/local.h"
#include "client/random.h"
#include "client/sidecar.h"

enum { BURST = 100, BURSTS = 300, ROUNDS = 9, ATTRS = 4 };

static struct sidecar *sidecar;
static const char *name;
static struct sidecar_attr attrs[ATTRS];

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* others' use of the processor is not ours */
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *
drain(void *arg)
{
	static char bytes[65536];
	int fd = accept(*(int *)arg, NULL, NULL);

	while (fd >= 0 && read(fd, bytes, sizeof(bytes)) > 0)
		continue;
	close(fd);
	return NULL;
}

static void
burst_library(size_t n)
{
	for (int i = 0; i < BURST; i++) {
		struct sidecar_span span;

		sidecar_span_start(sidecar, &span, name, SIDECAR_INTERNAL, NULL, 0, attrs, n);
		sidecar_span_end(&span, SIDECAR_OK, NULL, 0, NULL, 0);
	}
}

/* The events a straightforward client would send, into a buffer that is thrown away. */
static msgpack_sbuffer buffer;
static msgpack_packer packer;
static struct random ids;

static void
pack_bin(const void *bytes, size_t n)
{
	msgpack_pack_bin(&packer, n);
	msgpack_pack_bin_body(&packer, bytes, n);
}

static void
pack_str(const char *s)
{
	msgpack_pack_str(&packer, strlen(s));
	msgpack_pack_str_body(&packer, s, strlen(s));
}

static void
pack_attrs(size_t n)
{
	if (n == 0) {
		msgpack_pack_nil(&packer);
		return;
	}
	msgpack_pack_map(&packer, n);
	for (size_t i = 0; i < n; i++) {
		msgpack_pack_uint64(&packer, i + 1);
		if (attrs[i].type == SIDECAR_INT)
			msgpack_pack_int64(&packer, attrs[i].value.i);
		else
			pack_str(attrs[i].value.s);
	}
}

static void
burst_msgpack(size_t n)
{
	for (int i = 0; i < BURST; i++) {
		uint64_t trace[2] = { random_next(&ids), random_next(&ids) },
			 id = random_next(&ids);

		msgpack_pack_array(&packer, 10);
		msgpack_pack_uint8(&packer, 3);
		pack_bin(trace, sizeof(trace));
		pack_bin(&id, sizeof(id));
		msgpack_pack_nil(&packer);
		msgpack_pack_uint8(&packer, 0);
		msgpack_pack_uint8(&packer, SIDECAR_INTERNAL);
		msgpack_pack_uint64(&packer, clock_now_system());
		msgpack_pack_uint8(&packer, 3);
		pack_attrs(n);
		msgpack_pack_nil(&packer);
		msgpack_pack_array(&packer, 6);
		msgpack_pack_uint8(&packer, 4);
		pack_bin(&id, sizeof(id));
		msgpack_pack_uint64(&packer, clock_now_system());
		msgpack_pack_uint8(&packer, SIDECAR_OK);
		msgpack_pack_nil(&packer);
		msgpack_pack_nil(&packer);
	}
	msgpack_sbuffer_clear(&buffer);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What was encoded goes nowhere: the ring is not one of the handle's, and is taken as read. */
static void
empty(void)
{
	struct ring *r = local_self.ring;

	atomic_store_explicit(&r->tail, r->head, memory_order_release);
}

static double
measure(void (*burst)(size_t), size_t n, bool live)
{
	double per_span[ROUNDS];

	for (int r = 0; r < ROUNDS; r++) {
		uint64_t begun = now(), waiting = 0;

		for (int i = 0; i < BURSTS; i++) {
			burst(n);
			if (live) {
				uint64_t done = now();

				sidecar_flush(sidecar, 1000);
				waiting += now() - done;
			} else {
				empty();
			}
		}
		per_span[r] = (double)(now() - begun - waiting) / (BURST * BURSTS);
	}
	qsort(per_span, ROUNDS, sizeof(per_span[0]), ascending);
	return per_span[ROUNDS / 2];
}

static int
listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 1) != 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* Both clocks, without and with attributes. */
static void
compare(bool live)
{
	const char *how = live ? "live" : "warm";
	double base[2] = { measure(burst_msgpack, 0, live), measure(burst_msgpack, ATTRS, live) };

	for (int i = 0; i <= 1; i++)
		printf("%s  msgpack-c   clock_gettime  %d attributes  %6.1f ns/span\n", how,
		    i * ATTRS, base[i]);
	for (int tsc = 0; tsc <= 1; tsc++) {
		bool on = clock_use_tsc(tsc != 0);

		if (tsc != 0 && !on)
			printf("%s  this machine has no constant TSC\n", how);
		while (on && !clock_on_tsc())
			clock_calibrate();
		for (int i = 0; i <= 1 && on == (tsc != 0); i++) {
			double ns = measure(burst_library, i == 0 ? 0 : ATTRS, live);

			printf("%s  libsidecar  %-13s  %d attributes  %6.1f ns/span  %.2f of "
			       "msgpack-c\n",
			    how, tsc == 0 ? "clock_gettime" : "TSC", i * ATTRS, ns, ns / base[i]);
		}
	}
}

int
main(void)
{
	char folder[] = "/tmp/bench_client.XXXXXX", path[64];
	struct sidecar_options options = { .socket_path = path, .service_name = "bench" };
	struct sidecar_totals totals;
	pthread_t reader;
	struct ring *own, *aside;
	int fd;

	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/s", folder);
	fd = listen_at(path);
	pthread_create(&reader, NULL, drain, &fd);
	sidecar = sidecar_open(&options);
	if (sidecar == NULL)
		return 1;
	name = sidecar_intern(sidecar, "GET /api/orders");
	attrs[0] = sidecar_str(sidecar_intern(sidecar, "http.request.method"), "GET");
	attrs[1] = sidecar_int(sidecar_intern(sidecar, "http.response.status_code"), 200);
	attrs[2] = sidecar_str(sidecar_intern(sidecar, "http.route"), "/api/orders/{id}");
	attrs[3] = sidecar_int(sidecar_intern(sidecar, "server.port"), 8080);
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	random_seed(&ids);

	local_enter(sidecar);
	own = local_self.ring;
	aside = ring_new(RING_DEFAULT);
	aside->wake_at = UINT64_MAX;
	for (int live = 0; live <= 1; live++) {
		local_self.ring = live ? own : aside;
		compare(live != 0);
	}
	sidecar_stats(sidecar, &totals);
	if (totals.emitted != totals.written)
		printf("FAULT: %llu events of %llu were not written\n",
		    (unsigned long long)(totals.emitted - totals.written),
		    (unsigned long long)totals.emitted);
	sidecar_close(sidecar, 1000);
	pthread_join(reader, NULL);
	close(fd);
	ring_free(aside);
	unlink(path);
	rmdir(folder);
	msgpack_sbuffer_destroy(&buffer);
	return totals.emitted != totals.written;
}
