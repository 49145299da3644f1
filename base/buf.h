/*
 * buf.h -- append-only bytes over storage somebody else owns.
 *
 * Overflow is sticky: after the first write that does not fit, later writes do nothing and
 * buf.failed stays true. Encoders therefore write straight through and test once, at the end.
 * Pure.
 */
#ifndef BUF_H
#define BUF_H

#include <stdarg.h>
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
/* vsnprintf() ends its text with a NUL: one byte more than the text must be free, though len does
 * not count it. */
void buf_printf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *, const char *fmt, va_list) __attribute__((format(printf, 2, 0)));

#endif
