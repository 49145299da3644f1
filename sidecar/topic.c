#include "topic.h"

#include "hash.h"

/* The longest name of what topics have, and labels but for the topic's name. */
enum {
	NAME = sizeof("kafka_message_delivery_latency") - 1,
	LABELS = sizeof("topic=\"\",partition=\"4294967295\",") - 1
};

size_t
topics_bytes(void)
{
	return POOL_BYTES(sizeof(struct topic), TOPIC_MAX);
}

void
topics_init(struct topics *t, void *mem, struct series_store *series, uint64_t hash_seed)
{
	t->series = series;
	t->seed = hash_seed;
	pool_init(&t->pool, mem, sizeof(struct topic), TOPIC_MAX);
}

struct text
topic_name(const struct topics *t, const struct topic *it)
{
	return (struct text){ .s = shelf_at(&t->series->shelf, it->place), .len = it->name_len };
}

void
topic_labels(const struct topics *t, const struct topic *it, struct labels *labels)
{
	if (it->overflow)
		labels_put_form(labels, series_overflow_key, series_overflow_attrs);
	else
		labels_put_text(labels, TEXT("topic"), TEXT("topic"), topic_name(t, it));
}

static struct topic *
add(struct topics *t, const struct service *of, struct text name, uint64_t hash)
{
	uint32_t line = series_line(NAME, of) + LABELS + text_escaped_len(name);
	uint32_t service = of->number, place, number;
	struct topic *it;

	if (t->of[service].n >= LIMIT_TOPICS)
		return NULL;
	place = shelf_take(&t->series->shelf, name.len);
	if (place == 0)
		return NULL;
	if (!series_charge(t->series, TOPIC_SERIES, TOPIC_SERIES * line)) {
		shelf_give(&t->series->shelf, place, name.len);
		return NULL;
	}
	number = pool_take(&t->pool);
	it = pool_at(&t->pool, number);
	*it = (struct topic){ .service = service,
		.hash = hash,
		.number = number,
		.place = place,
		.name_len = name.len,
		.line = line };
	memcpy(shelf_at(&t->series->shelf, place), name.s, name.len);
	if (t->of[service].last != 0)
		topic_at(t, t->of[service].last)->next = number;
	else
		t->of[service].first = number;
	t->of[service].last = number;
	t->of[service].n++;
	return it;
}

struct topic *
topic_get(struct topics *t, const struct service *of, struct text name)
{
	uint32_t service = of->number;
	uint64_t hash = hash_bytes(t->seed ^ service, name.s, name.len);
	uint32_t *bucket = &t->buckets[hash % TOPIC_BUCKETS];
	struct topic *it;

	for (it = topic_at(t, *bucket); it != NULL; it = topic_at(t, it->chain))
		if (it->hash == hash && it->service == service &&
		    text_same(topic_name(t, it), name))
			return it;
	it = add(t, of, name, hash);
	if (it == NULL) {
		it = &t->of[service].overflow;
		it->overflow = true;
		it->service = service;
		return it;
	}
	it->chain = *bucket;
	*bucket = it->number;
	return it;
}
