/*
 * varint.h -- protobuf's variable-length integers, for those who write its bytes by hand. Pure.
 */
#ifndef VARINT_H
#define VARINT_H

#include "base/buf.h"

#include <stdint.h>

enum { VARINT_MAX = 10 };

/* Bytes that it takes: 1 to VARINT_MAX. */
static inline uint32_t
varint_len(uint64_t v)
{
	return (63 - (uint32_t)__builtin_clzll(v | 1)) / 7 + 1;
}

/* Write it and return what stands after it. */
static inline uint8_t *
varint_put(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* Behind what the buffer holds. */
static inline void
varint_append(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_put_u8(b, (uint8_t)(v | 0x80));
	buf_put_u8(b, (uint8_t)v);
}

#endif
