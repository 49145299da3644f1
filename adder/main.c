/*
 * main.c -- adder: wiring, signals, drain.
 *
 * Threads: this one runs the loop (signals, /healthz and /readyz, and every decision about starting
 * and stopping); two of the gRPC server take calls; one of the producer settles messages. They
 * reach this one by ev_async alone.
 */
#include "config.h"
#include "health.h"
#include "producer.h"
#include "reflection.h"
#include "schema.h"
#include "server.h"
#include "sum.h"
#include "telemetry.h"

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"

#include <ev.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { METHODS = 1 + HEALTH_METHODS + REFLECTION_METHODS, ERROR_MAX = 512 };

#define SIDECAR_LOOK 1.0 /* s between two looks at the sidecard's connection */
#define DRAIN_LOOK   0.1 /* s between two looks at how far the drain is */
#define LAST_WORDS   0.5 /* s for answers to go out once the grace is over */

struct adder {
	struct config config;
	struct ev_loop *loop;
	struct telemetry telemetry;
	struct sum *sum;
	struct producer *producer;
	struct health *health;
	struct schema *schema;
	struct server_method methods[METHODS];
	struct server *server;
	struct http *http;
	struct ev_async wake; /* the producer's state changed, or the server has stopped */
	struct ev_signal term, interrupt;
	struct ev_timer grace, look, drain_look;
	atomic_bool server_stopped;
	bool draining, grace_over;
	struct mono drain_began;
	int status;
};

static void
on_http(const struct http_request *request, struct http_reply *reply, void *arg)
{
	struct adder *a = arg;
	const char *path = http_path(request);
	char why[256];

	if (strcmp(path, "/healthz") == 0)
		http_text(reply, 200, "ok\n");
	else if (strcmp(path, "/readyz") != 0)
		http_text(reply, 404, "not found; there is /healthz and /readyz\n");
	else if (a->draining)
		http_text(reply, 503, "not ready: shutting down\n");
	else if (producer_state(a->producer, why, sizeof(why)) != PRODUCER_READY)
		http_text(reply, 503, "not ready: topic %s: %s\n", a->config.topic, why);
	else
		http_text(reply, 200, "ready\n");
}

/* On the producer's thread, and on one of the server's. */
static void
on_change(void *arg)
{
	struct adder *a = arg;

	ev_async_send(a->loop, &a->wake);
}

static void
on_stopped(void *arg)
{
	struct adder *a = arg;

	atomic_store(&a->server_stopped, true);
	ev_async_send(a->loop, &a->wake);
}

static void
drain(struct adder *a, int status)
{
	if (a->draining)
		return;
	a->draining = true;
	a->status = status;
	a->drain_began = clock_mono();
	log_info("stopping", "grace_ms=%lld", (long long)(a->config.grace / (int64_t)CLOCK_MILLI));
	health_stop(a->health);
	server_stop(a->server);
	ev_timer_set(&a->grace, (double)a->config.grace / (double)CLOCK_SECOND, LAST_WORDS);
	ev_timer_start(a->loop, &a->grace);
	ev_timer_start(a->loop, &a->drain_look);
}

static void
on_wake(struct ev_loop *loop, struct ev_async *watcher, int events)
{
	struct adder *a = watcher->data;
	enum producer_state state = producer_state(a->producer, NULL, 0);

	(void)events;
	if (atomic_load(&a->server_stopped))
		ev_break(loop, EVBREAK_ALL);
	else if (state == PRODUCER_FAILED)
		drain(a, 1);
	else
		health_set(a->health, state == PRODUCER_READY);
}

static void
on_signal(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
	struct adder *a = watcher->data;

	(void)loop;
	(void)events;
	if (a->draining) {
		log_warn("stopped", "reason=\"second signal\"");
		_exit(1);
	}
	drain(a, 0);
}

static void
on_last_signal(int number)
{
	(void)number;
	_exit(1);
}

/* First give up on messages, so that each call gets its answer; then, a moment later, on the
 * calls that are left. */
static void
on_grace(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct adder *a = timer->data;

	(void)loop;
	(void)events;
	if (!a->grace_over) {
		log_warn("grace_over", "effect=\"unfinished calls get UNAVAILABLE\"");
		a->grace_over = true;
		producer_purge(a->producer);
	} else {
		server_cancel(a->server);
	}
}

/* With no call left, gRPC still waits for streams that may last for ever (reflection) and for
 * connections that have never said anything. The others have been told to go and have gone by
 * now. */
static void
on_drain_look(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct adder *a = timer->data;

	(void)loop;
	(void)events;
	if (server_busy(a->server) == 0)
		server_cancel(a->server);
}

static void
on_look(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct adder *a = timer->data;

	(void)loop;
	(void)events;
	telemetry_watch(&a->telemetry);
}

static void
watch(struct adder *a)
{
	ev_async_init(&a->wake, on_wake);
	ev_signal_init(&a->term, on_signal, SIGTERM);
	ev_signal_init(&a->interrupt, on_signal, SIGINT);
	ev_init(&a->grace, on_grace);
	ev_timer_init(&a->look, on_look, SIDECAR_LOOK, SIDECAR_LOOK);
	ev_timer_init(&a->drain_look, on_drain_look, DRAIN_LOOK, DRAIN_LOOK);
	a->wake.data = a->term.data = a->interrupt.data = a;
	a->grace.data = a->look.data = a->drain_look.data = a;
	ev_async_start(a->loop, &a->wake);
	ev_signal_start(a->loop, &a->term);
	ev_signal_start(a->loop, &a->interrupt);
	ev_timer_start(a->loop, &a->look);
}

static void
producer_settings(struct adder *a, struct producer_options *o)
{
	*o = (struct producer_options){
		.brokers = a->config.brokers,
		.topic = a->config.topic,
		.settings = &a->config.kafka,
		.settled = sum_settled,
		.changed = on_change,
		.arg = a,
	};
}

/* False: error says why. What was opened is close_all()'s to close. */
static bool
open_all(struct adder *a, char *error, size_t errlen)
{
	const struct config *c = &a->config;
	struct producer_options kafka;
	struct server_options grpc = {
		.address = c->grpc,
		.cert = c->grpc_cert,
		.key = c->grpc_key,
		.client_ca = c->grpc_client_ca,
		.max_connection_age = c->max_connection_age,
		.methods = a->methods,
		.n = METHODS,
		.stopped = on_stopped,
		.arg = a,
	};

	snprintf(error, errlen, "out of memory");
	telemetry_open(&a->telemetry, c->sidecar);
	a->sum = sum_open(a->telemetry.sidecar, c->topic, (uint32_t)c->max_calls);
	a->health = health_open("sum.SumNumbersService");
	a->schema = schema_open();
	if (a->sum == NULL || a->health == NULL || a->schema == NULL)
		return false;
	producer_settings(a, &kafka);
	a->producer = producer_open(&kafka, error, errlen);
	if (a->producer == NULL)
		return false;
	sum_set_producer(a->sum, a->producer);
	sum_method(a->sum, &a->methods[0]);
	health_methods(a->health, &a->methods[1]);
	reflection_methods(a->schema, &a->methods[1 + HEALTH_METHODS]);
	a->http = http_open(a->loop, c->http, on_http, a, error, errlen);
	if (a->http == NULL)
		return false;
	a->server = server_open(&grpc, error, errlen);
	return a->server != NULL;
}

/* What is left of the grace, in ms. */
static int
grace_left(const struct adder *a)
{
	int64_t gone = (int64_t)(clock_mono().ns - a->drain_began.ns);

	if (!a->draining || gone >= a->config.grace)
		return 0;
	return (int)((a->config.grace - gone) / (int64_t)CLOCK_MILLI);
}

static void
log_totals(const struct adder *a)
{
	struct sum_totals t;

	sum_count(a->sum, &t);
	log_info("totals",
	    "ok=%llu refused=%llu rejected=%llu unavailable=%llu gone=%llu late=%llu",
	    (unsigned long long)t.ok, (unsigned long long)t.refused, (unsigned long long)t.rejected,
	    (unsigned long long)t.unavailable, (unsigned long long)t.gone,
	    (unsigned long long)t.late);
}

/* The producer first: while its thread lives it may be answering a call. */
static void
close_all(struct adder *a)
{
	producer_close(a->producer, grace_left(a));
	server_close(a->server);
	if (a->server != NULL)
		log_totals(a);
	http_close(a->http);
	telemetry_close(&a->telemetry);
	sum_close(a->sum);
	health_close(a->health);
	schema_close(a->schema);
}

static int
check(struct adder *a, bool print)
{
	struct producer_options kafka;
	char error[ERROR_MAX];

	producer_settings(a, &kafka);
	if (producer_check(&kafka, error, sizeof(error)) != 0) {
		config_complain("kafka", error);
		return 2;
	}
	if (print)
		config_print(&a->config);
	return 0;
}

int
main(int argc, char **argv)
{
	static struct adder a;
	enum option_outcome outcome = config_parse(argc, argv, &a.config);
	char error[ERROR_MAX];
	sigset_t signals;
	int status;

	if (outcome == OPTION_DONE || outcome == OPTION_WRONG)
		return outcome == OPTION_DONE ? 0 : 2;
	status = check(&a, outcome == OPTION_CHECK);
	if (outcome == OPTION_CHECK || status != 0)
		return status;
	log_open("adder", (enum log_level)a.config.log_level);
	log_format((enum log_format)a.config.log_format);

	/* Before the first thread, so that all inherit it: only the loop's signalfd takes them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	a.loop = ev_default_loop(EVFLAG_SIGNALFD);
	if (a.loop == NULL) {
		log_error("start_failed", "reason=\"no event loop\"");
		return 1;
	}
	watch(&a);
	if (open_all(&a, error, sizeof(error))) {
		log_info("listening", "grpc=%s grpc_port=%u http=%s http_port=%u tls=%s",
		    log_quote(a.config.grpc), server_port(a.server), log_quote(a.config.http),
		    http_port(a.http), a.config.grpc_cert != NULL ? "yes" : "no");
		ev_run(a.loop, 0);
		/* The loop has ended, so that nothing reads its signalfd: what is left may take
		 * what remains of the grace. */
		signal(SIGTERM, on_last_signal);
		signal(SIGINT, on_last_signal);
		sigprocmask(SIG_UNBLOCK, &signals, NULL);
		close_all(&a);
	} else {
		log_error("start_failed", "reason=%s", log_quote(error));
		close_all(&a);
		a.status = 1;
	}
	return a.status;
}
