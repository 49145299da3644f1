/*
 * group.h -- membership in the consumer group and its memory: what is assigned, owned, committed,
 * and by whom.
 *
 * Each commit carries the partition's state in its metadata, so that position and total cannot
 * part. One asynchronous commit is on its way at a time. Partitions that are given up in good order
 * are committed first; those of a lost assignment are dropped, since another replica may have them
 * already: it reads the same messages from the same state.
 *
 * The Kafka thread's alone.
 */
#ifndef GROUP_H
#define GROUP_H

#include "base/kafka.h"
#include "replica.h"

enum { GROUP_ASK_MS = 1000 }; /* the longest that one question to the broker may hold the thread */

struct group {
	struct replica *replica;   /* borrowed */
	rd_kafka_t *rk;            /* borrowed */
	rd_kafka_queue_t *answers; /* to commits */
	bool committing;           /* one is on its way */
	struct mono answered;      /* when the last refresh succeeded, or the start */
	bool counted;              /* the topic's partitions are, since the last rebalance */
	bool moved;                /* group_fetch() is due: a position is not where it fetches */
};

/* Into the configuration, before the handle is made: its opaque pointer must lead to *group. */
void group_configure(rd_kafka_conf_t *, struct group *);
/* false: the subscription was refused; the replica has failed then. */
bool group_join(struct group *, struct replica *, rd_kafka_t *);
/* Leave the group: drops what it owns; commit before. Waits for the broker. */
void group_leave(struct group *);

/* Send what is not committed, unless a commit is on its way. */
void group_commit(struct group *);
/* Take the answer to a commit, if it comes within so many ms. */
void group_answer(struct group *, int timeout_ms);
/* Commit everything and wait for the answer, at most patience ns. */
void group_commit_all(struct group *, uint64_t patience);

/* Read what the group has committed for every partition: with it the grand total is known. Asks the
 * broker. */
void group_refresh(struct group *);

/* Fetch the owned partitions, and no others, from where the ledger wants to go on. Not at once
 * after another time: librdkafka aborts when it is still stopping what it fetched before. */
void group_fetch(struct group *);

/* Both ends of a partition's log, asked of the broker. false: no answer, which is told as
 * trouble. */
bool group_ends(struct group *, int32_t partition, int64_t *low, int64_t *high);

#endif
