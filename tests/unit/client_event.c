#include "client_event.h"

#include <string.h>

const msgpack_object *
event_field(const struct event *e, size_t i)
{
	static const msgpack_object nil = { .type = MSGPACK_OBJECT_NIL };

	return i < e->message.data.via.array.size ? &e->message.data.via.array.ptr[i] : &nil;
}

uint64_t
event_uint(const struct event *e, size_t i)
{
	const msgpack_object *o = event_field(e, i);

	return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? o->via.u64 : UINT64_MAX;
}

bool
event_is_nil(const struct event *e, size_t i)
{
	return event_field(e, i)->type == MSGPACK_OBJECT_NIL;
}

static bool
is_text(const msgpack_object *o, const char *s)
{
	return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(s) &&
	       memcmp(o->via.str.ptr, s, o->via.str.size) == 0;
}

bool
event_is_str(const struct event *e, size_t i, const char *s)
{
	return is_text(event_field(e, i), s);
}

bool
event_is_bin(const struct event *e, size_t i, const void *bytes, size_t n)
{
	const msgpack_object *o = event_field(e, i);

	return o->type == MSGPACK_OBJECT_BIN && o->via.bin.size == n &&
	       memcmp(o->via.bin.ptr, bytes, n) == 0;
}

const msgpack_object *
event_get(const msgpack_object *map, const char *key)
{
	if (map->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->via.map.size; i++)
		if (is_text(&map->via.map.ptr[i].key, key))
			return &map->via.map.ptr[i].val;
	return NULL;
}
