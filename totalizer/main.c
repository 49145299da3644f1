/*
 * main.c -- totalizer: adds up the sums in a Kafka topic and answers the total over HTTP.
 *
 * Two threads: this one runs the loop with HTTP and signals, the other one is Kafka's (consumer.c).
 * They meet in results.c's mutex, and where the Kafka thread wakes the loop with `ended` as its
 * last deed.
 */
#include "base/http.h"
#include "base/log.h"
#include "client/sidecar.h"
#include "config.h"
#include "consumer.h"
#include "pages.h"
#include "telemetry.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_WRONG_OPTION = 2, LAST_FLUSH_MS = 500 };

struct totalizer {
	struct config config;
	struct ev_loop *loop;
	struct telemetry telemetry;
	struct results *results;
	struct consumer *consumer;
	struct http *http;
	struct pages pages;
	ev_signal terminate, interrupt;
	ev_async ended; /* the Kafka thread is about to */
	ev_timer drain, second;
	bool stopping;
};

static void
on_ended(struct ev_loop *loop, ev_async *w, int events)
{
	(void)w, (void)events;
	ev_break(loop, EVBREAK_ALL);
}

/* Called on the Kafka thread. */
static void
wake(void *arg)
{
	struct totalizer *t = arg;

	ev_async_send(t->loop, &t->ended);
}

/* The broker did not let us commit or leave. No message is lost by that: what is not committed will
 * be read again. */
static void
on_drain_timeout(struct ev_loop *loop, ev_timer *w, int events)
{
	struct totalizer *t = w->data;

	(void)loop, (void)events;
	log_warn("drain_timeout",
	    "reason=\"the broker did not answer; uncommitted messages will be read again\"");
	sidecar_flush(t->telemetry.sidecar, LAST_FLUSH_MS);
	_exit(EXIT_SUCCESS);
}

static void
on_signal(struct ev_loop *loop, ev_signal *w, int events)
{
	struct totalizer *t = w->data;

	(void)events;
	if (t->stopping) {
		log_warn("stopped_at_once", "signal=%d", w->signum);
		_exit(EXIT_FAILURE);
	}
	t->stopping = true;
	log_info("stopping", "signal=%d", w->signum);
	consumer_stop(t->consumer);
	ev_timer_start(loop, &t->drain);
}

static void
on_second(struct ev_loop *loop, ev_timer *w, int events)
{
	struct totalizer *t = w->data;

	(void)loop, (void)events;
	telemetry_watch(&t->telemetry);
}

static void
watch(struct totalizer *t)
{
	ev_signal_init(&t->terminate, on_signal, SIGTERM);
	ev_signal_init(&t->interrupt, on_signal, SIGINT);
	t->terminate.data = t->interrupt.data = t;
	ev_signal_start(t->loop, &t->terminate);
	ev_signal_start(t->loop, &t->interrupt);
	ev_async_init(&t->ended, on_ended);
	ev_async_start(t->loop, &t->ended);
	ev_timer_init(
	    &t->drain, on_drain_timeout, (double)t->config.drain_timeout / (double)CLOCK_SECOND, 0);
	ev_timer_init(&t->second, on_second, 1.0, 1.0);
	t->drain.data = t->second.data = t;
	ev_timer_start(t->loop, &t->second);
}

static int
complain(const char *error)
{
	log_error("start_failed", "reason=%s", log_quote(error));
	return EXIT_FAILURE;
}

static int
serve(struct totalizer *t)
{
	char error[512];

	t->loop = ev_default_loop(0);
	t->results = results_new();
	if (!t->loop || !t->results)
		return complain("out of memory");
	telemetry_open(&t->telemetry, t->config.sidecar);
	t->pages = (struct pages){ .results = t->results, .sidecar = t->telemetry.sidecar };
	t->http = http_open(t->loop, t->config.http, pages_answer, &t->pages, error, sizeof(error));
	if (!t->http)
		return complain(error);
	watch(t);
	t->consumer = consumer_open(
	    &t->config, t->results, t->telemetry.sidecar, wake, t, error, sizeof(error));
	if (!t->consumer)
		return complain(error);
	log_info("listening", "http_port=%u topic=%s group=%s version=%s", http_port(t->http),
	    log_quote(t->config.topic), log_quote(t->config.group), VERSION);
	ev_run(t->loop, 0);
	return (int)consumer_join(t->consumer);
}

static void
leave(struct totalizer *t)
{
	http_close(t->http);
	telemetry_close(&t->telemetry);
	results_free(t->results);
	if (t->loop)
		ev_loop_destroy(t->loop);
}

int
main(int argc, char **argv)
{
	static struct totalizer t;
	enum option_outcome outcome = option_parse(&config_program, argc, argv, &t.config);
	char error[512];
	int status;

	if (outcome == OPTION_DONE)
		return EXIT_SUCCESS;
	if (outcome == OPTION_WRONG || !config_valid(&t.config))
		return EXIT_WRONG_OPTION;
	log_open("totalizer", (enum log_level)t.config.log_level);
	log_format((enum log_format)t.config.log_format);
	if (!consumer_valid(&t.config, error, sizeof(error))) {
		option_complain(&config_program, "kafka", error);
		return EXIT_WRONG_OPTION;
	}
	if (outcome == OPTION_CHECK) {
		option_print(&config_program, &t.config);
		return EXIT_SUCCESS;
	}
	signal(SIGPIPE, SIG_IGN);
	status = serve(&t);
	leave(&t);
	log_info("stopped", "status=%d", status);
	return status;
}
