/*
 * utf8.h -- text from peers made fit to pass on: well-formed, and no longer than its limit. Pure.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stdint.h>

struct utf8 {
	uint32_t keep; /* bytes, at most the limit, that end at a character boundary */
	bool clean;    /* every byte is part of a well-formed character (RFC 3629) */
};

/* A byte that is no part of one counts as a character by itself, of one byte. */
struct utf8 utf8_fit(const char *, uint32_t n, uint32_t limit);

/* Copy, each such byte becoming '?'. to: n bytes. */
void utf8_clean(char *to, const char *from, uint32_t n);

#endif
