/*
 * timestamp.h -- RFC 3339 text and nanoseconds since the epoch. Pure.
 */
#ifndef TIMESTAMP_H
#define TIMESTAMP_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>

enum { TIMESTAMP_TEXT = 31 }; /* "2026-11-23T10:00:00.123456789Z" and its NUL */

/* Date, time, optional fraction (digits past the ninth are cut), Z or an offset; upper or lower
 * case. false for anything else, for a date that does not exist, and outside 1970 to 2262 (2^63 - 1
 * ns, the protocol's last instant). A leap second counts as the second after it. text need not end
 * in NUL. */
bool timestamp_parse(struct wall *, const char *text, size_t len);

/* Always nine digits and Z. Instants above 2^63 - 1 ns are written as that one. Returns the
 * length, 30. */
size_t timestamp_format(struct wall, char out[TIMESTAMP_TEXT]);

#endif
