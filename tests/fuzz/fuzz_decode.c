/*
 * The two readers, and the slow one fed in pieces, must say the same of every input; and what is said must not depend on where
 * the bytes end, once enough of them are there.
 *
 *	input: [step][bytes...]
 */
#include "sidecar/decode.h"

#include "tests/unit/same_event.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int holds)
{
	if (!holds)
		abort();
}

/* As a session does: what is there grows, and moves; the view is of the last place. */
static enum decode_outcome
in_pieces(const uint8_t *bytes, size_t n, size_t step, struct decoder *d, struct event *e)
{
	enum decode_outcome outcome = DECODE_MORE;

	for (size_t have = step; outcome == DECODE_MORE; have += step) {
		uint8_t *moved;

		if (have > n)
			have = n;
		moved = malloc(have);
		memcpy(moved, bytes, have);
		outcome = decode_slow(d, moved, have, e);
		free(moved);
		if (have == n)
			break;
	}
	return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoder whole = { .used = 0 }, pieces = { .used = 0 }, both = { .used = 0 };
	struct event slow, fast, cut, either;
	enum decode_outcome outcome;
	uint32_t used;
	uint8_t *bytes;
	size_t n = size - 1;

	if (size < 2)
		return 0;
	/* A block of its own, so that a byte read too far is seen. */
	bytes = malloc(n);
	memcpy(bytes, data + 1, n);
	outcome = decode_slow(&whole, bytes, n, &slow);
	must(outcome == in_pieces(bytes, n, data[0] + 1u, &pieces, &cut));
	if (outcome == DECODE_OK || outcome == DECODE_SHAPE) {
		must(whole.used == pieces.used && whole.used <= n && whole.used <= WIRE_EVENT_MAX);
		must(slow.type == cut.type);
	}
	used = decode_fast(bytes, n, &fast);
	if (used != 0)
		must(outcome == DECODE_OK && used == whole.used && same_event(&fast, &slow));
	must(decode(&both, bytes, n, &either) == outcome);
	if (outcome == DECODE_OK)
		must(both.used == whole.used && same_event(&either, &slow));
	free(bytes);
	return 0;
}
