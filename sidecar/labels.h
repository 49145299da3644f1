/*
 * labels.h -- one label set, in the two forms it is needed in. Pure.
 *
 *	key	what tells series apart: names and values as Prometheus shows them, unescaped
 *	attrs	the same as OTLP KeyValues, each with its length in front, of their own types
 *
 * Two sets of attributes that look the same to Prometheus are one series; it keeps the attributes
 * of the first. An attribute with an empty value is no label, as Prometheus has it.
 */
#ifndef LABELS_H
#define LABELS_H

#include "base/buf.h"
#include "keyvalue.h"
#include "span.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

/* Of each form. A set that is larger (no dimension, but a payload) is not kept: its samples go to
 * the overflow series. */
enum { LABELS_BYTES = 8192 };

struct labels {
	struct buf key, attrs; /* over the room below; one of them failed: the set is too large */
	uint8_t key_room[LABELS_BYTES];
	uint8_t attrs_room[LABELS_BYTES];
};

void labels_begin(struct labels *);

/* The caller keeps to one order. name: fit for Prometheus already; whole: its KeyValue as in struct
 * keyvalue. */
void labels_put(struct labels *, struct text name, struct text value, struct text whole);
/* The same where the attribute has its own name; its value is a string, or a number that fits an
 * int64. */
void labels_put_text(struct labels *, struct text name, struct text attribute, struct text value);
void labels_put_uint(struct labels *, struct text name, uint64_t value);

/* Both forms as they are. */
void labels_put_form(struct labels *, struct text key, struct text attrs);

/* Of MEASURE: sorted by name; names made fit for Prometheus; the values of names that have become
 * equal joined with ";". */
void labels_put_attributes(struct labels *, const struct span_list *);

static inline bool
labels_failed(const struct labels *l)
{
	return l->key.failed || l->attrs.failed;
}

static inline struct text
labels_form(const struct buf *form)
{
	return (struct text){ .s = (const char *)form->base, .len = (uint32_t)form->len };
}

/* Bytes of a key's labels on /metrics, a comma with each. */
uint32_t labels_shown(struct text key);

/* Take the next label off a key. */
bool labels_next(struct text *key, struct text *name, struct text *value);
/* The same of attrs: the next KeyValue, with its length in front. */
bool labels_next_attr(struct text *attrs, struct text *whole);

#endif
