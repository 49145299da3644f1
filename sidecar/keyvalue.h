/*
 * keyvalue.h -- reading OTLP KeyValues back out of the bytes that decode made of attributes. Pure.
 */
#ifndef KEYVALUE_H
#define KEYVALUE_H

#include "base/buf.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

enum keyvalue_type {
	KEYVALUE_EMPTY,
	KEYVALUE_TEXT,
	KEYVALUE_BOOL,
	KEYVALUE_INT,
	KEYVALUE_DOUBLE,
	KEYVALUE_ARRAY
};

struct keyvalue {          /* everything borrowed from the bytes read */
	struct text whole; /* the KeyValue with its length in front, without a tag */
	struct text key;
	enum keyvalue_type type;
	struct text bytes; /* of TEXT, or the ArrayValue of ARRAY */
	int64_t integer;   /* of INT; BOOL: 0 or 1 */
	double real;       /* of DOUBLE */
};

/* Take the next KeyValue off *rest, whatever the field's number. False at the end, or where the
 * bytes are none. */
bool keyvalue_next(struct text *rest, struct keyvalue *);

/* The value as a label shows it: text as it is (borrowed), all else in JSON's form, written to
 * *scratch. */
struct text keyvalue_label(const struct keyvalue *, struct buf *scratch);

#endif
