/*
 * client_event.h -- an event as the client's tests receive it, and what its fields say.
 */
#ifndef CLIENT_EVENT_H
#define CLIENT_EVENT_H

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
	unsigned connection; /* 0: the first that was accepted */
	unsigned type;
	msgpack_unpacked message; /* .data: the whole array */
};

/* Field i; 0 is the type. Absent is nil. */
const msgpack_object *event_field(const struct event *, size_t i);
/* Its value as a number; 2^64-1 when it is none. */
uint64_t event_uint(const struct event *, size_t i);
bool event_is_nil(const struct event *, size_t i);
bool event_is_str(const struct event *, size_t i, const char *);
bool event_is_bin(const struct event *, size_t i, const void *, size_t);
/* The value under a key in a map; NULL: none. */
const msgpack_object *event_get(const msgpack_object *map, const char *key);

#endif
