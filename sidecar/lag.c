#include "lag.h"

#include "hash.h"
#include "stat.h"

size_t
lags_bytes(void)
{
	return POOL_BYTES(sizeof(struct lag), LAG_MAX);
}

void
lags_init(struct lags *l, void *mem, struct topics *topics)
{
	l->topics = topics;
	pool_init(&l->pool, mem, sizeof(struct lag), LAG_MAX);
}

static uint32_t *
bucket_of(struct lags *l, const struct topic *topic, uint32_t partition)
{
	uint64_t key = (uint64_t)topic->number << 32 | partition;

	return &l->buckets[hash_bytes(l->topics->seed, &key, sizeof(key)) % LAG_BUCKETS];
}

static struct lag *
find(struct lags *l, const struct topic *topic, uint32_t partition)
{
	struct lag *it = lag_at(l, *bucket_of(l, topic, partition));

	while (it != NULL && (it->topic != topic->number || it->partition != partition))
		it = lag_at(l, it->chain);
	return it;
}

static struct lag *
add(struct lags *l, struct topic *topic, uint32_t partition)
{
	uint32_t *link = &topic->lags, *bucket = bucket_of(l, topic, partition);
	uint32_t number;
	struct lag *it;

	if (topic->overflow || topic->nlags >= LIMIT_PARTITIONS ||
	    !series_charge(l->topics->series, LAG_SERIES, LAG_SERIES * topic->line))
		return NULL;
	while (*link != 0 && lag_at(l, *link)->partition < partition)
		link = &lag_at(l, *link)->next;
	number = pool_take(&l->pool);
	it = pool_at(&l->pool, number);
	*it = (struct lag){ .number = number,
		.topic = topic->number,
		.partition = partition,
		.chain = *bucket,
		.next = *link };
	*bucket = *link = number;
	topic->nlags++;
	stats.series += LAG_SERIES;
	return it;
}

static void
drop(struct lags *l, struct lag *it)
{
	struct topic *topic = topic_at(l->topics, it->topic);
	uint32_t *link = &topic->lags, *chain = bucket_of(l, topic, it->partition);

	while (*link != it->number)
		link = &lag_at(l, *link)->next;
	*link = it->next;
	while (*chain != it->number)
		chain = &lag_at(l, *chain)->chain;
	*chain = it->chain;
	stats.series -= lag_dead(it) ? LAG_SERIES - 1 : LAG_SERIES;
	owned_leave(&it->owned);
	topic->nlags--;
	series_release(l->topics->series, LAG_SERIES, LAG_SERIES * topic->line);
	pool_give(&l->pool, it->number);
}

bool
lag_report(struct lags *l, struct topic *topic, uint32_t partition, uint64_t messages,
    const uint64_t *age, uint64_t owner, struct mono now)
{
	struct lag *it = find(l, topic, partition);

	if (it == NULL) {
		it = add(l, topic, partition);
		if (it == NULL)
			return false;
		it->origin = (int64_t)now.ns;
	} else {
		stats.series += lag_dead(it);
		owned_leave(&it->owned);
	}
	owned_join(&l->owners, &it->owned, owner);
	it->messages = messages;
	if (age != NULL)
		it->origin = (int64_t)(now.ns - *age);
	return true;
}

void
lag_revoke(struct lags *l, struct topic *topic, uint32_t partition, uint64_t owner)
{
	struct lag *it = find(l, topic, partition);

	if (it != NULL && (lag_dead(it) || it->owned.owner == owner))
		drop(l, it);
}

void
lag_owner_gone(struct lags *l, uint64_t owner, bool bye, struct mono now)
{
	struct owned *next;

	for (struct owned *o = owned_first(&l->owners, owner); o != NULL; o = next) {
		struct lag *it = (struct lag *)o;

		next = owned_from(o->next, owner);
		if (bye) {
			drop(l, it);
			continue;
		}
		it->died = now;
		owned_leave(o);
		owned_join(&l->owners, o, 0);
		stats.series--;
	}
}

void
lag_expire(struct lags *l, struct mono now)
{
	struct owned *next;

	for (struct owned *o = owned_first(&l->owners, 0); o != NULL; o = next) {
		struct lag *it = (struct lag *)o;

		next = owned_from(o->next, 0);
		if (now.ns - it->died.ns >= LIMIT_DEAD_LAG_SECONDS * CLOCK_SECOND)
			drop(l, it);
	}
}

double
lag_age(const struct lag *it, struct mono now)
{
	int64_t age = (int64_t)now.ns - it->origin;

	return age > 0 ? (double)age / (double)CLOCK_SECOND : 0;
}
