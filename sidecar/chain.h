/*
 * chain.h -- byte strings that grow, in blocks of equal size: what open spans have collected. Pure.
 *
 *	chain -> [next|bytes] -> [next|bytes] -> [0|bytes....]
 *	          full            full            the tail
 */
#ifndef CHAIN_H
#define CHAIN_H

#include "pool.h"

#include <stdbool.h>
#include <stdint.h>

enum { CHAIN_BLOCK = 128, CHAIN_BYTES = CHAIN_BLOCK - sizeof(uint32_t) };

/* All zero: empty. */
struct chain {
	uint32_t head, tail; /* blocks, 0 when empty */
	uint32_t len;        /* bytes */
};

/* A place to read from; lives until the chain changes. */
struct chain_place {
	uint32_t block;
	uint32_t at; /* in the block; CHAIN_BYTES: the next block's first */
};

/* Whether n more bytes would find blocks. */
bool chain_fits(const struct pool *blocks, const struct chain *, uint32_t n);
/* They fit: the caller asked. */
void chain_append(struct pool *blocks, struct chain *, const void *, uint32_t n);
/* Take n bytes out, from offset at on; place stands there. */
void chain_cut(struct pool *blocks, struct chain *, uint32_t at, struct chain_place, uint32_t n);
void chain_free(struct pool *blocks, struct chain *);

struct chain_place chain_begin(const struct chain *);
/* Copy n bytes and go on behind them; to NULL: only go on. */
void chain_read(const struct pool *blocks, struct chain_place *, void *to, uint32_t n);

#endif
