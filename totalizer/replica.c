#include "replica.h"

#include "base/log.h"
#include "client/sidecar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t tell_every = 10 * CLOCK_SECOND;

void
replica_init(struct replica *r, const char *topic, const char *group, bool accept_gap,
    struct sidecar *sidecar, struct results *results)
{
	memset(r, 0, sizeof(*r));
	r->topic = topic;
	r->group = group;
	r->accept_gap = accept_gap;
	r->sidecar = sidecar;
	r->results = results;
	atomic_init(&r->stop, false);
	ledger_init(&r->ledger);
}

bool
replica_running(struct replica *r)
{
	return !atomic_load(&r->stop) && r->end == REPLICA_STOPPED;
}

void
replica_publish(struct replica *r)
{
	struct results_view *v = &r->view;

	v->assigned = r->ledger.assigned;
	v->owned = r->ledger.owned;
	v->partitions = r->ledger.partitions;
	if (ledger_grand(&r->ledger, &v->total, &v->count) != LEDGER_FINE)
		v->known = false;
	results_publish(r->results, v);
}

void
replica_known(struct replica *r, struct wall as_of, struct mono fresh)
{
	r->view.known = true;
	r->view.as_of = as_of;
	r->view.fresh = fresh;
}

/* Whatever is not committed will be read again by the next owner, from the same state: nothing is
 * lost. */
static void
end(struct replica *r, enum replica_end how, const char *reason)
{
	r->end = how;
	r->view.known = r->view.joined = false;
	snprintf(r->view.reason, sizeof(r->view.reason), "%s", reason);
	replica_publish(r);
}

void
replica_fail(struct replica *r, const char *reason)
{
	log_error("consumer_failed", "topic=%s group=%s reason=%s", log_quote(r->topic),
	    log_quote(r->group), log_quote(reason));
	end(r, REPLICA_FAILED, reason);
}

bool
replica_judge(struct replica *r, int32_t partition, enum ledger_verdict verdict,
    const struct replica_evidence *evidence)
{
	const struct replica_evidence e = evidence ? *evidence : (struct replica_evidence){ 0 };
	int64_t offset = e.commit ? e.commit->offset : r->ledger.at[partition].live.next;
	bool unreadable = verdict == LEDGER_UNREADABLE || verdict == LEDGER_OVERFLOW;
	char metadata[STATE_TEXT] = "";

	if (verdict == LEDGER_FINE)
		return true;
	if (e.commit && e.commit->metadata)
		snprintf(metadata, sizeof(metadata), "%.*s", (int)e.commit->len,
		    (const char *)e.commit->metadata);
	log_error(ledger_word(verdict),
	    "topic=%s group=%s partition=%" PRId32 " offset=%" PRId64 " metadata=%s low=%" PRId64
	    " high=%" PRId64 " reason=%s",
	    log_quote(r->topic), log_quote(r->group), partition, offset, log_quote(metadata), e.low,
	    e.high, log_quote(ledger_text(verdict)));
	end(r, unreadable ? REPLICA_UNREADABLE : REPLICA_WRONG_LOG, ledger_text(verdict));
	return false;
}

void
replica_gap_accepted(struct replica *r, int32_t partition, int64_t from, int64_t to)
{
	log_warn("gap_accepted", "topic=%s partition=%" PRId32 " from=%" PRId64 " to=%" PRId64,
	    log_quote(r->topic), partition, from, to);
}

void
replica_trouble(struct replica *r, const char *error, const char *topic, const char *text)
{
	struct mono now = clock_mono();

	sidecar_kafka_error(r->sidecar, SIDECAR_SIDE_CONSUMER, topic, error);
	snprintf(r->view.reason, sizeof(r->view.reason), "%s: %s", error, text);
	if (!r->told && (r->told_at.ns == 0 || now.ns >= r->told_at.ns + tell_every)) {
		r->told = true;
		r->told_at = now;
		log_warn("kafka_trouble", "error=%s text=%s", error, log_quote(text));
	} else {
		log_debug("kafka_trouble", "error=%s text=%s", error, log_quote(text));
	}
	replica_publish(r);
}

void
replica_recovered(struct replica *r)
{
	if (r->told)
		log_info("kafka_recovered", "topic=%s", log_quote(r->topic));
	r->told = false;
	r->view.reason[0] = '\0';
}
