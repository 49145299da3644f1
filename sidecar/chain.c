#include "chain.h"

#include "stat.h"

#include <string.h>

struct block {
	uint32_t next; /* first: the pool writes here when the block is free */
	uint8_t bytes[CHAIN_BYTES];
};

_Static_assert(sizeof(struct block) == CHAIN_BLOCK, "a block has no holes");

static void
count(const struct pool *blocks)
{
	stats.attribute_bytes = (uint64_t)blocks->used * CHAIN_BLOCK;
}

/* Bytes in the tail: 0 only when the chain is empty. */
static uint32_t
filled(const struct chain *c)
{
	return c->len == 0 ? 0 : (c->len - 1) % CHAIN_BYTES + 1;
}

static uint32_t
blocks_of(uint32_t len)
{
	return (len + CHAIN_BYTES - 1) / CHAIN_BYTES;
}

bool
chain_fits(const struct pool *blocks, const struct chain *c, uint32_t n)
{
	return blocks_of(c->len + n) - blocks_of(c->len) <= blocks->count - 1 - blocks->used;
}

static struct block *
grow(struct pool *blocks, struct chain *c)
{
	uint32_t number = pool_take(blocks);
	struct block *fresh = pool_at(blocks, number);

	fresh->next = 0;
	if (c->head == 0)
		c->head = number;
	else
		((struct block *)pool_at(blocks, c->tail))->next = number;
	c->tail = number;
	return fresh;
}

void
chain_append(struct pool *blocks, struct chain *c, const void *bytes, uint32_t n)
{
	const uint8_t *from = bytes;

	while (n != 0) {
		uint32_t at = filled(c), part;
		struct block *tail;

		if (c->len == 0 || at == CHAIN_BYTES) {
			tail = grow(blocks, c);
			at = 0;
		} else {
			tail = pool_at(blocks, c->tail);
		}
		part = CHAIN_BYTES - at < n ? CHAIN_BYTES - at : n;
		/* Not memcpy(): gcc knows that part is small and writes rep movs, which takes 30 ns
		 * to begin. */
		memmove(tail->bytes + at, from, part);
		from += part;
		n -= part;
		c->len += part;
	}
	count(blocks);
}

static void
free_from(struct pool *blocks, uint32_t number)
{
	while (number != 0) {
		uint32_t next = ((struct block *)pool_at(blocks, number))->next;

		pool_give(blocks, number);
		number = next;
	}
	count(blocks);
}

void
chain_free(struct pool *blocks, struct chain *c)
{
	free_from(blocks, c->head);
	*c = (struct chain){ .head = 0 };
}

struct chain_place
chain_begin(const struct chain *c)
{
	return (struct chain_place){ .block = c->head };
}

/* The next bytes in one piece, at most n of them, and go on behind them. */
static uint8_t *
piece(const struct pool *blocks, struct chain_place *place, uint32_t *n)
{
	struct block *b = pool_at(blocks, place->block);
	uint8_t *bytes;

	if (place->at == CHAIN_BYTES) {
		*place = (struct chain_place){ .block = b->next };
		b = pool_at(blocks, place->block);
	}
	if (*n > CHAIN_BYTES - place->at)
		*n = CHAIN_BYTES - place->at;
	bytes = b->bytes + place->at;
	place->at += *n;
	return bytes;
}

void
chain_read(const struct pool *blocks, struct chain_place *place, void *to, uint32_t n)
{
	uint8_t *out = to;

	while (n != 0) {
		uint32_t part = n;
		const uint8_t *from = piece(blocks, place, &part);

		if (out != NULL) {
			memcpy(out, from, part);
			out += part;
		}
		n -= part;
	}
}

void
chain_cut(struct pool *blocks, struct chain *c, uint32_t at, struct chain_place to, uint32_t n)
{
	struct chain_place from = to;
	uint32_t left = c->len - at - n;

	chain_read(blocks, &from, NULL, n);
	while (left != 0) {
		uint8_t copy[CHAIN_BYTES];
		uint32_t part = left < CHAIN_BYTES ? left : CHAIN_BYTES, done = 0;

		chain_read(blocks, &from, copy, part);
		while (done < part) {
			uint32_t some = part - done;
			uint8_t *there = piece(blocks, &to, &some);

			memcpy(there, copy + done, some);
			done += some;
		}
		left -= part;
	}
	c->len -= n;
	if (c->len == 0) {
		chain_free(blocks, c);
	} else {
		struct block *last = pool_at(blocks, to.block);

		free_from(blocks, last->next);
		last->next = 0;
		c->tail = to.block;
	}
}
