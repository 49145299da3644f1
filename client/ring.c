#include "ring.h"

#include <string.h>
#include <sys/mman.h>

struct ring *
ring_new(size_t bytes)
{
	size_t scratch = sizeof(struct ring) + bytes + RING_RECORD;
	size_t mapped = scratch + RING_RECORD;
	struct ring *r;

	r = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		return NULL;
	r->mask = bytes - 1;
	r->spare = bytes / 8;
	r->end = r->data + bytes;
	r->scratch = (uint8_t *)r + scratch;
	r->mapped = mapped;
	ring_reset(r);
	return r;
}

void
ring_free(struct ring *r)
{
	if (r != NULL)
		munmap(r, r->mapped);
}

void
ring_reset(struct ring *r)
{
	atomic_store(&r->head, 0);
	atomic_store(&r->tail, 0);
	atomic_store(&r->emitted, 0);
	for (int i = 0; i < DROP_CAUSES; i++)
		atomic_store(&r->dropped[i], 0);
	r->taken = r->limit = 0;
	r->room = r->mask + 1;
	r->wake_at = ring_enough(r);
}

static uint64_t
room(struct ring *r)
{
	return r->room = atomic_load_explicit(&r->tail, memory_order_acquire) + r->mask + 1;
}

uint8_t *
ring_begin_tight(struct ring *r, size_t bound)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head + bound + r->spare > room(r))
		return r->scratch;
	return r->data + (head & r->mask);
}

bool
ring_commit_tight(struct ring *r, const uint8_t *begun, size_t size, bool ends)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (begun == r->scratch) {
		if (head + size + (ends ? 0 : r->spare) > room(r))
			return false;
		memcpy(r->data + (head & r->mask), begun, size);
	}
	atomic_store_explicit(&r->head, ring_after(r, head, size), memory_order_release);
	return true;
}
