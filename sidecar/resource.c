#include "resource.h"

#include "hash.h"

#include <string.h>

size_t
resources_bytes(void)
{
	return POOL_BYTES(LIMIT_RESOURCE_BYTES, LIMIT_RESOURCES);
}

void
resources_init(struct resources *r, void *mem, uint64_t hash_seed)
{
	*r = (struct resources){ .seed = hash_seed };
	pool_init(&r->pool, mem, LIMIT_RESOURCE_BYTES, LIMIT_RESOURCES);
}

struct resource *
resource_get(struct resources *r, struct service *service, const void *bytes, size_t len)
{
	if (len > RESOURCE_MOST)
		return NULL;

	uint64_t h = hash_bytes(r->seed ^ service->number, bytes, len);
	uint32_t *bucket = &r->buckets[h % RESOURCE_BUCKETS];
	struct resource *it;

	for (uint32_t n = *bucket; n != 0; n = it->next) {
		it = pool_at(&r->pool, n);
		if (it->hash == h && it->service == service && it->len == len &&
		    memcmp(it->bytes, bytes, len) == 0) {
			it->refs++;
			return it;
		}
	}

	uint32_t number = pool_take(&r->pool);

	if (number == 0)
		return NULL;
	it = pool_at(&r->pool, number);
	*it = (struct resource){ .number = number,
		.refs = 1,
		.next = *bucket,
		.len = (uint32_t)len,
		.service = service,
		.hash = h };
	memcpy(it->bytes, bytes, len);
	*bucket = number;
	stats.resources++;
	return it;
}

void
resource_hold(struct resource *it)
{
	it->refs++;
}

void
resource_drop(struct resources *r, struct resource *it)
{
	if (it == NULL || --it->refs != 0)
		return;

	uint32_t *link = &r->buckets[it->hash % RESOURCE_BUCKETS];

	while (*link != it->number)
		link = &((struct resource *)pool_at(&r->pool, *link))->next;
	*link = it->next;
	pool_give(&r->pool, it->number);
	stats.resources--;
}
