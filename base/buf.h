/*
 * buf.h -- append-only bytes over storage somebody else owns.
 *
 * Overflow is sticky: after the first write that does not fit, later writes do nothing and buf.failed
 * stays true. Encoders therefore write straight through and test once, at the end. Pure.
 */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *base; /* borrowed, never freed here */
	size_t cap;
	size_t len;
	bool failed;
};

void buf_init(struct buf *, void *mem, size_t cap);
void buf_put(struct buf *, const void *src, size_t n);
void buf_put_u8(struct buf *, uint8_t);
void buf_put_str(struct buf *, const char *); /* up to its NUL, which is not written */
void buf_printf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
