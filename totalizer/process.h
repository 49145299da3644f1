/*
 * process.h -- one message from bytes to the ledger, and what telemetry says of it.
 *
 * Each message gives one span "process <topic>" of kind CONSUMER, child of the producer's context
 * and linked to it, and one CONSUMED. An invalid one adds nothing to the total, but is passed all
 * the same: it is counted as the consumer error "invalid_message", its span fails, CONSUMED goes
 * without a time of production, and the log tells the first of a burst. From a message's span on,
 * what the thread logs carries its ids (log_context()).
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "ledger.h"
#include "message.h"

enum { PROCESS_KEYS = 7, PROCESS_NAME = 256 /* the longest on the wire is 255 */ };

struct process {
	struct ledger *ledger;   /* borrowed */
	struct sidecar *sidecar; /* borrowed; may be NULL */
	char name[PROCESS_NAME];
	const char *span, *topic, *invalid; /* interned, as the keys are */
	const char *keys[PROCESS_KEYS];
	const char *group;
	bool told; /* an invalid message was logged, at last_told; */
	struct mono last_told;
	uint64_t untold; /* and so many since then were not */
};

struct delivery { /* everything borrowed */
	int32_t partition;
	int64_t offset;
	const void *payload;
	size_t len;
	const char *traceparent; /* the last header of that name; NULL: none */
	size_t traceparent_len;
	struct wall at; /* as the poll returned */
	struct mono now;
};

struct process_result {
	enum message_fault fault; /* MESSAGE_NO_MEMORY: nothing was done, the message still waits */
	enum ledger_verdict verdict;
	struct wall produced; /* 0: not known */
};

/* Strings are borrowed for as long as *process is used. */
void process_init(
    struct process *, struct ledger *, struct sidecar *, const char *topic, const char *group);

/* Only for a delivery that ledger_place() calls LEDGER_NEXT. What the caller logs of the result
 * belongs to the message, too: process_done() when it is through with it. */
struct process_result process_message(struct process *, const struct delivery *);
void process_done(void);

/* Once a second: tell how many invalid messages of a burst were not logged. */
void process_tick(struct process *, struct mono now);

#endif
