/*
 * attr.h -- attributes from the wire -> OTLP KeyValues, cleaned, cut, counted, the last of equal
 * keys winning.
 *
 * The bytes are those that protobuf-c would write for repeated KeyValue, each with the tag of the
 * field it will stand in, so that all who pass them on only copy. Pure.
 */
#ifndef ATTR_H
#define ATTR_H

#include "event.h"
#include "strings.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

/* The field of which message: its tag is one byte. */
enum attr_tag {
	ATTR_OF_RESOURCE = 0x0a,
	ATTR_OF_EVENT = 0x1a,
	ATTR_OF_LINK = 0x22,
	ATTR_OF_SPAN = 0x4a
};

/* What was done to the texts and attributes of one event, to be counted if it is accepted. */
struct tally {
	uint32_t text_cut, text_cleaned;
	uint32_t attr_invalid, attr_over_limit, attr_store_full;
};

struct attr {
	uint32_t hash;     /* strings_hash() of the key */
	uint32_t at, size; /* in bytes, with its tag */
	uint32_t key;      /* its place in bytes */
	uint32_t key_len;
};

/* Those of one event. A byte on the wire gives at most 13 here (a small negative integer in an
 * array), and up to 128 keys of one byte (an id) may give 255: 16,384 * 13 + 128 * 271 is less than
 * ATTRS_BYTES. */
enum { ATTRS_BYTES = 256 << 10 };
struct attrs {
	uint8_t *bytes; /* borrowed, cap of them */
	uint32_t cap, len;
	enum attr_tag tag;
	uint32_t n, dropped;
	struct attr at[WIRE_ATTRS_MAX];
};

void attrs_init(struct attrs *, void *mem, uint32_t cap);
/* Forget what is there. */
void attrs_begin(struct attrs *, enum attr_tag);

/* Whose definitions the ids of keys are. definitions NULL: there are none. */
struct attr_names {
	const struct strings *strings;
	const struct definitions *definitions;
};

/* Add a map's pairs; bag.items NULL: none. False: a key's id is not defined. */
bool attrs_read(struct attrs *, struct attr_names, const struct bag *, struct tally *);
/* Add one: value as decode found it, key clean and cut. */
void
attrs_put(struct attrs *, struct text key, uint32_t hash, const uint8_t *value, struct tally *);
/* Add one that is a KeyValue already: with its length in front, without a tag. False: no room. */
bool attrs_copy(struct attrs *, struct text key, uint32_t hash, struct text keyvalue);
/* NULL: not there. */
const struct attr *attrs_find(const struct attrs *, struct text key, uint32_t hash);

/* Text of the wire within a limit: the bytes themselves, or a cleaned copy in room (limit bytes).
 */
struct text attr_text(const char *, uint32_t n, uint32_t limit, char *room, struct tally *);

/* Add them to stats. */
void tally_count(const struct tally *);

#endif
