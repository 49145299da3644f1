#include "export.h"

#include "account.h"
#include "backoff.h"
#include "gzip.h"
#include "memory.h"
#include "otlp_metric.h"
#include "post.h"
#include "procfs.h"
#include "queue.h"

#include "base/log.h"

#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An answer that HTTP/2 reset says nothing of why: worth a few tries, not endless ones. */
enum { STREAM_ERRORS = 3 };

/* While a signal drains, a Collector that comes back is noticed at once. */
#define DRAIN_BACKOFF UINT64_C(250000000) /* ns */

enum { SCRATCH_BYTES = 32 << 20 }; /* protobuf-c's tree of one metrics request; touched as needed */

struct lane {
	struct export *export;
	ev_timer retry; /* active: leave the target alone */
	struct backoff backoff;
	unsigned in_flight;
	bool failing; /* said so in the log */
};

struct export
{
	struct ev_loop *loop;
	struct export_parts parts;
	struct post *post;
	struct gzip *gzip;
	struct queue queue;
	struct lane lanes[TARGETS];
	ev_timer delay, interval;
	void (*idle)(void *); /* NULL: not draining, or done with it */
	void *idle_arg;
	struct otlp_share *shares; /* LIMIT_RESOURCES */
	uint8_t *raw, *packed;
	size_t packed_room;
	void *scratch;
};

static void
drop(struct batch *b, enum account_drop why)
{
	account_dropped(b, why);
	batch_free(b);
}

/* ---- sending */

static void
pump(struct export *e)
{
	for (int signal = 0; signal < TARGETS; signal++) {
		struct lane *lane = &e->lanes[signal];
		/* Metrics go one by one, in order, and find their place however slow spans are; and
		 * one request tells whether a target that failed is back. */
		unsigned most = signal == TARGET_METRICS || lane->backoff.delay != 0
				    ? 1
				    : LIMIT_IN_FLIGHT - e->parts.targets[TARGET_METRICS].on;
		struct batch *b;

		while (!ev_is_active(&lane->retry) && lane->in_flight < most &&
		       (b = queue_next(&e->queue, (enum target_signal)signal)) != NULL &&
		       post_start(e->post, b->signal, b->bytes, b->len, b->gzip, b)) {
			b->in_flight = true;
			lane->in_flight++;
			stats.export_bytes += b->len;
		}
	}
	queue_settle(&e->queue);
	stats.queue_batches = e->queue.batches;
	stats.queue_bytes = e->queue.bytes;
	if (e->queue.batches == 0 && e->idle != NULL) {
		void (*idle)(void *) = e->idle;

		e->idle = NULL;
		idle(e->idle_arg);
	}
}

static void
on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	pump(((struct lane *)w->data)->export);
}

/* Once when it begins to fail, once when it is well again; what lies between is at level debug. */
static void
say(struct lane *lane, enum target_signal signal, const struct reply *r, double wait)
{
	const char *name = target_name[signal];

	if (r->verdict == REPLY_ACCEPTED) {
		if (lane->failing)
			log_info("export_recovered", "signal=%s", name);
		lane->failing = false;
		if (r->rejected != 0 || r->message[0] != '\0')
			log_warn("export_partial", "signal=%s rejected=%" PRIu64 " message=%s",
			    name, r->rejected, log_quote(r->message));
	} else if (r->verdict == REPLY_REJECTED) {
		log_error("export_rejected", "signal=%s %s=%d message=%s", name, r->via, r->code,
		    log_quote(r->message));
	} else if (!lane->failing) {
		log_warn("export_failed", "signal=%s %s=%d message=%s retry_in=%.1fs", name, r->via,
		    r->code, log_quote(r->message), wait);
		lane->failing = true;
	} else {
		log_debug("export_failed", "signal=%s %s=%d message=%s retry_in=%.1fs", name,
		    r->via, r->code, log_quote(r->message), wait);
	}
}

static void
count_request(enum target_signal signal, enum reply_verdict verdict)
{
	uint64_t *const counters[TARGETS][REPLY_REJECTED + 1] = {
		{ &stats.export_ok_traces, &stats.export_retry_traces,
		    &stats.export_rejected_traces },
		{ &stats.export_ok_metrics, &stats.export_retry_metrics,
		    &stats.export_rejected_metrics },
	};

	++*counters[signal][verdict];
}

/* Requests that were in flight together fail as one, but each may ask for more time: seconds that
 * are left now. asked: ns. */
static double
leave_alone(struct lane *lane, uint64_t asked)
{
	struct ev_loop *loop = lane->export->loop;
	double left = ev_is_active(&lane->retry) ? ev_timer_remaining(loop, &lane->retry) : 0;
	double wait = (double)asked / 1e9;

	if (!ev_is_active(&lane->retry))
		wait = (double)backoff_fail(&lane->backoff, asked, (uint32_t)random() << 1) / 1e9;
	if (wait <= left)
		return left;
	ev_timer_stop(loop, &lane->retry);
	ev_timer_set(&lane->retry, wait, 0);
	ev_timer_start(loop, &lane->retry);
	return wait;
}

static void
done(void *arg, void *cookie, const struct reply *r, bool stream_error)
{
	struct export *e = arg;
	struct batch *b = cookie;
	struct lane *lane = &e->lanes[b->signal];
	double wait = 0;

	b->in_flight = false;
	lane->in_flight--;
	count_request(b->signal, r->verdict);
	if (r->verdict == REPLY_RETRY)
		wait = leave_alone(lane, r->retry_after);
	say(lane, b->signal, r, wait);
	if (stream_error && ++b->stream_errors == STREAM_ERRORS) {
		queue_remove(&e->queue, b);
		drop(b, ACCOUNT_TRANSPORT);
	} else if (r->verdict != REPLY_RETRY) {
		backoff_well(&lane->backoff);
		queue_remove(&e->queue, b);
		if (r->verdict == REPLY_REJECTED) {
			drop(b, ACCOUNT_REJECTED);
		} else {
			stats.export_partial += r->rejected != 0 || r->message[0] != '\0';
			account_taken(b, r->rejected);
			batch_free(b);
		}
	}
	pump(e);
}

/* ---- sealing */

/* An encoded request into the queue, compressed; what must give way for it is dropped. */
static void
enqueue(struct export *e, enum target_signal signal, const struct buf *raw, unsigned nshares,
    uint64_t items)
{
	bool zip = e->parts.targets[signal].gzip;
	size_t len =
	    zip ? gzip_pack(e->gzip, raw->base, raw->len, e->packed, e->packed_room) : raw->len;
	struct batch *b =
	    batch_new(signal, zip, zip ? e->packed : raw->base, len, e->shares, nshares, items);
	struct batch *old;

	if (b == NULL) {
		struct batch lost = { .signal = signal, .shares = e->shares, .n = nshares };

		account_dropped(&lost, ACCOUNT_QUEUE_FULL);
		return;
	}
	while ((old = queue_evict(&e->queue, len)) != NULL)
		drop(old, ACCOUNT_QUEUE_FULL);
	if (!queue_push(&e->queue, b))
		drop(b, ACCOUNT_QUEUE_FULL);
}

static void
seal(struct export *e)
{
	struct buf raw;
	unsigned n;

	ev_timer_stop(e->loop, &e->delay);
	if (e->parts.traces == NULL)
		return;
	for (;;) {
		uint64_t spans = 0;

		buf_init(&raw, e->raw, OTLP_TRACE_REQUEST_MAX);
		n = otlp_trace_seal(e->parts.traces, &raw, post_request_max(e->post, TARGET_TRACES),
		    e->shares, LIMIT_RESOURCES);
		if (n == 0)
			break;
		for (unsigned i = 0; i < n; i++)
			spans += e->shares[i].spans;
		enqueue(e, TARGET_TRACES, &raw, n, spans);
	}
	pump(e);
}

static void
on_delay(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	seal(w->data);
}

void
export_notice(struct export *e)
{
	size_t waiting = e->parts.traces != NULL ? otlp_trace_waiting(e->parts.traces) : 0;

	if (waiting >= post_request_max(e->post, TARGET_TRACES)) {
		seal(e);
	} else if (waiting != 0 && !ev_is_active(&e->delay)) {
		ev_timer_set(&e->delay, (double)e->parts.config->schedule_delay / 1e9, 0);
		ev_timer_start(e->loop, &e->delay);
	}
}

void
export_now(struct export *e)
{
	if (e->parts.traces != NULL && otlp_trace_waiting(e->parts.traces) != 0)
		seal(e);
}

static void
seal_metrics(struct export *e)
{
	struct process process;
	struct otlp_metric it = { .meter = e->parts.meter,
		.services = e->parts.services,
		.process = &process,
		.attributes = e->parts.attributes,
		.start = e->parts.start,
		.now = clock_wall(),
		.mono_now = clock_mono(),
		.scratch = e->scratch,
		.scratch_len = SCRATCH_BYTES };
	struct buf raw;
	uint64_t points;

	procfs_read(&process, e->parts.start);
	buf_init(&raw, e->raw, OTLP_TRACE_REQUEST_MAX);
	while (otlp_metric_next(&it, &raw, &points)) {
		enqueue(e, TARGET_METRICS, &raw, 0, points);
		buf_init(&raw, e->raw, OTLP_TRACE_REQUEST_MAX);
	}
	pump(e);
}

static void
on_interval(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	seal_metrics(w->data);
}

/* ---- life */

struct export *
export_open(struct ev_loop *loop, const struct export_parts *parts, char *error, size_t errlen)
{
	struct export *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		snprintf(error, errlen, "out of memory");
		return NULL;
	}
	e->loop = loop;
	e->parts = *parts;
	e->queue.limit = (size_t)parts->config->queue_max;
	stats.queue_limit = e->queue.limit;
	ev_timer_init(&e->delay, on_delay, 0, 0);
	e->delay.data = e;
	e->interval.data = e;
	for (int i = 0; i < TARGETS; i++) {
		e->lanes[i].export = e;
		ev_timer_init(&e->lanes[i].retry, on_retry, 0, 0);
		e->lanes[i].retry.data = &e->lanes[i];
	}
	ev_timer_init(&e->interval, on_interval, (double)parts->config->metric_interval / 1e9,
	    (double)parts->config->metric_interval / 1e9);
	e->gzip = gzip_open();
	e->packed_room = e->gzip != NULL ? gzip_bound(e->gzip, OTLP_TRACE_REQUEST_MAX) : 0;
	e->shares = calloc(LIMIT_RESOURCES, sizeof(*e->shares));
	e->raw = memory_reserve(OTLP_TRACE_REQUEST_MAX);
	e->packed = memory_reserve(e->packed_room);
	e->scratch = memory_reserve(SCRATCH_BYTES);
	if (e->gzip == NULL || e->shares == NULL || e->raw == NULL || e->packed == NULL ||
	    e->scratch == NULL) {
		snprintf(error, errlen, "out of memory");
		export_close(e);
		return NULL;
	}
	e->post = post_open(loop, parts->targets, e->gzip, done, e, error, errlen);
	if (e->post == NULL) {
		export_close(e);
		return NULL;
	}
	if (parts->targets[TARGET_METRICS].on)
		ev_timer_start(loop, &e->interval);
	return e;
}

void
export_renew(struct export *e)
{
	post_renew(e->post);
}

void
export_drain(struct export *e, void (*idle)(void *), void *arg)
{
	ev_timer_stop(e->loop, &e->interval);
	for (int i = 0; i < TARGETS; i++) {
		e->lanes[i].backoff.most = DRAIN_BACKOFF;
		ev_timer_stop(e->loop, &e->lanes[i].retry);
	}
	seal(e);
	if (e->parts.targets[TARGET_METRICS].on)
		seal_metrics(e);
	/* Only now: an empty queue between the two is not the end. */
	e->idle = idle;
	e->idle_arg = arg;
	pump(e);
}

void
export_close(struct export *e)
{
	struct batch *b;
	uint64_t spans = 0, points = 0;

	if (e == NULL)
		return;
	post_close(e->post);
	ev_timer_stop(e->loop, &e->delay);
	ev_timer_stop(e->loop, &e->interval);
	for (int i = 0; i < TARGETS; i++)
		ev_timer_stop(e->loop, &e->lanes[i].retry);
	while ((b = e->queue.first) != NULL) {
		*(b->signal == TARGET_TRACES ? &spans : &points) += b->items;
		queue_remove(&e->queue, b);
		drop(b, ACCOUNT_SHUTDOWN);
	}
	if (spans != 0 || points != 0)
		log_warn("export_dropped", "cause=shutdown spans=%" PRIu64 " data_points=%" PRIu64,
		    spans, points);
	gzip_close(e->gzip);
	free(e->shares);
	memory_release(e->raw, OTLP_TRACE_REQUEST_MAX);
	memory_release(e->packed, e->packed_room);
	memory_release(e->scratch, SCRATCH_BYTES);
	free(e);
}
