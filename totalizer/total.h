/*
 * total.h -- a signed sum of 128 bits, exact. Pure.
 *
 * Sums of int64 cannot reach the end of it: 2^63 messages of 2^63 each need 127 bits.
 */
#ifndef TOTAL_H
#define TOTAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct total { /* two's complement: hi * 2^64 + lo */
	int64_t hi;
	uint64_t lo;
};

enum { TOTAL_TEXT = 41 }; /* "-170141183460469231731687303715884105728" and its NUL */

struct total total_of(int64_t);
bool total_equal(struct total, struct total);

/* false, and *sum unchanged, when the result needs more than 128 bits. */
bool total_add(struct total *sum, struct total);

/* Decimal; returns the length without the NUL. */
size_t total_format(struct total, char out[TOTAL_TEXT]);

/* Only what total_format() writes: no plus sign, no leading zeros, no "-0", nothing around it. */
bool total_parse(struct total *, const char *text, size_t len);

#endif
