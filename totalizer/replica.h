/*
 * replica.h -- this replica, as its Kafka thread sees it: its ledger, its standing in the group,
 * its troubles, its end.
 *
 * One thread owns all of it, but for `stop`. What others may know of it goes through results.h.
 */
#ifndef REPLICA_H
#define REPLICA_H

#include "lag.h"
#include "ledger.h"
#include "results.h"

#include <stdatomic.h>

enum replica_end {              /* also the exit status */
	REPLICA_STOPPED = 0,    /* nothing is wrong */
	REPLICA_FAILED = 1,     /* librdkafka or memory: a restart may help */
	REPLICA_UNREADABLE = 3, /* committed metadata is not a total */
	REPLICA_WRONG_LOG = 4   /* log and totals do not belong together, or the log has a gap */
};

struct sidecar;

struct replica {
	const char *topic, *group; /* borrowed */
	bool accept_gap;
	struct sidecar *sidecar; /* borrowed; may be NULL */
	struct results *results; /* borrowed */
	atomic_bool stop;        /* set by anybody */
	enum replica_end
	    end;   /* not STOPPED: on the way out, nothing is applied or committed any more */
	bool told; /* a trouble since the last replica_recovered() is in the log, */
	struct mono told_at; /* and when the last one was told; 0: never */
	struct ledger ledger;
	struct lag lags[LEDGER_PARTITIONS]; /* of owned partitions */
	struct results_view view;
};

void replica_init(struct replica *, const char *topic, const char *group, bool accept_gap,
    struct sidecar *, struct results *);

/* Neither asked to stop nor ending by itself. */
bool replica_running(struct replica *);

/* Show the present state to the HTTP side. */
void replica_publish(struct replica *);

/* The grand total is what all had committed at this instant, and what was read here since. */
void replica_known(struct replica *, struct wall as_of, struct mono fresh);

/* It cannot go on: log, and end. */
void replica_fail(struct replica *, const char *reason);

struct replica_evidence { /* for a verdict */
	const struct ledger_commit
	    *commit;       /* borrowed; NULL: the replica's own position is meant */
	int64_t low, high; /* the log's ends; both 0: not asked */
};

/* True for LEDGER_FINE. Else the end, and the log says on what evidence (NULL: none). */
bool replica_judge(
    struct replica *, int32_t partition, enum ledger_verdict, const struct replica_evidence *);

/* The user accepts it: a partition goes on at `to`, though what stands from `from` on was not added.
 * Tells the log. */
void replica_gap_accepted(struct replica *, int32_t partition, int64_t from, int64_t to);

/* Something that passes by itself, or that somebody outside will mend: counted each time as a
 * consumer error of topic (NULL: none), told in the log once until it is over, and at most every
 * ten seconds. error: librdkafka's name. */
void replica_trouble(struct replica *, const char *error, const char *topic, const char *text);
void replica_recovered(struct replica *);

#endif
