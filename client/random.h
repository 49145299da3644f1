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

/* An id is not zero. */
static inline uint64_t
random_id(struct random *r)
{
	uint64_t id = random_next(r);

	return id != 0 ? id : 1;
}

#endif
