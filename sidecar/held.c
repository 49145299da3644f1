#include "held.h"

size_t
held_bytes(void)
{
	return POOL_BYTES(sizeof(struct held), LIMIT_HELD);
}

void
held_init(struct held_store *h, void *mem, struct series_store *series)
{
	h->series = series;
	pool_init(&h->pool, mem, sizeof(struct held), LIMIT_HELD);
}

struct held *
held_get(struct held_store *h, struct series *series, uint64_t owner)
{
	struct held **link = &series->value.held;
	struct held *it;
	uint32_t number;

	while (*link != NULL && (*link)->owned.owner != owner)
		link = &(*link)->next;
	it = *link;
	if (it != NULL) {
		*link = it->next;
	} else {
		number = pool_take(&h->pool);
		if (number == 0)
			return NULL;
		it = pool_at(&h->pool, number);
		*it = (struct held){ .series = series, .number = number };
		owned_join(&h->owners, &it->owned, owner);
	}
	it->next = series->value.held;
	series->value.held = it;
	return it;
}

void
held_drop_unused(struct held_store *h, struct series *series)
{
	if (series->value.held == NULL)
		series_remove(h->series, series);
}

void
held_owner_gone(struct held_store *h, uint64_t owner)
{
	struct owned *next;

	for (struct owned *o = owned_first(&h->owners, owner); o != NULL; o = next) {
		struct held *it = (struct held *)o;
		struct held **link = &it->series->value.held;

		next = owned_from(o->next, owner);
		while (*link != it)
			link = &(*link)->next;
		*link = it->next;
		owned_leave(o);
		held_drop_unused(h, it->series);
		pool_give(&h->pool, it->number);
	}
}

double
held_last(const struct series *series)
{
	return total_value(&series->value.held->total);
}

double
held_sum(const struct series *series)
{
	struct total sum = { .sum = 0 };

	for (const struct held *it = series->value.held; it != NULL; it = it->next)
		total_add(&sum, total_value(&it->total));
	return total_value(&sum);
}
