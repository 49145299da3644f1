/*
 * owned.h -- values that belong to a connection, in lists by owner, so that its end costs what it
 * held. Pure.
 */
#ifndef OWNED_H
#define OWNED_H

#include <stddef.h>
#include <stdint.h>

struct owned { /* first member of what is owned */
	struct owned *next;
	struct owned **back; /* whatever points here */
	uint64_t owner;
};

enum { OWNED_LISTS = 1024 };

/* Owners are serial numbers, so those who live at one time rarely share a list. Zeroed: nobody owns
 * anything. */
struct owners {
	struct owned *lists[OWNED_LISTS];
};

static inline void
owned_join(struct owners *o, struct owned *it, uint64_t owner)
{
	struct owned **head = &o->lists[owner % OWNED_LISTS];

	*it = (struct owned){ .next = *head, .back = head, .owner = owner };
	if (it->next != NULL)
		it->next->back = &it->next;
	*head = it;
}

static inline void
owned_leave(struct owned *it)
{
	*it->back = it->next;
	if (it->next != NULL)
		it->next->back = it->back;
}

/* The owner's next thing, from a place in its list: begin with o->lists[owner % OWNED_LISTS]. */
static inline struct owned *
owned_from(struct owned *it, uint64_t owner)
{
	while (it != NULL && it->owner != owner)
		it = it->next;
	return it;
}

static inline struct owned *
owned_first(const struct owners *o, uint64_t owner)
{
	return owned_from(o->lists[owner % OWNED_LISTS], owner);
}

#endif
