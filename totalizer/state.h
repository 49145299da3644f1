/*
 * state.h -- what one partition's log adds up to, up to an offset; and the text that carries it in
 * the metadata of an offset commit, so that position and total change in one record of the broker.
 * Pure.
 *
 *	totalizer/1 next=120 count=118 total=-4611686018427387904;
 *
 * The semicolon shows that nothing was cut off.
 */
#ifndef STATE_H
#define STATE_H

#include "total.h"

struct state {
	int64_t next;  /* offset of the first message not yet added */
	int64_t count; /* messages added; not those skipped as invalid */
	struct total total;
};

enum { STATE_TEXT = 128 }; /* the longest is 110 bytes; a broker takes 4096 */

bool state_equal(const struct state *, const struct state *);

/* Returns the length without the NUL. */
size_t state_format(const struct state *, char out[STATE_TEXT]);

/* Only what state_format() writes, and only beside the offset it was written for: a commit moved by
 * hand, or made by another program, is not taken for a total. text need not end in NUL. */
bool state_parse(struct state *, int64_t offset, const void *text, size_t len);

#endif
