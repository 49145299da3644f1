/*
 * record.h -- what stands before each event in a ring.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { RECORD_HEADER = sizeof(uint64_t) };

/* Written with one store. */
struct record_header {
	uint32_t wire;       /* bytes of the event */
	uint32_t extra;      /* bytes behind it: struct whole and what it keeps */
	uint32_t connection; /* its span's START belongs to this one; 0: no span's event */
};

static inline void
record_put(uint8_t *record, size_t wire, size_t extra, uint32_t connection)
{
	uint64_t word = wire | extra << 16 | (uint64_t)connection << 32;

	memcpy(record, &word, sizeof(word));
}

static inline struct record_header
record_header(const uint8_t *record)
{
	uint64_t word;

	memcpy(&word, record, sizeof(word));
	return (struct record_header){
		.wire = word & 0xffff,
		.extra = word >> 16 & 0xffff,
		.connection = (uint32_t)(word >> 32),
	};
}

#endif
