/*
 * producer.h -- the Kafka side: one topic, one idempotent producer, an answer for every message.
 * librdkafka enters adder here.
 *
 * Nothing is sent before every partition of the topic has answered a query for its offsets: a
 * partition that was only just created can acknowledge a message that is not in its log (measured
 * against Apache Kafka 4.2). For the same reason a message counts as stored only when its
 * acknowledgement carries an offset.
 *
 * A broker that is absent is waited for. A fatal error of the idempotent producer (its sequence is
 * broken: what follows could be lost or doubled) is final: PRODUCER_FAILED, every message under way
 * is answered, and the program should end and be started anew.
 */
#ifndef PRODUCER_H
#define PRODUCER_H

#include <stddef.h>
#include <stdint.h>

struct option_list;
struct producer;

enum producer_state {
	PRODUCER_WAITING, /* for the topic's partitions */
	PRODUCER_READY,
	PRODUCER_FAILED /* for good */
};

struct producer_receipt {
	const char *error; /* NULL: stored; else librdkafka's name, "_MSG_TIMED_OUT", for ever */
	int32_t partition; /* < 0: none was chosen */
	int64_t offset;    /* when stored */
};

struct producer_message { /* all copied by producer_send() */
	const void *payload;
	size_t len;
	const char *key;         /* NULL: any partition */
	const char *traceparent; /* header; NULL: none */
};

struct producer_options {
	const char *brokers, *topic;        /* borrowed for the producer's life */
	const struct option_list *settings; /* the user's key=value pairs */
	/* On the producer's thread, once for every message that producer_send() took. */
	void (*settled)(void *message_arg, const struct producer_receipt *);
	/* On the producer's thread, when producer_state() has changed. */
	void (*changed)(void *arg);
	void *arg;
};

/* NULL: error (errlen bytes) names the setting, or what else is wrong. Waits for no broker. */
struct producer *producer_open(const struct producer_options *, char *error, size_t errlen);
/* Whether producer_open() would like the settings: 0, or -1 and error. Opens nothing. */
int producer_check(const struct producer_options *, char *error, size_t errlen);
/* The state, and in words what it waits for or died of ("" when ready). why may be NULL. */
enum producer_state producer_state(struct producer *, char *why, size_t size);
/* Hand a message over; never waits. NULL: taken, settled(arg) follows, perhaps before this
 * returns; else the error's name ("_QUEUE_FULL"), and nothing follows. For PRODUCER_READY only.
 * Any thread. */
const char *producer_send(struct producer *, const struct producer_message *, void *arg);
/* Give up on the messages under way: each is settled with an error. */
void producer_purge(struct producer *);
/* Wait up to grace_ms for the messages under way, give up on the rest, free. settled() has run
 * for all of them when this returns (on this thread for the last). NULL is a no-op. */
void producer_close(struct producer *, int grace_ms);

#endif
