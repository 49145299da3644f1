/*
 * text.h -- bytes with a length, borrowed from whoever is named beside the field. Not
 * NUL-terminated.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct text {
	const char *s;
	uint32_t len;
};

/* Of a literal: TEXT_OF for a static initializer, TEXT for an expression. */
#define TEXT_OF(literal)                                   \
	{                                                  \
		.s = (literal), .len = sizeof(literal) - 1 \
	}
#define TEXT(literal) ((struct text)TEXT_OF(literal))

static inline bool
text_same(struct text a, struct text b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

/* Bytes of a label's value on /metrics, where these three take a backslash; without its quotes. */
static inline uint32_t
text_escaped_len(struct text t)
{
	uint32_t len = t.len;

	for (uint32_t i = 0; i < t.len; i++)
		len += t.s[i] == '\\' || t.s[i] == '\n' || t.s[i] == '"';
	return len;
}

#endif
