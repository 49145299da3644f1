/*
 * bench_sidecard -- a running sidecard as a whole: spans for each second of its CPU, memory, and
 * what 10,000 spans a second cost. Medians of ROUNDS; spread as min and max. Run by `make bench`,
 * or alone: bench_sidecard [path of sidecard].
 *
 * The Collector is a thread that reads OTLP over HTTP and answers 200: its time is not the
 * daemon's.
 */
#include "client/sidecar.h"

#include "daemon.h"
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 5, SPANS = 1000000, IN_FLIGHT = 1000, HELD = 100000, PACED = 10000, PACED_S = 5 };

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
show(const char *what, double *v, const char *unit)
{
	qsort(v, ROUNDS, sizeof(*v), by_value);
	printf("%-58s %12.2f %s  [%.2f - %.2f]\n", what, v[ROUNDS / 2], unit, v[0], v[ROUNDS - 1]);
	fflush(stdout);
}

static void
throughput(const char *what, bool pairs, bool export)
{
	struct stream s = pairs ? stream_pairs(SPANS, IN_FLIGHT) : stream_whole(SPANS);
	double per_cpu[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		double before;
		int fd;

		daemon_start(export);
		before = daemon_cpu();
		fd = stream_connect(daemon_socket());
		stream_write(fd, &s);
		daemon_wait("sidecar_spans_finished_total", SPANS);
		if (export)
			daemon_wait("sidecar_spans_acknowledged_total", SPANS);
		per_cpu[round] = SPANS / (daemon_cpu() - before) / 1e6;
		close(fd);
		daemon_stop();
	}
	free(s.bytes);
	show(what, per_cpu, "M spans/CPU s");
}

static void
memory(void)
{
	struct stream s = stream_starts(HELD);
	int fd;

	daemon_start(true);
	printf("%-58s %12.2f MB (its own, not of shared libraries: %.2f)\n", "resident, idle",
	    (double)daemon_memory("VmRSS") / 1024, (double)daemon_memory("RssAnon") / 1024);
	fd = stream_connect(daemon_socket());
	stream_write(fd, &s);
	daemon_wait("sidecar_spans_started_total", HELD);
	printf("%-58s %12.2f MB (its own: %.2f)\n", "resident, 100,000 spans open",
	    (double)daemon_memory("VmRSS") / 1024, (double)daemon_memory("RssAnon") / 1024);
	close(fd);
	daemon_stop();
	free(s.bytes);
}

/* Through the library, as a service would: 10 spans every millisecond. */
static void
paced(bool export, const char *what)
{
	struct sidecar_options options = {
		.size = sizeof(options), .service_name = "bench", .socket_path = daemon_socket()
	};
	double percent[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		struct sidecar_totals totals;
		struct timespec next;
		struct sidecar *sidecar;
		const char *name;
		double cpu, wall;

		daemon_start(export);
		sidecar = sidecar_open(&options);
		name = sidecar_intern(sidecar, "work");
		cpu = daemon_cpu();
		wall = seconds_of(CLOCK_MONOTONIC);
		clock_gettime(CLOCK_MONOTONIC, &next);
		for (int ms = 0; ms < PACED_S * 1000; ms++) {
			for (int i = 0; i < PACED / 1000; i++) {
				struct sidecar_span span;

				sidecar_begin(sidecar, &span, name, SIDECAR_SERVER, NULL);
				sidecar_end(&span, SIDECAR_UNSET);
			}
			next.tv_nsec += 1000000;
			next.tv_sec += next.tv_nsec / 1000000000;
			next.tv_nsec %= 1000000000;
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		}
		percent[round] = 100 * (daemon_cpu() - cpu) / (seconds_of(CLOCK_MONOTONIC) - wall);
		sidecar_flush(sidecar, 1000);
		sidecar_stats(sidecar, &totals);
		if (totals.written != 2 * PACED * PACED_S)
			fprintf(stderr, "the library dropped some: the machine stalled\n");
		daemon_wait("sidecar_spans_finished_total", (double)(totals.written / 2));
		sidecar_close(sidecar, 1000);
		daemon_stop();
	}
	show(what, percent, "% of a core");
}

int
main(int argc, char **argv)
{
	static char beside[4096];
	char *slash;

	snprintf(beside, sizeof(beside), "%s", argv[0]);
	slash = strstr(beside, "tests/bench/");
	if (slash != NULL)
		snprintf(slash, sizeof(beside) - (size_t)(slash - beside), "sidecard");
	daemon_prepare(argc > 1 ? argv[1] : beside);
	throughput("START and END, 1,000 open, not exported", true, false);
	throughput("START and END, 1,000 open, exported (HTTP, gzip)", true, true);
	throughput("whole SPANs, not exported", false, false);
	throughput("whole SPANs, exported (HTTP, gzip)", false, true);
	memory();
	paced(false, "10,000 spans/s through the library, not exported");
	paced(true, "10,000 spans/s through the library, exported");
	daemon_clean();
	return 0;
}
