#include "sum.h"

#include "authority.h"
#include "payload.h"
#include "producer.h"
#include "server.h"
#include "words.h"

#include "base/buf.h"
#include "base/log.h"
#include "client/sidecar.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sum.pb-c.h>

struct sum {
	struct sidecar *sidecar;
	struct producer *producer;
	uint32_t max;
	struct words words;
	atomic_uint live; /* orders with claims */
	atomic_ullong ok, refused, rejected, unavailable, gone, late;
	atomic_ullong failures;                      /* of messages, not yet logged */
	atomic_llong refusal_logged, failure_logged; /* second of the last line */
};

/* One call and its message. */
struct order {
	struct sum *sum;
	struct server_call *call;
	struct sidecar_span server, send;
	struct mono started;
	struct wall produced_at;
	int64_t value;
	atomic_uint refs;   /* the call's until `over`, the message's until it is settled */
	atomic_uint claims; /* on max_calls: the answer's and the message's, until each is there */
	atomic_bool answered; /* whoever sets it answers */
};

static void
order_unref(struct order *o)
{
	if (atomic_fetch_sub(&o->refs, 1) == 1)
		free(o);
}

static void
order_release(struct order *o)
{
	if (atomic_fetch_sub(&o->claims, 1) == 1)
		atomic_fetch_sub(&o->sum->live, 1);
}

static void
count(struct sum *s, enum status code)
{
	switch (code) {
	case STATUS_OK: s->ok++; break;
	case STATUS_RESOURCE_EXHAUSTED: s->refused++; break;
	case STATUS_UNAVAILABLE: s->unavailable++; break;
	case STATUS_CANCELLED:
	case STATUS_DEADLINE_EXCEEDED: s->gone++; break;
	default: s->rejected++;
	}
}

/* What this thread logs from here to about_none() is about this call. */
static void
about(const struct order *o)
{
	const struct sidecar_context *c = &o->server.context;

	log_context(c->trace_id, c->span_id, c->flags);
}

static void
about_none(void)
{
	log_context(NULL, NULL, 0);
}

static void
tell_answer(const struct order *o, enum status code, const char *text)
{
	double ms = (double)(clock_mono().ns - o->started.ns) / (double)CLOCK_MILLI;

	log_debug("call", "code=%s duration_ms=%.3f%s%s", status_name(code), ms,
	    text[0] != '\0' ? " reason=" : "", text[0] != '\0' ? log_quote(text) : "");
}

/* End the call, unless that was done. False: it was. */
static bool
answer(struct order *o, enum status code, const char *text)
{
	const struct words *w = &o->sum->words;
	struct sidecar_attr attrs[2];
	size_t n = 0;
	Sum__SumNumbersResponse reply = SUM__SUM_NUMBERS_RESPONSE__INIT;
	uint8_t bytes[16]; /* a tag and ten bytes of varint at most */
	bool failed = status_is_server_error(code);

	if (atomic_exchange(&o->answered, true))
		return false;
	count(o->sum, code);
	if (log_on(LOG_DEBUG))
		tell_answer(o, code, text);
	attrs[n++] = sidecar_str(w->status_code, status_name(code));
	if (failed)
		attrs[n++] = sidecar_str(w->error_type, status_name(code));
	sidecar_span_end(
	    &o->server, failed ? SIDECAR_FAILED : SIDECAR_UNSET, failed ? text : NULL, 0, attrs, n);
	order_release(o); /* first: the caller's next call may be here before this one is over */
	if (code == STATUS_OK) {
		reply.sum = o->value;
		server_finish(
		    o->call, code, "", bytes, sum__sum_numbers_response__pack(&reply, bytes));
	} else {
		server_finish(o->call, code, text, NULL, 0);
	}
	return true;
}

static void
start_server_span(struct order *o)
{
	const struct words *w = &o->sum->words;
	struct sidecar_context parent;
	struct sidecar_attr attrs[4];
	char authority[AUTHORITY_MAX];
	const char *traceparent;
	uint16_t port;
	size_t n = 0, len = 0;

	traceparent = server_metadata(o->call, "traceparent", &len);
	sidecar_extract(traceparent, len, &parent);
	attrs[n++] = sidecar_str(w->rpc_system, "grpc");
	attrs[n++] = sidecar_str(w->rpc_method, w->method);
	server_authority(o->call, authority, sizeof(authority));
	if (authority_split(authority, &port))
		attrs[n++] = sidecar_str(w->server_address, authority);
	if (n == 3 && port != 0)
		attrs[n++] = sidecar_int(w->server_port, port);
	sidecar_span_start(
	    o->sum->sidecar, &o->server, w->method, SIDECAR_SERVER, &parent, 0, attrs, n);
}

/* Whether a line of this kind may be written: one a second, an overload or an outage has
 * thousands. */
static bool
may_log(atomic_llong *last)
{
	long long now = (long long)(clock_mono().ns / CLOCK_SECOND);

	return atomic_exchange(last, now) != now;
}

static void
log_refusal(struct sum *s)
{
	if (may_log(&s->refusal_logged))
		log_warn("calls_refused", "reason=\"too many in flight\" limit=%u total=%llu",
		    (unsigned)s->max, (unsigned long long)s->refused);
}

static void
log_failure(struct sum *s, const char *error)
{
	s->failures++;
	if (may_log(&s->failure_logged))
		log_warn("kafka_send_failed", "topic=%s error=%s messages=%llu",
		    log_quote(s->words.topic), error,
		    (unsigned long long)atomic_exchange(&s->failures, 0));
}

static void
start(struct server_call *call)
{
	struct sum *s = server_arg(call);
	struct order *o = calloc(1, sizeof(*o));

	if (o == NULL) {
		s->refused++;
		server_finish(call, STATUS_RESOURCE_EXHAUSTED, "out of memory", NULL, 0);
		return;
	}
	o->sum = s;
	o->call = call;
	o->started = clock_mono();
	atomic_init(&o->refs, 1);
	atomic_init(&o->claims, 1);
	server_set_data(call, o);
	start_server_span(o);
	about(o);
	if (atomic_fetch_add(&s->live, 1) >= s->max) {
		answer(o, STATUS_RESOURCE_EXHAUSTED,
		    "too many calls in flight; nothing was published");
		log_refusal(s);
	}
	about_none();
}

static void
end_send(struct order *o, const char *error, int32_t partition, int64_t offset)
{
	struct sum *s = o->sum;
	const struct words *w = &s->words;
	struct sidecar_attr attrs[3];
	char number[16];
	size_t n = 0;

	if (partition >= 0) {
		snprintf(number, sizeof(number), "%d", (int)partition);
		attrs[n++] = sidecar_str(w->partition, number);
	}
	if (error == NULL) {
		attrs[n++] = sidecar_int(w->offset, offset);
		sidecar_produced(s->sidecar, w->topic, partition, o->produced_at.ns, 1);
	} else {
		attrs[n++] = sidecar_str(w->error_type, error);
		sidecar_kafka_error(s->sidecar, SIDECAR_SIDE_PRODUCER, w->topic, error);
		log_failure(s, error);
	}
	sidecar_span_end(
	    &o->send, error == NULL ? SIDECAR_UNSET : SIDECAR_FAILED, NULL, 0, attrs, n);
}

static void
answer_failed(struct order *o, const char *outcome, const char *error)
{
	char text[96];

	snprintf(text, sizeof(text), "%s: %s", outcome, error);
	answer(o, STATUS_UNAVAILABLE, text);
}

void
sum_settled(void *message_arg, const struct producer_receipt *r)
{
	struct order *o = message_arg;

	about(o);
	end_send(o, r->error, r->partition, r->offset);
	order_release(o);
	if (r->error != NULL)
		answer_failed(o, "not known to be published", r->error);
	else if (!answer(o, STATUS_OK, ""))
		o->sum->late++;
	order_unref(o);
	about_none();
}

static void
publish(struct order *o)
{
	const struct sum *s = o->sum;
	const struct words *w = &s->words;
	const struct sidecar_attr attrs[] = {
		sidecar_str(w->system, "kafka"),
		sidecar_str(w->operation, "send"),
		sidecar_str(w->operation_type, "send"),
		sidecar_str(w->destination, w->topic),
	};
	char payload[PAYLOAD_MAX], traceparent[SIDECAR_TRACEPARENT_SIZE], key[17] = "";
	struct producer_message m = { .payload = payload };
	struct buf b;
	const char *error;

	sidecar_span_start(s->sidecar, &o->send, w->send, SIDECAR_PRODUCER, &o->server.context, 0,
	    attrs, sizeof(attrs) / sizeof(attrs[0]));
	if (sidecar_inject(&o->send.context, traceparent) > 0) {
		m.traceparent = traceparent;
		/* The span's own id: unlike the trace's it spreads the calls of one trace too. */
		memcpy(key, traceparent + 36, 16);
		m.key = key;
	}
	buf_init(&b, payload, sizeof(payload));
	o->produced_at = clock_wall();
	payload_write(&b, o->value, o->produced_at, &o->send.context);
	m.len = b.len;
	atomic_fetch_add(&o->refs, 1);
	atomic_fetch_add(&o->claims, 1);
	error = producer_send(s->producer, &m, o);
	if (error != NULL) {
		end_send(o, error, -1, -1);
		order_release(o);
		answer_failed(o, "nothing was published", error);
		order_unref(o);
	}
}

static void
answer_not_ready(struct order *o)
{
	char why[256], text[300];

	producer_state(o->sum->producer, why, sizeof(why));
	snprintf(text, sizeof(text), "not ready, nothing was published: %s", why);
	answer(o, STATUS_UNAVAILABLE, text);
}

static void
handle(struct order *o, const uint8_t *bytes, size_t n)
{
	Sum__SumNumbersRequest *r = NULL;
	bool overflow;

	if (bytes != NULL)
		r = sum__sum_numbers_request__unpack(NULL, n, bytes);
	if (r == NULL) {
		answer(o, STATUS_INTERNAL, bytes != NULL ? "unreadable request" : "no request");
		return;
	}
	overflow = __builtin_add_overflow(r->x, r->y, &o->value);
	sum__sum_numbers_request__free_unpacked(r, NULL);
	if (overflow) {
		answer(o, STATUS_OUT_OF_RANGE, "the sum does not fit in 64 bits");
	} else if (server_expired(o->call)) {
		answer(
		    o, STATUS_DEADLINE_EXCEEDED, "the deadline had passed; nothing was published");
	} else if (producer_state(o->sum->producer, NULL, 0) != PRODUCER_READY) {
		answer_not_ready(o);
	} else {
		publish(o);
	}
}

static void
message(struct server_call *call, const uint8_t *bytes, size_t n)
{
	struct order *o = server_data(call);

	about(o);
	handle(o, bytes, n);
	about_none();
}

static void
over(struct server_call *call)
{
	struct order *o = server_data(call);

	if (o == NULL)
		return;
	about(o);
	if (server_refused(call))
		answer(o, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
	else if (server_timed_out(call))
		answer(o, STATUS_DEADLINE_EXCEEDED, "the deadline passed");
	else
		answer(o, STATUS_CANCELLED, "the caller has gone");
	order_unref(o);
	about_none();
}

struct sum *
sum_open(struct sidecar *sidecar, const char *topic, uint32_t max_calls)
{
	struct sum *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->sidecar = sidecar;
	s->max = max_calls;
	words_init(&s->words, sidecar, topic);
	return s;
}

void
sum_set_producer(struct sum *s, struct producer *p)
{
	s->producer = p;
}

void
sum_method(struct sum *s, struct server_method *out)
{
	*out = (struct server_method){
		.path = "/" WORDS_METHOD, .start = start, .message = message, .over = over, .arg = s
	};
}

void
sum_count(const struct sum *s, struct sum_totals *t)
{
	*t = (struct sum_totals){ .ok = s->ok,
		.refused = s->refused,
		.rejected = s->rejected,
		.unavailable = s->unavailable,
		.gone = s->gone,
		.late = s->late };
}

void
sum_close(struct sum *s)
{
	free(s);
}
