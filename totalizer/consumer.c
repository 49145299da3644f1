#include "consumer.h"

#include "base/log.h"
#include "group.h"
#include "process.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	POLL_MS = 50,
	COMMIT_MESSAGES = 1000 /* with commit_every: what is read again at worst, after a kill */
};
static const uint64_t commit_every = 200 * CLOCK_MILLI;
static const uint64_t fetch_after = 100 * CLOCK_MILLI;   /* the last gap */
static const uint64_t refresh_every = 250 * CLOCK_MILLI; /* with commit_every: below 500 ms */
static const uint64_t publish_every = 20 * CLOCK_MILLI;
static const uint64_t lag_every = CLOCK_SECOND;

struct consumer {
	const struct config *config; /* borrowed, as the next two are */
	void (*ended)(void *);
	void *arg;
	rd_kafka_t *rk;
	pthread_t thread;
	struct replica replica;
	/* The Kafka thread's alone. */
	struct group group;
	struct process process;
	struct mono commit_due, fetch_due, refresh_due, publish_due, lag_due;
};

/* ---- what a poll returns ---- */

static void
deliver(struct consumer *c, const rd_kafka_message_t *m, struct wall at)
{
	struct replica *r = &c->replica;
	struct delivery d = { .partition = m->partition,
		.offset = m->offset,
		.payload = m->payload,
		.len = m->payload ? m->len : 0,
		.at = at,
		.now = clock_mono() };
	rd_kafka_headers_t *headers;
	struct process_result result;
	const void *value = NULL;

	if (ledger_place(&r->ledger, m->partition, m->offset) != LEDGER_NEXT)
		return;
	if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
	    rd_kafka_header_get_last(headers, "traceparent", &value, &d.traceparent_len) ==
		RD_KAFKA_RESP_ERR_NO_ERROR)
		d.traceparent = value;
	result = process_message(&c->process, &d);
	if (result.fault == MESSAGE_NO_MEMORY)
		replica_fail(r, message_fault_text(result.fault));
	else if (replica_judge(r, m->partition, result.verdict, NULL))
		lag_read(&r->lags[m->partition], m->offset, result.produced);
	process_done();
}

static bool
owned(const struct consumer *c, int32_t partition)
{
	return ledger_place(&c->replica.ledger, partition, INT64_MAX) == LEDGER_NEXT;
}

/* Once for all that retention has overtaken: their errors come one after the other. */
static void
fetch_soon(struct consumer *c)
{
	c->group.moved = true;
	c->fetch_due.ns = clock_mono().ns + fetch_after;
}

/* Ask for the ends of a partition's log, and hold its position against them: a gap that the user
 * accepts is passed, any other misfit is the end. false: no answer, or it is ours no more. */
static bool
confirm(struct consumer *c, int32_t partition, enum ledger_verdict *verdict)
{
	struct replica *r = &c->replica;
	int64_t low, high;

	if (!group_ends(&c->group, partition, &low, &high) || rd_kafka_assignment_lost(c->rk))
		return false;
	*verdict = ledger_check(&r->ledger, partition, low, high);
	if (*verdict == LEDGER_GAP && r->accept_gap) {
		replica_gap_accepted(r, partition, r->ledger.at[partition].live.next, low);
		ledger_jump(&r->ledger, partition, low);
		lag_start(&r->lags[partition], low, high);
		fetch_soon(c);
	} else {
		replica_judge(
		    r, partition, *verdict, &(struct replica_evidence){ .low = low, .high = high });
	}
	return true;
}

/* The broker refuses to read on from a position: too early for its log, or too late? It does not
 * go on by itself. */
static void
lost_position(struct consumer *c, int32_t partition, int64_t refused)
{
	struct replica *r = &c->replica;
	enum ledger_verdict verdict;

	/* It has passed a gap since. A late answer to an earlier fetch stops the present one, too. */
	if (refused >= 0 && ledger_place(&r->ledger, partition, refused) == LEDGER_REPLAY) {
		fetch_soon(c);
		return;
	}
	while (replica_running(r) && owned(c, partition) && !rd_kafka_assignment_lost(c->rk)) {
		if (confirm(c, partition, &verdict)) {
			if (verdict == LEDGER_FINE)
				replica_fail(r, "the broker refused a position that its log has");
			return;
		}
		group_answer(&c->group, POLL_MS);
	}
}

/* Errors of a partition pass, and librdkafka goes on by itself, but for those of a batch: it asks
 * for the same one for ever, or steps over it. */
static bool
unreadable(rd_kafka_resp_err_t err)
{
	switch (err) {
	case RD_KAFKA_RESP_ERR__BAD_MSG: /* not what its checksum says */
	case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
	case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:   /* a codec, or a format */
	case RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE: /* no memory for what it says it holds */
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: /* for any fetch */
	case RD_KAFKA_RESP_ERR_INVALID_MSG:        /* the broker has found it damaged, */
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE: /* or will not send it to us */
		return true;
	default: return false;
	}
}

/* Nothing after it may be added: a total without it would be wrong, and one that stands still
 * looks like one that is up to date. */
static void
stuck(struct consumer *c, const rd_kafka_message_t *m)
{
	struct replica *r = &c->replica;
	char why[RESULTS_REASON];

	snprintf(why, sizeof(why),
	    "partition %" PRId32 " cannot be read from offset %" PRId64 " on: %s", m->partition,
	    r->ledger.at[m->partition].live.next, rd_kafka_message_errstr(m));
	replica_fail(r, why);
}

static void
take(struct consumer *c, const rd_kafka_message_t *m, struct wall at)
{
	struct replica *r = &c->replica;
	bool ours = owned(c, m->partition);

	switch (m->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR: deliver(c, m, at); break;
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		if (ours && replica_judge(r, m->partition,
				ledger_at_end(&r->ledger, m->partition, m->offset), NULL))
			lag_at_end(&r->lags[m->partition], m->offset);
		break;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		if (ours) {
			replica_trouble(
			    r, kafka_error_name(m->err), r->topic, rd_kafka_message_errstr(m));
			lost_position(c, m->partition, m->offset);
		}
		break;
	default:
		replica_trouble(r, kafka_error_name(m->err), r->topic, rd_kafka_message_errstr(m));
		if (ours && unreadable(m->err))
			stuck(c, m);
	}
}

static void
on_error(rd_kafka_t *rk, int err, const char *text, void *opaque)
{
	struct group *g = opaque;
	char why[512];

	if (err == RD_KAFKA_RESP_ERR__FATAL) {
		rd_kafka_fatal_error(rk, why, sizeof(why));
		replica_fail(g->replica, why);
	} else {
		replica_trouble(g->replica, kafka_error_name(err), NULL, text);
	}
}

/* ---- what is due ---- */

static bool
due(struct mono *at, uint64_t every)
{
	struct mono now = clock_mono();

	if (now.ns < at->ns)
		return false;
	at->ns = now.ns + every;
	return true;
}

/* Watermarks come with each fetch: in good order nothing here asks the broker. */
static void
report_lag(struct consumer *c)
{
	struct replica *r = &c->replica;

	for (int32_t p = 0; p < LEDGER_PARTITIONS && r->end == REPLICA_STOPPED; p++) {
		struct lag *lag = &r->lags[p];
		struct lag_report report;
		enum ledger_verdict verdict;
		int64_t low, high = -1;

		if (r->ledger.at[p].holder != LEDGER_OWNED)
			continue;
		if (rd_kafka_get_watermark_offsets(c->rk, r->topic, p, &low, &high))
			high = -1;
		/* A watermark behind our position: the log has shrunk, or a new leader has not
		 * caught up with its own. */
		if (lag->fresh && high >= 0 && ledger_check(&r->ledger, p, 0, high) != LEDGER_FINE)
			confirm(c, p, &verdict);
		report = lag_report(lag, high, r->view.as_of);
		sidecar_lag(r->sidecar, r->topic, p, report.messages, report.as_of.ns);
	}
}

static void
do_duties(struct consumer *c)
{
	struct replica *r = &c->replica;

	group_answer(&c->group, 0);
	/* A lost assignment must stay one until its revocation comes: to assign now would hide it,
	 * and with it that nothing may be committed any more. */
	if (c->group.moved && !rd_kafka_assignment_lost(c->rk) && due(&c->fetch_due, fetch_after))
		group_fetch(&c->group);
	if (r->ledger.uncommitted >= COMMIT_MESSAGES || due(&c->commit_due, commit_every))
		group_commit(&c->group);
	if (due(&c->refresh_due, refresh_every)) {
		group_refresh(&c->group);
		c->refresh_due.ns = clock_mono().ns + refresh_every;
	}
	if (due(&c->publish_due, publish_every))
		replica_publish(r);
	if (due(&c->lag_due, lag_every)) {
		report_lag(c);
		process_tick(&c->process, clock_mono());
	}
}

static void *
run(void *arg)
{
	struct consumer *c = arg;
	struct replica *r = &c->replica;

	while (replica_running(r)) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, POLL_MS);
		struct wall at = clock_wall();
		/* A rebalance, or an end, may have come with the poll. */
		if (m && replica_running(r))
			take(c, m, at);
		if (m)
			rd_kafka_message_destroy(m);
		if (replica_running(r))
			do_duties(c);
	}
	if (r->end == REPLICA_STOPPED)
		group_commit_all(&c->group, (uint64_t)c->config->drain_timeout);
	group_leave(&c->group);
	rd_kafka_destroy(c->rk);
	c->ended(c->arg);
	return NULL;
}

/* ---- from outside ---- */

static rd_kafka_conf_t *
configure(const struct config *config, char *error, size_t errlen)
{
	static const struct kafka_setting defaults[] = {
		{ "client.id", "totalizer" },
		{ "session.timeout.ms",
		    "6000" }, /* a killed replica's partitions move after so long */
		{ "heartbeat.interval.ms",
		    "500" }, /* a joining one waits for the others' next heartbeat */
		{ "fetch.wait.max.ms",
		    "100" }, /* bounds the age of the watermarks that lag is made of */
		{ "log.connection.close", "false" },
	};
	const struct kafka_setting fixed[] = {
		{ "group.id", config->group }, { "isolation.level", "read_committed" },
		{ "enable.auto.commit",
		    "false" }, /* a commit without metadata would wipe the total */
		{ "enable.auto.offset.store", "false" },
		{ "auto.offset.reset", "error" }, /* no silent gap, no silent replay */
		{ "partition.assignment.strategy", "range" },
		{ "enable.partition.eof", "true" }, /* for lag */
		{ "check.crcs", "true" },           /* a damaged message is not added */
	};

	return kafka_conf(config->brokers, defaults, sizeof(defaults) / sizeof(defaults[0]), fixed,
	    sizeof(fixed) / sizeof(fixed[0]), &config->kafka, error, errlen);
}

bool
consumer_valid(const struct config *config, char *error, size_t errlen)
{
	rd_kafka_conf_t *conf = configure(config, error, errlen);

	if (!conf)
		return false;
	rd_kafka_conf_destroy(conf);
	return true;
}

/* The handle and our thread, with every signal left to the main thread. */
static bool
start(struct consumer *c, rd_kafka_conf_t *conf, char *error, size_t errlen)
{
	sigset_t all, before;
	bool started = false;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	c->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, errlen);
	if (!c->rk) {
		rd_kafka_conf_destroy(conf);
	} else if (!group_join(&c->group, &c->replica, c->rk)) {
		snprintf(error, errlen, "cannot subscribe: %s", c->replica.view.reason);
	} else if (pthread_create(&c->thread, NULL, run, c) != 0) {
		snprintf(error, errlen, "no memory for a thread");
	} else {
		started = true;
	}
	if (c->rk && !started) {
		group_leave(&c->group);
		rd_kafka_destroy(c->rk);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

struct consumer *
consumer_open(const struct config *config, struct results *results, struct sidecar *sidecar,
    void (*ended)(void *), void *arg, char *error, size_t errlen)
{
	rd_kafka_conf_t *conf = configure(config, error, errlen);
	struct consumer *c;

	if (!conf)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c) {
		rd_kafka_conf_destroy(conf);
		snprintf(error, errlen, "out of memory");
		return NULL;
	}
	c->config = config;
	c->ended = ended;
	c->arg = arg;
	replica_init(
	    &c->replica, config->topic, config->group, config->accept_gap, sidecar, results);
	process_init(&c->process, &c->replica.ledger, sidecar, config->topic, config->group);
	group_configure(conf, &c->group);
	rd_kafka_conf_set_error_cb(conf, on_error);
	if (start(c, conf, error, errlen))
		return c;
	free(c);
	return NULL;
}

void
consumer_stop(struct consumer *c)
{
	atomic_store(&c->replica.stop, true);
}

enum replica_end
consumer_join(struct consumer *c)
{
	enum replica_end end;

	pthread_join(c->thread, NULL);
	end = c->replica.end;
	free(c);
	return end;
}
