#include "memory.h"

#include <sys/mman.h>

void *
memory_reserve(size_t n)
{
	void *p = mmap(
	    NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p != MAP_FAILED ? p : NULL;
}

void
memory_release(void *p, size_t n)
{
	if (p != NULL)
		munmap(p, n);
}
