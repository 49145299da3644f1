#include "backoff.h"

uint64_t
backoff_fail(struct backoff *b, uint64_t asked, uint32_t random)
{
	uint64_t most = b->most != 0 ? b->most : BACKOFF_MOST;
	uint64_t wait;

	b->delay = b->delay == 0 ? BACKOFF_FIRST : b->delay + b->delay / 2;
	if (b->delay > most)
		b->delay = most;
	/* 80 % to 120 % of it */
	wait = b->delay / 5 * 4 + (uint64_t)((double)b->delay * 0.4 * random / UINT32_MAX);
	return wait > asked ? wait : asked;
}

void
backoff_well(struct backoff *b)
{
	b->delay = 0;
}
