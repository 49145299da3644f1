/*
 * packed.h -- the obvious client for bench_client to compare with: msgpack-c, clock_gettime(), a
 * buffer that the calling thread sends itself. One thread's.
 */
#ifndef PACKED_H
#define PACKED_H

#include <stddef.h>

#include "client/sidecar.h"

/* START and END of a span, the same events that the library encodes. */
void packed_span(const struct sidecar_attr *, size_t n);
void packed_clear(void);
/* Connect, for packed_send(). */
void packed_open(const char *path);
/* If 8 KiB have gathered, write them. */
void packed_send(void);
void packed_close(void);

#endif
