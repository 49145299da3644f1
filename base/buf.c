#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
buf_init(struct buf *b, void *mem, size_t cap)
{
	*b = (struct buf){ .base = mem, .cap = cap };
}

void
buf_put(struct buf *b, const void *src, size_t n)
{
	if (b->failed || n > b->cap - b->len) {
		b->failed = true;
		return;
	}
	if (n != 0)
		memcpy(b->base + b->len, src, n);
	b->len += n;
}

void
buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

void
buf_put_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_vprintf(b, fmt, args);
	va_end(args);
}

void
buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
	size_t room = b->cap - b->len;
	int n;

	if (b->failed || room == 0) {
		b->failed = true;
		return;
	}
	n = vsnprintf((char *)b->base + b->len, room, fmt, args);
	if (n < 0 || (size_t)n >= room)
		b->failed = true;
	else
		b->len += (size_t)n;
}
