/*
 * hash.h -- a seeded 64-bit hash of bytes, for tables whose keys peers choose. Pure.
 *
 * Eight bytes a step: one 64 x 64 -> 128 bit multiplication whose halves are folded. Whoever does
 * not know the seed cannot aim keys at one bucket.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 hash_wide;

static inline uint64_t
hash_fold(uint64_t a, uint64_t b)
{
	hash_wide product = (hash_wide)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t
hash_bytes(uint64_t seed, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t h =
	    seed ^ hash_fold(n ^ UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xd6e8feb86659fd93));
	uint64_t word;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = hash_fold(h ^ word, UINT64_C(0xa0761d6478bd642f));
	}
	if (n != 0) {
		word = 0;
		memcpy(&word, p, n);
		h = hash_fold(h ^ word, UINT64_C(0xe7037ed1a0b428db));
	}
	return hash_fold(h ^ seed, UINT64_C(0x8ebc6af09c88c6e3));
}

#endif
