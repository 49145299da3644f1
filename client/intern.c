#include "intern.h"

#include <string.h>
#include <sys/mman.h>

#include "encode.h"

static void *
pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int
intern_init(struct intern *names)
{
	names->slots = pages(INTERN_BYTES);
	names->index = pages(INTERN_INDEX * sizeof(*names->index));
	atomic_init(&names->count, 0);
	pthread_mutex_init(&names->lock, NULL);
	if (names->slots != NULL && names->index != NULL)
		return 0;
	intern_free(names);
	return -1;
}

void
intern_free(struct intern *names)
{
	if (names->slots != NULL)
		munmap(names->slots, INTERN_BYTES);
	if (names->index != NULL)
		munmap(names->index, INTERN_INDEX * sizeof(*names->index));
	names->slots = NULL;
	names->index = NULL;
	pthread_mutex_destroy(&names->lock);
}

/* FNV-1a: texts are the program's own, not its users', so no seed. */
static uint32_t
hash(const char *s, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * 16777619u;
	return h;
}

const char *
intern_add(struct intern *names, const char *s)
{
	size_t len = encode_cut(s, strnlen(s, WIRE_TEXT_MAX + 1), WIRE_TEXT_MAX);
	const char *found = NULL;
	uint32_t at = hash(s, len), count;

	pthread_mutex_lock(&names->lock);
	for (;; at++) {
		uint16_t entry = names->index[at % INTERN_INDEX];
		const char *text;

		if (entry == 0)
			break;
		text = intern_text(names, entry - 1u);
		if (memcmp(text, s, len) == 0 && text[len] == '\0') {
			found = text;
			break;
		}
	}
	count = atomic_load_explicit(&names->count, memory_order_relaxed);
	if (found == NULL && count < WIRE_STRING_IDS) {
		char *slot = names->slots + (size_t)count * INTERN_SLOT;

		memcpy(slot, s, len); /* fresh pages: the NUL is there */
		names->index[at % INTERN_INDEX] = (uint16_t)(count + 1);
		atomic_store_explicit(&names->count, count + 1, memory_order_release);
		found = slot;
	}
	pthread_mutex_unlock(&names->lock);
	return found;
}
