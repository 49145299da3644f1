/*
 * main.c -- sidecard: everything wired together, signals, and the way down.
 */
#include "config.h"
#include "export.h"
#include "identity.h"
#include "ingest.h"
#include "memory.h"
#include "pages.h"
#include "systemd.h"
#include "target.h"

#include "base/log.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

/* Exit codes: 1 it could not start or run, 2 wrong options. */
enum { EXIT_WRONG = 2 };

/* Descriptors beside connections: listener, HTTP, Collector, spare ones. */
enum { OTHER_FDS = 512 };

struct daemon {
	struct ev_loop *loop;
	struct config config;
	struct target targets[TARGETS];
	struct identity identity;
	struct wall start;
	struct services services;
	struct resources resources;
	struct finish finish;
	struct meter *meter;
	struct core *core;
	struct export *export;
	struct ingest *ingest;
	struct pages *pages;
	ev_signal term, interrupt, hangup;
	ev_timer drain;
	bool ending;
};

static struct daemon d;

static int
fatal(const char *event, const char *why)
{
	log_error(event, "message=%s", log_quote(why));
	return EXIT_FAILURE;
}

/* ---- the way down */

static void
stop(void *arg)
{
	struct daemon *it = arg;

	ev_break(it->loop, EVBREAK_ALL);
}

static void
on_drain_timeout(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	stop(w->data);
}

static void
on_term(struct ev_loop *loop, ev_signal *w, int events)
{
	struct daemon *it = w->data;

	(void)events;
	if (it->ending) {
		log_warn("killed", "message=\"second signal: not waiting for the Collector\"");
		stop(it);
		return;
	}
	it->ending = true;
	log_info("draining", "signal=%s", w->signum == SIGTERM ? "SIGTERM" : "SIGINT");
	systemd_notify("STOPPING=1");
	pages_ready(it->pages, false);
	ev_timer_start(loop, &it->drain);
	ingest_drain(it->ingest);
	export_drain(it->export, stop, it);
}

static void
on_hangup(struct ev_loop *loop, ev_signal *w, int events)
{
	struct daemon *it = w->data;

	(void)loop;
	(void)events;
	log_info("reloading", "message=\"TLS files are read again\"");
	export_renew(it->export);
}

/* ---- the way up */

static void
raise_fd_limit(void)
{
	struct rlimit limit;
	rlim_t want = LIMIT_SESSIONS + OTHER_FDS;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
		return;
	limit.rlim_cur =
	    limit.rlim_max == RLIM_INFINITY || limit.rlim_max > want ? want : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < want)
		log_warn("few_descriptors", "limit=%" PRIu64 " wanted=%" PRIu64,
		    (uint64_t)limit.rlim_cur, (uint64_t)want);
}

/* Everything whose size limits.h decides, in one mapping. */
static int
make_core(void)
{
	size_t sizes[] = { SERVICES_BYTES, LIMIT_SERVICE_TEXT, resources_bytes(),
		otlp_trace_bytes(), FINISH_SCRATCH_BYTES, meter_bytes(), core_bytes() };
	enum { N = sizeof(sizes) / sizeof(sizes[0]), PAGE = 4096 };
	size_t total = 0, at = 0;
	uint8_t *memory, *part[N];
	uint64_t seed;

	for (int i = 0; i < N; i++)
		total += sizes[i] = (sizes[i] + PAGE - 1) / PAGE * PAGE;
	memory = memory_reserve(total);
	if (memory == NULL || getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -1;
	for (int i = 0; i < N; at += sizes[i++])
		part[i] = memory + at;
	services_init(&d.services, part[0], (char *)part[1]);
	resources_init(&d.resources, part[2], seed);
	d.finish.scratch = part[4];
	if (d.targets[TARGET_TRACES].on)
		d.finish.traces = otlp_trace_init(part[3], &d.resources);
	d.meter = d.finish.meter = meter_init(part[5], seed);
	d.core = core_init(part[6], &(struct core_parts){ .services = &d.services,
					.resources = &d.resources,
					.meter = d.meter,
					.finish = &d.finish,
					.attributes = d.identity.traces,
					.span_timeout = (uint64_t)d.config.span_timeout,
					.hash_seed = seed,
					.open_spans = (uint32_t)d.config.open_spans });
	return 0;
}

static int
make_identity(void)
{
	uint8_t random[16];
	char error[256];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -1;
	if (identity_make(&d.identity, d.config.attributes, random, error, sizeof(error)) != 0)
		log_warn("attributes_ignored", "option=resource-attributes message=%s",
		    log_quote(error));
	return 0;
}

static int
make_edges(char *error, size_t errlen)
{
	const struct export_parts export = { .config = &d.config,
		.targets = d.targets,
		.traces = d.finish.traces,
		.meter = d.meter,
		.services = &d.services,
		.attributes = d.identity.metrics,
		.start = d.start };
	const struct pages_parts pages = { .address = d.config.http,
		.meter = d.meter,
		.services = &d.services,
		.start = d.start };

	d.export = export_open(d.loop, &export, error, errlen);
	if (d.export == NULL)
		return -1;
	d.pages = pages_open(d.loop, &pages, error, errlen);
	if (d.pages == NULL)
		return -1;
	d.ingest = ingest_open(d.loop, &d.config, d.core, d.meter, d.export, error, errlen);
	return d.ingest != NULL ? 0 : -1;
}

static void
watch_signals(void)
{
	ev_signal_init(&d.term, on_term, SIGTERM);
	ev_signal_init(&d.interrupt, on_term, SIGINT);
	ev_signal_init(&d.hangup, on_hangup, SIGHUP);
	d.term.data = d.interrupt.data = d.hangup.data = &d;
	ev_signal_start(d.loop, &d.term);
	ev_signal_start(d.loop, &d.interrupt);
	ev_signal_start(d.loop, &d.hangup);
	ev_timer_init(&d.drain, on_drain_timeout, (double)d.config.drain_timeout / 1e9, 0);
	d.drain.data = &d;
	signal(SIGPIPE, SIG_IGN);
}

/* What the table cannot say: where the signals go. */
static int
resolve_targets(void)
{
	for (int signal = 0; signal < TARGETS; signal++) {
		struct target_error error;

		if (target_resolve(
			&d.targets[signal], &d.config, (enum target_signal)signal, &error) != 0) {
			option_complain(&config_program, error.option, error.why);
			return -1;
		}
	}
	return 0;
}

static void
say_ready(void)
{
	log_info("ready", "version=%s socket=%s http_port=%u traces=%s metrics=%s", VERSION,
	    log_quote(d.config.socket), pages_port(d.pages),
	    d.targets[TARGET_TRACES].on ? log_quote(d.targets[TARGET_TRACES].shown) : "none",
	    d.targets[TARGET_METRICS].on ? log_quote(d.targets[TARGET_METRICS].shown) : "none");
	if (!d.targets[TARGET_TRACES].on)
		log_warn("no_endpoint", "message=\"no --otlp-endpoint: spans feed the metrics and "
					"are exported nowhere\"");
	pages_ready(d.pages, true);
	systemd_notify("READY=1");
}

int
main(int argc, char **argv)
{
	char error[512] = "out of memory";
	enum option_outcome outcome = config_load(&d.config, argc, argv);

	if (outcome == OPTION_DONE)
		return EXIT_SUCCESS;
	if (outcome == OPTION_WRONG || resolve_targets() != 0)
		return EXIT_WRONG;
	if (outcome == OPTION_CHECK) {
		option_print(&config_program, &d.config);
		return EXIT_SUCCESS;
	}
	log_open("sidecard", (enum log_level)d.config.log_level);
	log_format((enum log_format)d.config.log_format);
	d.start = clock_wall();
	d.loop = ev_default_loop(0);
	raise_fd_limit();
	if (d.loop == NULL || make_identity() != 0 || make_core() != 0)
		return fatal("start_failed", strerror(errno));
	watch_signals();
	if (make_edges(error, sizeof(error)) != 0) {
		export_close(d.export);
		pages_close(d.pages);
		return fatal("start_failed", error);
	}
	say_ready();
	ev_run(d.loop, 0);
	export_close(d.export);
	ingest_close(d.ingest);
	pages_close(d.pages);
	log_info("stopped", "events=%" PRIu64, stats.events);
	return EXIT_SUCCESS;
}
