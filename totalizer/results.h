/*
 * results.h -- what the Kafka thread knows, for the HTTP thread: the one place where the two meet.
 *
 * The Kafka thread publishes whole views, the loop's thread copies them, both under one mutex,
 * named `meeting`.
 */
#ifndef RESULTS_H
#define RESULTS_H

#include "base/clock.h"
#include "total.h"

enum {
	RESULTS_REASON = 256,
	RESULTS_STALE_S = 5 /* not confirmed for so long, a grand total is not known any more */
};

struct results_view {
	bool known; /* the grand total is: the four below hold */
	struct total total;
	int64_t count;      /* messages in it */
	int32_t partitions; /* of the topic */
	struct wall as_of;  /* everything that any replica had committed by then is in it */
	struct mono fresh;  /* the same instant, for its age */
	bool joined;        /* a member of the group, with an assignment */
	int32_t assigned, owned;
	char reason[RESULTS_REASON]; /* of the last trouble, "" when there is none */
};

struct results;

struct results *results_new(void); /* NULL: out of memory */
void results_free(struct results *);
void results_publish(struct results *, const struct results_view *);
void results_read(struct results *, struct results_view *);

/* NULL, or why the grand total cannot be answered, or why the replica is not healthy. Borrowed:
 * from the view, or for ever. */
const char *results_unknown(const struct results_view *, struct mono now);
const char *results_unhealthy(const struct results_view *, struct mono now);

#endif
