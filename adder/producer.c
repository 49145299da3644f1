#include "producer.h"

#include "base/kafka.h"
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROBE_MS = 1000, /* how long one question to the broker may take */
	RETRY_MS = 250,  /* between two rounds of questions */
	POLL_MS = 100, /* how long an idle poll waits, and so how long close waits for the thread */
	WHY_MAX = 256
};

struct producer {
	rd_kafka_t *kafka;
	rd_kafka_topic_t *topic;
	char *topic_name;
	void (*settled)(void *, const struct producer_receipt *);
	void (*changed)(void *);
	void *arg;
	pthread_t thread;
	bool started;
	atomic_bool closing;
	int32_t answered; /* partitions that have, in order; of the thread */
	atomic_int state; /* enum producer_state; written under the lock, with why */
	pthread_mutex_t lock;
	char why[WHY_MAX];
};

static void
set_state(struct producer *p, enum producer_state state, const char *why)
{
	bool same;

	pthread_mutex_lock(&p->lock);
	same = atomic_load(&p->state) == (int)state && strcmp(p->why, why) == 0;
	atomic_store(&p->state, (int)state);
	snprintf(p->why, sizeof(p->why), "%s", why);
	pthread_mutex_unlock(&p->lock);
	if (same)
		return;
	if (state == PRODUCER_WAITING)
		log_warn("kafka_waiting", "topic=%s reason=%s", log_quote(p->topic_name),
		    log_quote(why));
	else if (state == PRODUCER_READY)
		log_info("kafka_ready", "topic=%s partitions=%d", log_quote(p->topic_name),
		    (int)p->answered);
	else
		log_error(
		    "kafka_fatal", "topic=%s reason=%s", log_quote(p->topic_name), log_quote(why));
	p->changed(p->arg);
}

static void
on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *m, void *arg)
{
	struct producer *p = arg;
	struct producer_receipt r = { .partition = m->partition, .offset = m->offset };

	(void)kafka;
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		r.error = kafka_error_name(m->err);
	else if (m->offset < 0) /* said to be stored, but nobody knows where: it may not be */
		r.error = kafka_error_name(RD_KAFKA_RESP_ERR__NO_OFFSET);
	p->settled(m->_private, &r);
}

static void
on_error(rd_kafka_t *kafka, int code, const char *reason, void *arg)
{
	struct producer *p = arg;
	char text[WHY_MAX];

	if (code != RD_KAFKA_RESP_ERR__FATAL) {
		log_debug("kafka_error", "error=%s reason=%s",
		    kafka_error_name((rd_kafka_resp_err_t)code), log_quote(reason));
		return;
	}
	rd_kafka_fatal_error(kafka, text, sizeof(text));
	/* librdkafka fails what is queued by itself; what is in flight still gets its answer. */
	set_state(p, PRODUCER_FAILED, text);
}

static rd_kafka_conf_t *
configure(const struct producer_options *o, char *error, size_t errlen)
{
	static const struct kafka_setting defaults[] = {
		{ "client.id", "adder" },
		{ "message.timeout.ms", "10000" },
		/* Messages already gather while the one request in flight is away. */
		{ "linger.ms", "0" },
	};
	static const struct kafka_setting fixed[] = {
		{ "enable.idempotence", "true" }, { "acks", "all" }, { "max.in.flight", "1" },
		{ "delivery.report.only.error", "false" }, /* an answer waits for each */
		{ "transactional.id", "" }, /* with one, nothing is taken outside transactions */
	};

	return kafka_conf(o->brokers, defaults, sizeof(defaults) / sizeof(defaults[0]), fixed,
	    sizeof(fixed) / sizeof(fixed[0]), o->settings, error, errlen);
}

/* How many partitions the topic has; 0 and why not. */
static int32_t
count_partitions(struct producer *p, char *why)
{
	const struct rd_kafka_metadata *all = NULL;
	rd_kafka_resp_err_t e = rd_kafka_metadata(p->kafka, 0, p->topic, &all, PROBE_MS);
	int32_t n = 0;

	if (e == RD_KAFKA_RESP_ERR_NO_ERROR && all->topic_cnt == 1) {
		e = all->topics[0].err;
		n = e == RD_KAFKA_RESP_ERR_NO_ERROR ? all->topics[0].partition_cnt : 0;
	}
	if (n == 0)
		snprintf(why, WHY_MAX, "no metadata: %s", rd_kafka_err2str(e));
	rd_kafka_metadata_destroy(all);
	return n;
}

/* Ask the partitions that have not answered yet, until one does not. */
static void
probe(struct producer *p)
{
	char why[WHY_MAX];
	int32_t n = count_partitions(p, why);
	rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_NO_ERROR;
	int64_t low, high;

	if (n == 0) {
		set_state(p, PRODUCER_WAITING, why);
		return;
	}
	while (p->answered < n && e == RD_KAFKA_RESP_ERR_NO_ERROR && !atomic_load(&p->closing)) {
		e = rd_kafka_query_watermark_offsets(
		    p->kafka, p->topic_name, p->answered, &low, &high, PROBE_MS);
		p->answered += e == RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	if (e != RD_KAFKA_RESP_ERR_NO_ERROR) {
		snprintf(why, sizeof(why), "partition %d of %d does not answer: %s",
		    (int)p->answered, (int)n, rd_kafka_err2str(e));
		set_state(p, PRODUCER_WAITING, why);
	} else if (p->answered >= n) {
		set_state(p, PRODUCER_READY, "");
	}
}

static void *
run(void *arg)
{
	struct producer *p = arg;

	while (!atomic_load(&p->closing)) {
		bool waiting = producer_state(p, NULL, 0) == PRODUCER_WAITING;

		if (waiting)
			probe(p);
		rd_kafka_poll(p->kafka, waiting ? RETRY_MS : POLL_MS);
	}
	return NULL;
}

int
producer_check(const struct producer_options *o, char *error, size_t errlen)
{
	rd_kafka_conf_t *conf = configure(o, error, errlen);

	if (conf == NULL)
		return -1;
	rd_kafka_conf_destroy(conf);
	return 0;
}

struct producer *
producer_open(const struct producer_options *o, char *error, size_t errlen)
{
	struct producer *p = calloc(1, sizeof(*p));
	rd_kafka_conf_t *conf = p != NULL ? configure(o, error, errlen) : NULL;

	if (conf == NULL) {
		if (p == NULL)
			snprintf(error, errlen, "out of memory");
		free(p);
		return NULL;
	}
	p->settled = o->settled;
	p->changed = o->changed;
	p->arg = o->arg;
	p->topic_name = strdup(o->topic);
	pthread_mutex_init(&p->lock, NULL);
	snprintf(p->why, sizeof(p->why), "starting");
	rd_kafka_conf_set_opaque(conf, p);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_error_cb(conf, on_error);
	p->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, errlen);
	if (p->kafka == NULL) {
		rd_kafka_conf_destroy(conf);
		producer_close(p, 0);
		return NULL;
	}
	p->topic = rd_kafka_topic_new(p->kafka, o->topic, NULL);
	if (p->topic == NULL || p->topic_name == NULL) {
		snprintf(error, errlen, "topic %s: %s", o->topic,
		    rd_kafka_err2str(rd_kafka_last_error()));
		producer_close(p, 0);
		return NULL;
	}
	p->started = pthread_create(&p->thread, NULL, run, p) == 0;
	if (!p->started) {
		snprintf(error, errlen, "cannot start a thread");
		producer_close(p, 0);
		return NULL;
	}
	return p;
}

enum producer_state
producer_state(struct producer *p, char *why, size_t size)
{
	int state;

	if (why == NULL)
		return (enum producer_state)atomic_load(&p->state);
	pthread_mutex_lock(&p->lock);
	state = atomic_load(&p->state);
	snprintf(why, size, "%s", p->why);
	pthread_mutex_unlock(&p->lock);
	return (enum producer_state)state;
}

const char *
producer_send(struct producer *p, const struct producer_message *m, void *arg)
{
	rd_kafka_vu_t parts[6];
	size_t n = 0;
	rd_kafka_error_t *e;
	rd_kafka_resp_err_t code;

	parts[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = p->topic };
	parts[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_VALUE,
		.u.mem = { .ptr = (void *)(uintptr_t)m->payload, .size = m->len } };
	parts[n++] =
	    (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY };
	parts[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = arg };
	if (m->key != NULL)
		parts[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_KEY,
			.u.mem = { .ptr = (void *)(uintptr_t)m->key, .size = strlen(m->key) } };
	if (m->traceparent != NULL)
		parts[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_HEADER,
			.u.header = { .name = "traceparent", .val = m->traceparent, .size = -1 } };
	e = rd_kafka_produceva(p->kafka, parts, n);
	if (e == NULL)
		return NULL;
	code = rd_kafka_error_code(e);
	rd_kafka_error_destroy(e);
	return kafka_error_name(code);
}

void
producer_purge(struct producer *p)
{
	rd_kafka_purge(p->kafka,
	    RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

void
producer_close(struct producer *p, int grace_ms)
{
	if (p == NULL)
		return;
	atomic_store(&p->closing, true);
	if (p->started)
		pthread_join(p->thread, NULL);
	if (p->kafka != NULL) {
		if (grace_ms > 0 && rd_kafka_outq_len(p->kafka) > 0)
			log_info("flushing", "messages=%d grace_ms=%d", rd_kafka_outq_len(p->kafka),
			    grace_ms);
		if (rd_kafka_flush(p->kafka, grace_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) {
			rd_kafka_purge(
			    p->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
			rd_kafka_flush(p->kafka, -1);
		}
		if (p->topic != NULL)
			rd_kafka_topic_destroy(p->topic);
		rd_kafka_destroy(p->kafka);
	}
	pthread_mutex_destroy(&p->lock);
	free(p->topic_name);
	free(p);
}
