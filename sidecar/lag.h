/*
 * lag.h -- the lag of each topic and partition, and its age. Pure.
 *
 *	     reported            end of stream                5 minutes
 *	none ---------> living -----------------> dead -----------------> none
 *	  ^               | ^  ^                   |  |
 *	  |  revoked, BYE | |  | reported (anyone) |  | revoked (anyone)
 *	  +---------------+ +--+-------------------+  +---> none
 *
 * A living one shows lag and age, a dead one its age only: it grows by itself, so a consumer that
 * hangs or died is seen.
 */
#ifndef LAG_H
#define LAG_H

#include "base/clock.h"
#include "limits.h"
#include "owned.h"
#include "pool.h"
#include "series.h"
#include "topic.h"

#include <stdbool.h>

struct lag {
	struct owned owned; /* by who reported last; a dead one by nobody: owner 0 */
	uint64_t messages;
	int64_t origin;   /* the instant, on the monotonic clock, at which the age was 0 */
	struct mono died; /* when owner is 0 */
	uint32_t number, topic, partition;
	uint32_t chain;
	uint32_t next; /* of the same topic, by partition */
};

enum {
	LAG_SERIES = 2, /* that a partition is charged with */
	LAG_MAX = LIMIT_SERIES / LAG_SERIES,
	LAG_BUCKETS = 1 << 15
};

struct lags {
	struct topics *topics;
	struct pool pool;
	struct owners owners;
	uint32_t buckets[LAG_BUCKETS];
};

size_t lags_bytes(void); /* beside struct lags; zeroed, touched only when used */
void lags_init(struct lags *, void *mem, struct topics *);

/* age NULL: not known, keep the earlier origin, else now. False: past a cap, or the overflow topic,
 * which has no partitions. */
bool lag_report(struct lags *, struct topic *, uint32_t partition, uint64_t messages,
    const uint64_t *age, uint64_t owner, struct mono now);
void lag_revoke(struct lags *, struct topic *, uint32_t partition, uint64_t owner);
void lag_owner_gone(struct lags *, uint64_t owner, bool bye, struct mono now);
void lag_expire(struct lags *, struct mono now);

static inline struct lag *
lag_at(const struct lags *l, uint32_t number)
{
	return number == 0 ? NULL : pool_at(&l->pool, number);
}

static inline bool
lag_dead(const struct lag *it)
{
	return it->owned.owner == 0;
}

double lag_age(const struct lag *, struct mono now); /* s */

#endif
