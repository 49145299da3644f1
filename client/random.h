/*
 * random.h -- random numbers for trace and span ids: xoshiro256++, one state a thread.
 *
 * Ids need to be unique, not secret.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

struct random {
	uint64_t s[4]; /* never all zero once seeded */
};

/* From getrandom(); never waits for the kernel to have gathered entropy. */
void random_seed(struct random *);

static inline uint64_t
random_rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t
random_next(struct random *r)
{
	uint64_t *s = r->s;
	uint64_t out = random_rotl(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = random_rotl(s[3], 45);
	return out;
}

/* A span's id and a trace's two halves: three words for the price of one step. The first is what
 * random_next() returns, made of s[0] and s[3]; the others are s[1] and s[2] through the scrambler
 * of xoshiro256**. The state is uniform over 256 bits, so the three are uniform and independent. */
static inline void
random_ids(struct random *r, uint64_t ids[3])
{
	ids[1] = random_rotl(r->s[1] * 5, 7) * 9;
	ids[2] = random_rotl(r->s[2] * 5, 7) * 9;
	ids[0] = random_next(r);
}

#endif
