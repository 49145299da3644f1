#include "pool.h"

#include <string.h>

void
pool_init(struct pool *p, void *mem, uint32_t size, uint32_t max)
{
	*p = (struct pool){ .base = mem, .size = size, .count = max + 1, .fresh = 1 };
}

uint32_t
pool_take(struct pool *p)
{
	uint32_t n = p->free;

	if (n != 0)
		memcpy(&p->free, pool_at(p, n), sizeof(p->free));
	else if (p->fresh < p->count)
		n = p->fresh++;
	else
		return 0;
	p->used++;
	return n;
}

void
pool_give(struct pool *p, uint32_t n)
{
	memcpy(pool_at(p, n), &p->free, sizeof(p->free));
	p->free = n;
	p->used--;
}
