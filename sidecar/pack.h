/*
 * pack.h -- reads MessagePack, one token at a time, from bytes that decode has found to be a whole
 * event.
 *
 * No bounds are checked here: decode's scan did, once for all who read the event after it. Pure.
 */
#ifndef PACK_H
#define PACK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum pack_kind {
	PACK_NIL,
	PACK_BOOL,  /* u */
	PACK_UINT,  /* u: every integer format with a value >= 0 */
	PACK_INT,   /* i: below 0 */
	PACK_FLOAT, /* d */
	PACK_STR,   /* bytes, n of them */
	PACK_BIN,   /* bytes, n of them */
	PACK_EXT,   /* bytes: the type, then n - 1 */
	PACK_ARRAY, /* n items follow */
	PACK_MAP    /* n pairs follow */
};

struct pack {
	enum pack_kind kind;
	uint32_t n;
	union {
		uint64_t u;
		int64_t i;
		double d;
		const uint8_t *bytes; /* borrowed from the event */
	};
};

/* Read one token and return what stands after it: of an array or map its first item. */
const uint8_t *pack_read(const uint8_t *, struct pack *);

/* What stands after the value that begins here, with all that is in it. */
const uint8_t *pack_skip(const uint8_t *);

static inline uint16_t
pack_u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t
pack_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t
pack_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

#endif
