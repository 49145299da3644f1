/*
 * lag.h -- how far behind its log an owned partition is, and since when. Pure.
 *
 * The end of the log is the high watermark that came with the last fetch: a number this process has
 * already, not a question to the broker. Until the first delivery that number may be from an
 * earlier time when the partition was ours, so the end read on taking the partition stands in for
 * it.
 */
#ifndef LAG_H
#define LAG_H

#include "base/clock.h"

#include <stdbool.h>

struct lag {
	int64_t end;          /* of the log, as far as known */
	int64_t position;     /* all before it was read, or is nothing to read: control records */
	struct wall produced; /* of the last message read that said so; 0: none yet */
	bool fresh; /* something was delivered: watermarks with fetches are of this assignment */
};

struct lag_report {
	int64_t messages;
	struct wall as_of; /* everything produced before it was consumed; 0: not known */
};

/* Reading starts at `position`; the log ends at `end`. */
void lag_start(struct lag *, int64_t position, int64_t end);
/* A message was read; produced 0: it does not say. */
void lag_read(struct lag *, int64_t offset, struct wall produced);
/* A poll found the partition at its end, which is at this offset. */
void lag_at_end(struct lag *, int64_t offset);

/* watermark: the cached one, < 0 when there is none. answered: when the broker last proved to be
 * there; with it a partition at its end has consumed everything up to that instant (an idle broker
 * and a dead one both deliver nothing). */
struct lag_report lag_report(struct lag *, int64_t watermark, struct wall answered);

#endif
