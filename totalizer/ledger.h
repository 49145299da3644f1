/*
 * ledger.h -- every partition of the topic: whose it is, what it adds up to, what the group has
 * committed. Pure.
 *
 * A broker checks only that a commit comes from a member of the group. It accepts one for another
 * member's partition, a lower offset, an offset past the log's end. So the rules are kept here:
 * nothing is applied or committed but for a partition that is owned, and one is owned only from
 * ledger_own() to ledger_revoke().
 *
 *	          ledger_assign()          ledger_own()
 *	FOREIGN ------------------> ASSIGNED ----------> OWNED
 *	   ^------------------------------+----------------'
 *	               ledger_revoke()
 *
 * Beside its live state each partition has the furthest state ever seen of it, by this replica's
 * reading or in a commit of any replica. A log never changes what it said: so that state is what
 * the grand total is made of, it never goes back, and another total at the same offset, or a log
 * that ends before it, means another log.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "state.h"

enum { LEDGER_PARTITIONS = 1024 }; /* of the topic; also what the sidecar takes lag for */

enum ledger_verdict {
	LEDGER_FINE,
	LEDGER_UNREADABLE, /* a commit whose metadata is not a state of ours */
	LEDGER_GAP,        /* the log starts after the first message not yet added */
	LEDGER_SHORT,      /* the log ends before messages that were added */
	LEDGER_VANISHED,   /* a commit, or a partition, that was there is gone */
	LEDGER_DIVERGED,   /* the same offset, and another total */
	LEDGER_OVERFLOW    /* a total beyond 128 bits: only hostile metadata gets there */
};

enum ledger_place { LEDGER_NEXT, LEDGER_REPLAY, LEDGER_NOT_OWNED };

struct ledger_commit {        /* what the broker has for a partition */
	int64_t offset;       /* < 0: no commit */
	const void *metadata; /* borrowed; NULL: none */
	size_t len;
};

struct ledger_partition {
	enum { LEDGER_FOREIGN, LEDGER_ASSIGNED, LEDGER_OWNED } holder;
	bool dirty;    /* live has what no commit has */
	bool flying;   /* in a commit without an answer */
	bool recorded; /* the group is known to have a commit */
	struct state live, furthest;
};

struct ledger {
	struct ledger_partition at[LEDGER_PARTITIONS];
	int32_t partitions; /* of the topic; 0: not known */
	int32_t assigned, owned;
	int64_t uncommitted; /* messages passed since ledger_next_commit() last took everything */
};

void ledger_init(struct ledger *);

/* The topic has n partitions (1 to LEDGER_PARTITIONS). VANISHED: fewer than before, and one of
 * those gone had messages. */
enum ledger_verdict ledger_resize(struct ledger *, int32_t n);

void ledger_assign(struct ledger *, int32_t partition);
void ledger_revoke(struct ledger *, int32_t partition);

/* Own an assigned partition. *commit is what the group has, low and high are the ends of the log.
 * On FINE, reading must start at *start. accept_gap: a log that starts too late is read from where
 * it starts. On another verdict it stays ASSIGNED. */
enum ledger_verdict ledger_own(struct ledger *, int32_t partition,
    const struct ledger_commit *commit, int64_t low, int64_t high, bool accept_gap, int64_t *start);

/* Take note of what the group has for a partition, whoever owns it. When it has less than the owner
 * here, and nothing is on its way, that goes out again. */
enum ledger_verdict ledger_see(struct ledger *, int32_t partition, const struct ledger_commit *);

/* Does the log, now from low to high, still have what an owned partition needs and has? */
enum ledger_verdict
ledger_check(const struct ledger *, int32_t partition, int64_t low, int64_t high);

/* The user accepts that the log of an owned partition now starts at low, after its position: go on
 * from there. */
void ledger_jump(struct ledger *, int32_t partition, int64_t low);

/* Where a message stands. Only LEDGER_NEXT may be applied or skipped; offsets may jump (compaction,
 * transactions). */
enum ledger_place ledger_place(const struct ledger *, int32_t partition, int64_t offset);
enum ledger_verdict ledger_apply(struct ledger *, int32_t partition, int64_t offset, int64_t sum);
enum ledger_verdict
ledger_skip(struct ledger *, int32_t partition, int64_t offset); /* invalid: adds nothing */

/* An owned partition was read up to its end, which is at this offset. What stands last is no
 * message when it is the end of a transaction, or one that was aborted: not to be missed when it is
 * gone. */
enum ledger_verdict ledger_at_end(struct ledger *, int32_t partition, int64_t offset);

/* The next partition from *partition on whose state must be committed: *partition is it, *state
 * goes into the commit and counts as on its way. false: no more. Every one taken must be told the
 * outcome; one that was revoked meanwhile does not mind. */
bool ledger_next_commit(struct ledger *, int32_t *partition, struct state *);
void ledger_committed(struct ledger *, int32_t partition);
void ledger_commit_failed(struct ledger *, int32_t partition);

/* The sum over all partitions. */
enum ledger_verdict ledger_grand(const struct ledger *, struct total *, int64_t *count);

/* One lower_case word and what it means for a person. Borrowed for ever. */
const char *ledger_word(enum ledger_verdict);
const char *ledger_text(enum ledger_verdict);

#endif
