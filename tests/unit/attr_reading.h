/*
 * attr_reading.h -- attributes of the wire read into one struct attrs, for tests of them.
 */
#ifndef ATTR_READING_H
#define ATTR_READING_H

#include "sidecar/attr.h"

#include "guard.h"
#include "packer.h"

#include "otlp.pb-c.h"

#include <cmocka.h>

static struct strings strings;
static struct definitions definitions;
static struct attrs attrs;
static struct tally tally;

static inline int
reading_open(void **state)
{
	static uint32_t ids[WIRE_STRING_IDS];
	void *mem = mmap(NULL, strings_bytes(), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)state;
	strings_init(&strings, mem, 99);
	definitions.at = ids;
	strings_define(&strings, &definitions, 7, TEXT("seven"));
	attrs_init(&attrs, malloc(ATTRS_BYTES), ATTRS_BYTES);
	return 0;
}

/* Read a map of n pairs from memory that ends where the pairs do. */
static inline bool
read_pairs(const struct packer *p, uint32_t n, enum attr_tag tag)
{
	uint8_t *guarded = guard_copy(p->bytes, p->n);
	bool known;

	tally = (struct tally){ .text_cut = 0 };
	attrs_begin(&attrs, tag);
	known = attrs_read(&attrs, (struct attr_names){ &strings, &definitions },
	    &(struct bag){ guarded, n }, &tally);
	guard_free(guarded, p->n);
	return known;
}

/* The span that has just these attributes, as protobuf-c reads it. */
static inline Otlp__Span *
unpacked(void)
{
	Otlp__Span *span = otlp__span__unpack(NULL, attrs.len, attrs.bytes);

	assert_non_null(span);
	assert_int_equal(span->n_attributes, attrs.n);
	return span;
}

#endif
