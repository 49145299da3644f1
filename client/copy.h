/*
 * copy.h -- memcpy() for what is mostly short: texts and attributes of some ten bytes.
 *
 * In two overlapping pieces, without a call: that alone would cost more than all else of an attribute.
 */
#ifndef COPY_H
#define COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void
copy_pieces(uint8_t *to, const uint8_t *from, size_t n, size_t piece)
{
	uint8_t a[32], b[32];

	memcpy(a, from, piece);
	memcpy(b, from + n - piece, piece);
	memcpy(to, a, piece);
	memcpy(to + n - piece, b, piece);
}

static inline void
copy_short(uint8_t *to, const void *from, size_t n)
{
	const uint8_t *s = from;

	if (n > 64) {
		memcpy(to, s, n);
	} else if (n >= 32) {
		copy_pieces(to, s, n, 32);
	} else if (n >= 16) {
		copy_pieces(to, s, n, 16);
	} else if (n >= 8) {
		copy_pieces(to, s, n, 8);
	} else if (n >= 4) {
		copy_pieces(to, s, n, 4);
	} else if (n > 0) {
		to[0] = s[0];
		to[n / 2] = s[n / 2];
		to[n - 1] = s[n - 1];
	}
}

#endif
