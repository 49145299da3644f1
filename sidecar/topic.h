/*
 * topic.h -- the topics of every service, each with its four metrics in place. Pure.
 *
 * Whoever holds a pointer to a topic counts a message with one addition; a topic lives for ever.
 * Past LIMIT_TOPICS of a service, or when all series are used up, the rest of its topics are one:
 * its overflow topic.
 */
#ifndef TOPIC_H
#define TOPIC_H

#include "hist.h"
#include "labels.h"
#include "limits.h"
#include "pool.h"
#include "series.h"

struct topic {
	uint64_t produced, consumed;
	struct hist latency;
	uint64_t skewed;
	bool measured; /* there was a latency; the other series are shown when they are not 0 */
	bool overflow;
	uint32_t service;
	uint64_t hash;
	uint32_t number; /* 0: an overflow topic */
	uint32_t chain;
	uint32_t next; /* of the same service, in order of appearance */
	uint32_t lags; /* the first of its partitions with a lag, by partition */
	uint32_t nlags;
	uint32_t place; /* its name on the shelf */
	uint32_t name_len;
	uint32_t line; /* bytes at most of a line on /metrics, labels included, of a lag too */
};

enum {
	TOPIC_LATENCY = 15,               /* series of its histogram */
	TOPIC_SERIES = 3 + TOPIC_LATENCY, /* that a topic is charged with */
	TOPIC_MAX = LIMIT_SERIES / TOPIC_SERIES,
	TOPIC_BUCKETS = 1 << 15
};

struct topics {
	struct series_store *series;
	uint64_t seed;
	struct pool pool;
	struct {
		uint32_t first, last, n;
		struct topic overflow;
	} of[LIMIT_SERVICES];
	uint32_t buckets[TOPIC_BUCKETS];
};

size_t topics_bytes(void); /* beside struct topics; zeroed, touched only when used */
void topics_init(struct topics *, void *mem, struct series_store *, uint64_t hash_seed);

/* Find or add; else the service's overflow topic. */
struct topic *topic_get(struct topics *, const struct service *, struct text name);

struct text topic_name(const struct topics *, const struct topic *);

/* The labels of its series: topic, or otel_metric_overflow. */
void topic_labels(const struct topics *, const struct topic *, struct labels *);

static inline struct topic *
topic_at(const struct topics *t, uint32_t number)
{
	return number == 0 ? NULL : pool_at(&t->pool, number);
}

#endif
