#include "account.h"

void
account_taken(const struct batch *b, uint64_t rejected)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct ledger *l = &b->shares[i].service->ledger;
		uint64_t n = b->shares[i].spans, no = rejected < n ? rejected : n;

		/* The Collector does not say whose spans it refused; the sum is right. */
		l->pending -= n;
		l->acknowledged += n - no;
		l->dropped_rejected += no;
		rejected -= no;
	}
}

void
account_dropped(const struct batch *b, enum account_drop why)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct ledger *l = &b->shares[i].service->ledger;
		uint64_t n = b->shares[i].spans;

		l->pending -= n;
		switch (why) {
		case ACCOUNT_QUEUE_FULL: l->dropped_queue_full += n; break;
		case ACCOUNT_REJECTED: l->dropped_rejected += n; break;
		case ACCOUNT_TRANSPORT: l->dropped_transport += n; break;
		case ACCOUNT_SHUTDOWN: l->dropped_shutdown += n; break;
		}
	}
	if (b->signal == TARGET_METRICS)
		stats.metrics_dropped++;
}
