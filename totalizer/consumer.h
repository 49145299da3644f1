/*
 * consumer.h -- the Kafka side: one thread that joins the group, adds up, commits, and keeps the
 * results fresh.
 *
 * It commits after 200 ms or 1,000 messages, and reads what the whole group has committed four
 * times a second. The broker's absence is waited for. What would make the total wrong ends the
 * replica: see enum replica_end.
 */
#ifndef CONSUMER_H
#define CONSUMER_H

#include "config.h"
#include "replica.h"

#include <stddef.h>

struct consumer;

/* Start the thread. Everything is borrowed until consumer_join(). ended(arg) is called once, from
 * the Kafka thread, as its last deed: after consumer_stop(), or because it cannot go on. NULL:
 * *error says why. */
struct consumer *consumer_open(const struct config *, struct results *, struct sidecar *,
    void (*ended)(void *arg), void *arg, char *error, size_t errlen);

/* Only look at the Kafka properties: false, and *error names the wrong one. */
bool consumer_valid(const struct config *, char *error, size_t errlen);

/* Ask it to commit, leave the group and end. May be called again, from any thread. */
void consumer_stop(struct consumer *);

/* Wait for the thread's end, free everything. */
enum replica_end consumer_join(struct consumer *);

#endif
