/*
 * vectors.h -- the files of protocol/vectors, read for C tests.
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct vector {
	json_t *json;
	const char *name;
	uint8_t *bytes;
	size_t n;
};

/* Every file of protocol/vectors/level, in the order of their names. NULL-named entry last. Free with vectors_free(). */
struct vector *vectors_read(const char *level);
void vectors_free(struct vector *);

/* Hex without spaces to bytes; returns how many. */
size_t vectors_hex(const char *, uint8_t *out);

/* A double as both sides of a comparison write it: shortest that reads back for %.17g, "nan", "inf", "-inf". */
json_t *vectors_double(double);
/* Rewrite every {"double": text} below in that form. */
void vectors_normalise(json_t *);

#endif
