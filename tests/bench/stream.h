/*
 * stream.h -- for benchmarks: events as bytes made beforehand, in the canonical layout, and a
 * socket to write them to.
 */
#ifndef STREAM_H
#define STREAM_H

#include <stddef.h>
#include <stdint.h>

struct stream {
	uint8_t *bytes;
	size_t len;
};

/* HELLO of service "bench" and 16 strings, then n whole SPANs; free(bytes) when done. */
struct stream stream_whole(uint64_t n);
/* The same with n STARTs, each ENDed when `open` more have started. */
struct stream stream_pairs(uint64_t n, uint64_t open);
/* The same with n STARTs and no END. */
struct stream stream_starts(uint64_t n);

int stream_connect(const char *path);
void stream_write(int fd, const struct stream *);

#endif
