/*
 * sum.h -- SumNumbers: add, publish, answer when the broker has it; with its two spans.
 *
 *	caller ──▶ start ─ message ──▶ producer_send ┄┄▶ settled ──▶ answer
 *	             ╰── server span ──────────────────────────────────╯
 *	                     ╰── span "send <topic>" ────────╯
 *
 * A call is answered once, by whichever comes first: the acknowledgement (OK), its failure
 * (UNAVAILABLE), or the caller going away (CANCELLED, DEADLINE_EXCEEDED), which does not take the
 * message back. Nothing here waits.
 */
#ifndef SUM_H
#define SUM_H

#include <stdint.h>

struct producer;
struct producer_receipt;
struct server_method;
struct sidecar;
struct sum;

struct sum_totals { /* answers since the start, by kind */
	uint64_t ok;
	uint64_t refused;     /* RESOURCE_EXHAUSTED: max_calls were under way, or too large */
	uint64_t rejected;    /* OUT_OF_RANGE and unreadable requests */
	uint64_t unavailable; /* not ready, or Kafka failed */
	uint64_t gone;        /* cancelled, deadline, connection lost */
	uint64_t late;        /* of these: stored all the same, after the answer */
};

/* topic: borrowed for its life. max_calls: how many may be under way, a call counting until its
 * message is settled, even when its caller has gone. sidecar: may be NULL. NULL: out of memory. */
struct sum *sum_open(struct sidecar *, const char *topic, uint32_t max_calls);
/* Before the server opens; `sum_settled` is that producer's callback. */
void sum_set_producer(struct sum *, struct producer *);
void sum_settled(void *message_arg, const struct producer_receipt *);
void sum_method(struct sum *, struct server_method *out);
void sum_count(const struct sum *, struct sum_totals *);
/* When no call is left and the producer is closed. NULL is a no-op. */
void sum_close(struct sum *);

#endif
