/*
 * intern.h -- texts known by their address.
 *
 * Every text has a slot of 256 bytes, its 255 at most and a NUL, so its id is its place: a pointer
 * tells its id without being followed, and none that points elsewhere is taken for one. Ids never
 * change and nothing is removed: connections that follow get the same ones. The slots are mapped
 * at once and touched as they fill.
 */
#ifndef INTERN_H
#define INTERN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/wire.h"

enum {
	INTERN_SLOT = WIRE_TEXT_MAX + 1,
	INTERN_BYTES = WIRE_STRING_IDS * INTERN_SLOT,
	INTERN_INDEX = 2 * WIRE_STRING_IDS, /* a power of two, at most half full */
};

struct intern {
	char *slots;
	_Atomic uint32_t count; /* ids below it are complete */
	pthread_mutex_t lock;   /* of adding and looking up by content */
	uint16_t *index;        /* hash -> id + 1, 0: none */
};

/* 0, or -1 with errno: no memory. */
int intern_init(struct intern *);
void intern_free(struct intern *);
/* The text's slot; s cut at 255 bytes. NULL when the table is full. Takes the lock. */
const char *intern_add(struct intern *, const char *s);

static inline bool
intern_known(const struct intern *names, const char *s, uint32_t *id)
{
	uintptr_t at = (uintptr_t)s - (uintptr_t)names->slots;

	*id = (uint32_t)(at / INTERN_SLOT);
	return at < INTERN_BYTES && at % INTERN_SLOT == 0;
}

static inline const char *
intern_text(const struct intern *names, uint32_t id)
{
	return names->slots + (size_t)id * INTERN_SLOT;
}

#endif
