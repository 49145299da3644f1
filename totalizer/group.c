#include "group.h"

#include "base/log.h"
#include "client/sidecar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAUSE_MS = 100 }; /* before a question that failed is asked again */
static const uint64_t quietly = 5 * CLOCK_SECOND;
static const uint64_t handover = 5 * CLOCK_SECOND; /* for the last commit: less than a session */

static const char too_many[] = "the topic has more than 1024 partitions";
_Static_assert(LEDGER_PARTITIONS == 1024, "as the text says");

static void
trouble(struct group *g, rd_kafka_resp_err_t err, const char *doing)
{
	char text[128];

	snprintf(text, sizeof(text), "%s: %s", doing, rd_kafka_err2str(err));
	replica_trouble(g->replica, kafka_error_name(err), g->replica->topic, text);
}

/* A question without an answer is asked again quietly for a while: finding the coordinator takes a
 * second or two after a start, and whenever it moves. */
static void
unanswered(struct group *g, rd_kafka_resp_err_t err, const char *question)
{
	switch (err) {
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__WAIT_COORD:
	case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
	case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
		if (clock_mono().ns < g->answered.ns + quietly)
			return;
		break;
	default: break;
	}
	trouble(g, err, question);
}

/* ---- commits ---- */

void
group_commit(struct group *g)
{
	struct ledger *ledger = &g->replica->ledger;
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t err;
	struct state state;

	if (g->committing)
		return;
	list = rd_kafka_topic_partition_list_new(ledger->owned + 1);
	for (int32_t p = 0; ledger_next_commit(ledger, &p, &state); p++) {
		char *text = malloc(STATE_TEXT);
		if (!text) {
			ledger_commit_failed(ledger, p);
			continue;
		}
		rd_kafka_topic_partition_t *it =
		    rd_kafka_topic_partition_list_add(list, g->replica->topic, p);
		it->offset = state.next;
		it->metadata_size = state_format(&state, text);
		it->metadata = text; /* taken by the list */
	}
	if (list->cnt > 0) {
		err = rd_kafka_commit_queue(g->rk, list, g->answers, NULL, NULL);
		g->committing = err == RD_KAFKA_RESP_ERR_NO_ERROR;
		for (int i = 0; i < list->cnt && err; i++)
			ledger_commit_failed(ledger, list->elems[i].partition);
		if (err)
			trouble(g, err, "commit");
	}
	rd_kafka_topic_partition_list_destroy(list);
}

static void
settle(struct group *g, const rd_kafka_topic_partition_list_t *list, rd_kafka_resp_err_t err)
{
	for (int i = 0; list && i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *it = &list->elems[i];
		if (!err && !it->err) {
			ledger_committed(&g->replica->ledger, it->partition);
			continue;
		}
		ledger_commit_failed(&g->replica->ledger, it->partition);
		if (!err)
			trouble(g, it->err, "commit");
	}
	if (err)
		trouble(g, err, "commit");
}

void
group_answer(struct group *g, int timeout_ms)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(g->answers, timeout_ms);

	if (!event)
		return;
	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT) {
		settle(g, rd_kafka_event_topic_partition_list(event), rd_kafka_event_error(event));
		g->committing = false;
	}
	rd_kafka_event_destroy(event);
}

void
group_commit_all(struct group *g, uint64_t patience)
{
	uint64_t deadline = clock_mono().ns + patience;

	/* What is on its way first: two commits of a partition must not overtake each other. */
	for (bool sent = false; g->committing || !sent;) {
		if (rd_kafka_assignment_lost(g->rk))
			return;
		if (clock_mono().ns >= deadline) {
			log_warn("commit_unanswered", "topic=%s", log_quote(g->replica->topic));
			return;
		}
		if (g->committing) {
			group_answer(g, PAUSE_MS);
		} else {
			group_commit(g);
			sent = true;
		}
	}
}

/* ---- assignment ---- */

bool
group_ends(struct group *g, int32_t partition, int64_t *low, int64_t *high)
{
	rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(
	    g->rk, g->replica->topic, partition, low, high, GROUP_ASK_MS);

	if (err)
		unanswered(g, err, "ends of the log");
	return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static struct ledger_commit
commit_of(const rd_kafka_topic_partition_t *it)
{
	return (struct ledger_commit){
		.offset = it->offset, .metadata = it->metadata, .len = it->metadata_size
	};
}

/* false: not yet, or never. */
static bool
take(struct group *g, const rd_kafka_topic_partition_t *it)
{
	struct replica *r = g->replica;
	struct ledger_commit commit = commit_of(it);
	enum ledger_verdict verdict;
	int64_t wanted = it->offset < 0 ? 0 : it->offset;
	int64_t low, high, start;

	if (it->err) {
		unanswered(g, it->err, "committed totals");
		return false;
	}
	if (!group_ends(g, it->partition, &low, &high))
		return false;
	verdict = ledger_own(&r->ledger, it->partition, &commit, low, high, r->accept_gap, &start);
	if (!replica_judge(r, it->partition, verdict,
		&(struct replica_evidence){ .commit = &commit, .low = low, .high = high }))
		return false;
	lag_start(&r->lags[it->partition], start, high);
	if (start != wanted)
		replica_gap_accepted(r, it->partition, wanted, start);
	log_info("partition_owned",
	    "topic=%s partition=%" PRId32 " offset=%" PRId64 " end=%" PRId64, log_quote(r->topic),
	    it->partition, start, high);
	return true;
}

/* Own those of the list that are not owned yet. false: some are still missing. */
static bool
take_all(struct group *g, const rd_kafka_topic_partition_list_t *assigned)
{
	struct ledger *ledger = &g->replica->ledger;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(assigned);
	rd_kafka_resp_err_t err = rd_kafka_committed(g->rk, list, GROUP_ASK_MS);

	if (err)
		unanswered(g, err, "committed totals");
	for (int i = 0; i < list->cnt && !err && replica_running(g->replica); i++) {
		if (ledger->at[list->elems[i].partition].holder != LEDGER_OWNED)
			take(g, &list->elems[i]);
	}
	rd_kafka_topic_partition_list_destroy(list);
	return ledger->owned == ledger->assigned;
}

void
group_fetch(struct group *g)
{
	struct ledger *ledger = &g->replica->ledger;
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new(ledger->owned + 1);
	rd_kafka_resp_err_t err;

	for (int32_t p = 0; p < LEDGER_PARTITIONS; p++) {
		if (ledger->at[p].holder == LEDGER_OWNED)
			rd_kafka_topic_partition_list_add(list, g->replica->topic, p)->offset =
			    ledger->at[p].live.next;
	}
	err = rd_kafka_assign(g->rk, list);
	if (err)
		trouble(g, err, "assign");
	g->moved = err != RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_topic_partition_list_destroy(list);
}

static void
assigned(struct group *g, const rd_kafka_topic_partition_list_t *list)
{
	struct replica *r = g->replica;

	for (int i = 0; i < list->cnt; i++) {
		if (list->elems[i].partition >= LEDGER_PARTITIONS) {
			replica_fail(r, too_many);
			break;
		}
		ledger_assign(&r->ledger, list->elems[i].partition);
	}
	replica_publish(r);
	/* A partition is ours only once its total is read. When stopping, or losing it, in between,
	 * it never was: nothing is applied to it and, above all, nothing is committed for it. */
	while (list->cnt > 0 && replica_running(r) && !rd_kafka_assignment_lost(g->rk) &&
	       !take_all(g, list) && replica_running(r))
		group_answer(g, PAUSE_MS);
	group_fetch(g);
	g->counted = false;
	r->view.joined = r->end == REPLICA_STOPPED;
	log_info("assigned", "topic=%s partitions=%" PRId32 " owned=%" PRId32, log_quote(r->topic),
	    r->ledger.assigned, r->ledger.owned);
}

static void
revoked(struct group *g, const rd_kafka_topic_partition_list_t *list)
{
	struct replica *r = g->replica;
	bool lost = rd_kafka_assignment_lost(g->rk);

	if (!lost && r->end == REPLICA_STOPPED)
		group_commit_all(g, handover);
	for (int i = 0; i < list->cnt; i++) {
		int32_t p = list->elems[i].partition;
		if (p >= LEDGER_PARTITIONS || r->ledger.at[p].holder == LEDGER_FOREIGN)
			continue;
		ledger_revoke(&r->ledger, p);
		sidecar_lag(r->sidecar, r->topic, p, -1, 0);
	}
	rd_kafka_assign(g->rk, NULL);
	g->moved = false;
	r->view.joined = false;
	log_info("revoked", "topic=%s partitions=%d lost=%s", log_quote(r->topic), list->cnt,
	    lost ? "true" : "false");
}

static void
on_rebalance(
    rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct group *g = opaque;

	(void)rk;
	if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
		assigned(g, list);
	else
		revoked(g, list);
	replica_publish(g->replica);
}

/* ---- the grand total ---- */

/* How many partitions the topic has, asked of the broker: *n > 0 unless there is an error. */
static rd_kafka_resp_err_t
ask_partitions(struct group *g, int *n)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(g->rk, g->replica->topic, NULL);
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t err;

	*n = 0;
	if (!topic)
		return rd_kafka_last_error();
	err = rd_kafka_metadata(g->rk, 0, topic, &metadata, GROUP_ASK_MS);
	rd_kafka_topic_destroy(topic);
	if (err)
		return err;
	if (metadata->topic_cnt == 1) {
		err = metadata->topics[0].err;
		*n = metadata->topics[0].partition_cnt;
	}
	rd_kafka_metadata_destroy(metadata);
	return err || *n > 0 ? err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/* false: not known, which is told as trouble. */
static bool
count_partitions(struct group *g)
{
	struct replica *r = g->replica;
	int n;
	rd_kafka_resp_err_t err = ask_partitions(g, &n);

	if (err) {
		unanswered(g, err, "the topic's partitions");
	} else if (n > LEDGER_PARTITIONS) {
		replica_fail(r, too_many);
	} else {
		g->counted = replica_judge(r, 0, ledger_resize(&r->ledger, n), NULL);
	}
	return g->counted;
}

void
group_refresh(struct group *g)
{
	struct replica *r = g->replica;
	struct wall as_of = clock_wall();
	struct mono fresh = clock_mono();
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t err;
	bool fine;

	if (!g->counted && !count_partitions(g))
		return;
	list = rd_kafka_topic_partition_list_new(r->ledger.partitions);
	for (int32_t p = 0; p < r->ledger.partitions; p++)
		rd_kafka_topic_partition_list_add(list, r->topic, p);
	err = rd_kafka_committed(g->rk, list, GROUP_ASK_MS);
	for (int i = 0; i < list->cnt && !err; i++)
		err = list->elems[i].err;
	if (err)
		unanswered(g, err, "committed totals");
	fine = !err;
	for (int i = 0; i < list->cnt && fine; i++) {
		struct ledger_commit commit = commit_of(&list->elems[i]);
		int32_t p = list->elems[i].partition;
		fine = replica_judge(r, p, ledger_see(&r->ledger, p, &commit),
		    &(struct replica_evidence){ .commit = &commit });
	}
	rd_kafka_topic_partition_list_destroy(list);
	if (!fine)
		return;
	g->answered = clock_mono();
	replica_known(r, as_of, fresh);
	replica_recovered(r);
}

/* ---- membership ---- */

void
group_configure(rd_kafka_conf_t *conf, struct group *g)
{
	rd_kafka_conf_set_opaque(conf, g);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
}

bool
group_join(struct group *g, struct replica *r, rd_kafka_t *rk)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t err;

	*g = (struct group){
		.replica = r, .rk = rk, .answers = rd_kafka_queue_new(rk), .answered = clock_mono()
	};
	rd_kafka_poll_set_consumer(rk);
	rd_kafka_topic_partition_list_add(list, r->topic, RD_KAFKA_PARTITION_UA);
	err = rd_kafka_subscribe(rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (err)
		replica_fail(r, rd_kafka_err2str(err));
	return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void
group_leave(struct group *g)
{
	rd_kafka_consumer_close(g->rk);
	rd_kafka_queue_destroy(g->answers);
}
