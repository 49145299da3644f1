/*
 * gzip.h -- gzip both ways, through libdeflate: level 1, which at a sixth of zlib 6's time saves
 * nearly as much.
 */
#ifndef GZIP_H
#define GZIP_H

#include <stddef.h>

struct gzip;

struct gzip *gzip_open(void); /* NULL: out of memory */
void gzip_close(struct gzip *);

size_t gzip_bound(struct gzip *, size_t n);
/* Returns the compressed length, 0 when it is more than room (gzip_bound() is enough). */
size_t gzip_pack(struct gzip *, const void *from, size_t n, void *to, size_t room);
/* Returns 0, or -1: not gzip, or longer than room. *len: how long it is. */
int gzip_unpack(struct gzip *, const void *from, size_t n, void *to, size_t room, size_t *len);

#endif
