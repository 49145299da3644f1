/*
 * account.h -- what became of a batch, in its services' ledgers: pending turns into acknowledged or
 * dropped.
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "queue.h"

enum account_drop {
	ACCOUNT_QUEUE_FULL, /* it was the oldest when room was needed */
	ACCOUNT_REJECTED,   /* the Collector will never take it */
	ACCOUNT_TRANSPORT,  /* the connection breaks each time, for no reason that is told */
	ACCOUNT_SHUTDOWN    /* the daemon ends before the Collector took it */
};

/* rejected: how many of its items the Collector did not take. It does not say whose, so the first
 * services' count; the sum is right. */
void account_taken(const struct batch *, uint64_t rejected);
void account_dropped(const struct batch *, enum account_drop);

#endif
