/*
 * memory.h -- address space reserved at start for everything that is bounded by limits.h. Zeroed; a
 * page costs memory only once it is touched.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

void *memory_reserve(size_t n);        /* page-aligned; NULL: errno says why */
void memory_release(void *, size_t n); /* NULL is a no-op */

#endif
