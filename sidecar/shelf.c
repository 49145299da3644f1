#include "shelf.h"

#include <string.h>

void
shelf_init(struct shelf *s, void *mem, size_t bytes)
{
	*s = (struct shelf){ .base = mem, .units = (uint32_t)(bytes / SHELF_UNIT), .fresh = 1 };
}

static uint32_t
units_of(size_t n)
{
	return n == 0 ? 1 : (uint32_t)((n + SHELF_UNIT - 1) / SHELF_UNIT);
}

uint32_t
shelf_take(struct shelf *s, size_t n)
{
	if (n > SHELF_MAX)
		return 0;

	uint32_t size = units_of(n), place = s->given[size];

	if (place != 0) {
		memcpy(&s->given[size], shelf_at(s, place), sizeof(place));
		return place;
	}
	if (size > s->units - s->fresh)
		return 0;
	place = s->fresh;
	s->fresh += size;
	return place;
}

void
shelf_give(struct shelf *s, uint32_t place, size_t n)
{
	uint32_t *head = &s->given[units_of(n)];

	memcpy(shelf_at(s, place), head, sizeof(*head));
	*head = place;
}
