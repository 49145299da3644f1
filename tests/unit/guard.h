/*
 * guard.h -- inputs that end where the readable memory ends: a byte read too far is a fault, in
 * every flavour.
 */
#ifndef GUARD_H
#define GUARD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline size_t
guard_room(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

/* A copy of n bytes whose end is followed by a page that cannot be read. Free with guard_free(). */
static inline void *
guard_copy(const void *bytes, size_t n)
{
	size_t room = guard_room(n), page = guard_room(1);
	char *base =
	    mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED || mprotect(base + room, page, PROT_NONE) != 0)
		abort();
	if (n > 0)
		memcpy(base + room - n, bytes, n);
	return base + room - n;
}

static inline void
guard_free(void *copy, size_t n)
{
	munmap((char *)copy + n - guard_room(n), guard_room(n) + guard_room(1));
}

#endif
