/*
 * scan.h -- finds the end of an event in any MessagePack, keeping its place from read to read.
 *
 * msgpack-c's template does the walking; nothing is allocated, and nothing is kept of the values.
 * Faults are said at the first header that shows them, in the order of the bytes, so that how the
 * bytes were cut never matters:
 *	malformed	the event is not an array; the byte c1
 *	too_deep	an array or map, empty or not, at depth WIRE_DEPTH_MAX + 1
 *	oversized	headers have announced more than WIRE_EVENT_MAX items; a str, bin or ext would end after
 *			WIRE_EVENT_MAX bytes; there are WIRE_EVENT_MAX bytes and no end
 * Pure.
 */
#ifndef SCAN_H
#define SCAN_H

#include "protocol/wire.h"

#include <stddef.h>
#include <stdint.h>

enum scan_outcome {
	SCAN_WHOLE = 1, /* scan.at bytes are an event */
	SCAN_MORE,      /* not complete */
	SCAN_MALFORMED,
	SCAN_TOO_DEEP,
	SCAN_OVERSIZED
};

enum { SCAN_STATE = 264 };

/* All zero: at the beginning of an event. */
struct scan {
	uint32_t at;    /* bytes that need not be looked at again */
	uint32_t turns; /* of the template, since the beginning: one a call */
	uint64_t state[SCAN_STATE / 8];
};

/* bytes: from the beginning of the event, n >= 1 of them. After SCAN_MORE call again with the same
 * bytes, which may have moved, and more behind them. */
enum scan_outcome scan_event(struct scan *, const uint8_t *bytes, size_t n);

#endif
