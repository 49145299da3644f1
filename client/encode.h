/*
 * encode.h -- MessagePack in the protocol's canonical layout: shortest forms, big-endian.
 *
 * Each function writes at p and returns the byte after what it wrote. The caller has made room:
 * 9 bytes for a number or an id, ENCODE_TEXT for a text. Only encode_attrs() and
 * encode_str(), whose size the user chooses, look at an end.
 */
#ifndef ENCODE_H
#define ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "intern.h"
#include "protocol/wire.h"
#include "sidecar.h"

enum { ENCODE_TEXT = 2 + WIRE_TEXT_MAX }; /* a str of at most 255 bytes with its head */

/* The first attributes of a span in wire form, as struct sidecar_span keeps them. */
struct encode_kept {
	size_t room;    /* in: bytes that can be kept */
	size_t size;    /* out: bytes of the whole pairs that fit, from the first pair on */
	uint32_t attrs; /* out: their number */
};

static inline uint8_t *
encode_byte(uint8_t *p, unsigned v)
{
	*p = (uint8_t)v;
	return p + 1;
}

static inline uint8_t *
encode_nil(uint8_t *p)
{
	return encode_byte(p, 0xc0);
}

static inline uint8_t *
encode_be64(uint8_t *p, unsigned head, uint64_t v)
{
	*p = (uint8_t)head;
	v = __builtin_bswap64(v); /* little-endian hosts; encode.c refuses to compile elsewhere */
	memcpy(p + 1, &v, 8);
	return p + 9;
}

/* Numbers above 2^32, as every time now is, take the short way. */
uint8_t *encode_uint_short(uint8_t *p, uint64_t v);

static inline uint8_t *
encode_uint(uint8_t *p, uint64_t v)
{
	return v >> 32 ? encode_be64(p, 0xcf, v) : encode_uint_short(p, v);
}

uint8_t *encode_int(uint8_t *p, int64_t v);
uint8_t *encode_double(uint8_t *p, double v);

/* A trace id as the two words it has in memory. */
static inline uint8_t *
encode_trace_words(uint8_t *p, uint64_t high, uint64_t low)
{
	p[0] = 0xc4;
	p[1] = WIRE_TRACE_ID;
	memcpy(p + 2, &high, sizeof(high));
	memcpy(p + 10, &low, sizeof(low));
	return p + 2 + WIRE_TRACE_ID;
}

static inline uint8_t *
encode_trace_id(uint8_t *p, const uint8_t id[WIRE_TRACE_ID])
{
	uint64_t words[2];

	memcpy(words, id, sizeof(words));
	return encode_trace_words(p, words[0], words[1]);
}

static inline uint8_t *
encode_span_id(uint8_t *p, const uint8_t id[WIRE_SPAN_ID])
{
	p[0] = 0xc4;
	p[1] = WIRE_SPAN_ID;
	memcpy(p + 2, id, WIRE_SPAN_ID);
	return p + 2 + WIRE_SPAN_ID;
}

/* len bytes, or max and less so that no UTF-8 character is cut. */
size_t encode_cut(const char *s, size_t len, size_t max);
/* A str of exactly len bytes. */
uint8_t *encode_str(uint8_t *p, const char *s, size_t len);
/* A str of at most 255 bytes, cut if it must be; NULL is "". */
uint8_t *encode_inline_text(uint8_t *p, const char *s);

/* An interned text by its id, any other as a str. */
static inline uint8_t *
encode_text(uint8_t *p, const struct intern *names, const char *s)
{
	uint32_t id;

	if (!intern_known(names, s, &id))
		return encode_inline_text(p, s);
	if (id < 0x80)
		return encode_byte(p, id);
	return encode_uint_short(p, id);
}

uint8_t *encode_map_head(uint8_t *p, size_t n);
/* A map of n attributes, nil when n is 0. NULL when they would reach past end. kept may be NULL. */
uint8_t *encode_attrs(uint8_t *p, const uint8_t *end, const struct intern *,
    const struct sidecar_attr *, size_t n, struct encode_kept *kept);
/* One key and value. NULL when they would reach past end. */
uint8_t *
encode_attr(uint8_t *p, const uint8_t *end, const struct intern *, const struct sidecar_attr *);

#endif
