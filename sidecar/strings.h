/*
 * strings.h -- texts that live longer than the event they came in: definitions of STRING, names of
 * open spans.
 *
 * A string is a number, counted by references: a definition outlives its connection for the spans
 * that still use it. Definitions of all connections take at most LIMIT_STRING_BYTES. A text that
 * only an open span holds is outside that bound, and always has room: there are at most two for
 * each of LIMIT_OPEN_SPANS. Pure.
 */
#ifndef STRINGS_H
#define STRINGS_H

#include "limits.h"
#include "pool.h"
#include "protocol/wire.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct topic;

struct string {
	uint32_t refs;
	uint32_t hash; /* seeded, of the text: for tables of attribute keys */
	struct topic
	    *topic; /* the meter's, of the service that uses this string; NULL: not asked yet */
	uint8_t len;
	bool defined; /* counts against LIMIT_STRING_BYTES */
	bool torn;    /* cut, where no entry of a tracestate would end */
	char s[];
};

/* Strings of one size class; a number is its class and its place there. */
enum { STRINGS_CLASSES = 4, STRINGS_CLASS_SHIFT = 28 };

struct strings {
	struct pool classes[STRINGS_CLASSES];
	uint64_t seed;
	uint64_t defined; /* bytes that definitions take */
};

/* The definitions of one connection: WIRE_STRING_IDS numbers, 0 where none is. */
struct definitions {
	uint32_t *at; /* borrowed, zeroed */
	uint32_t end; /* above every id that is defined */
};

size_t strings_bytes(void); /* to reserve; zeroed, touched only when used */
void strings_init(struct strings *, void *mem, uint64_t hash_seed);

/* A string of at most WIRE_TEXT_MAX bytes, copied, and one reference to it. Never 0 within what
 * strings.h promises. */
uint32_t strings_add(struct strings *, struct text);
/* 0 is a no-op. The text may still be read until the next string is made. */
void strings_drop(struct strings *, uint32_t number);

enum define_outcome { DEFINE_OK, DEFINE_OTHER_TEXT, DEFINE_FULL };

/* id below WIRE_STRING_IDS; text cut and cleaned. The same text again is OK and changes nothing. */
enum define_outcome
strings_define(struct strings *, struct definitions *, uint32_t id, struct text);
/* Forget them all: the connection ended. */
void strings_forget(struct strings *, struct definitions *);

uint32_t strings_hash(const struct strings *, struct text);

static inline struct string *
strings_at(const struct strings *s, uint32_t number)
{
	return pool_at(&s->classes[number >> STRINGS_CLASS_SHIFT],
	    number & ((UINT32_C(1) << STRINGS_CLASS_SHIFT) - 1));
}

static inline void
strings_hold(struct strings *s, uint32_t number)
{
	strings_at(s, number)->refs++;
}

static inline struct text
strings_text(const struct strings *s, uint32_t number)
{
	const struct string *it = strings_at(s, number);

	return (struct text){ it->s, it->len };
}

/* The string of an id, 0 when it is not defined. */
static inline uint32_t
strings_find(const struct definitions *d, uint32_t id)
{
	return id < d->end ? d->at[id] : 0;
}

#endif
