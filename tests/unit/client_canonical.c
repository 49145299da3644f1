#include "client_canonical.h"

#include <msgpack.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/wire.h"

enum { PARENT = 3, COUNT = 4, FLAGS = 7 }; /* places in SPAN and START; in PRODUCED and ERROR */

static const uint32_t fields[WIRE_TYPES] = {
	[WIRE_STRING] = 3,
	[WIRE_SPAN] = 13,
	[WIRE_START] = 10,
	[WIRE_END] = 6,
	[WIRE_PRODUCED] = 5,
	[WIRE_CONSUMED] = 7,
	[WIRE_ERROR] = 5,
	[WIRE_LAG] = 5,
	[WIRE_BYE] = 1,
	[WIRE_ATTR] = 4,
	[WIRE_EVENT] = 5,
	[WIRE_LINK] = 6,
	[WIRE_MEASURE] = 6,
};

static void
pack(msgpack_packer *to, const msgpack_object *o)
{
	if (o->type == MSGPACK_OBJECT_FLOAT32) {
		msgpack_pack_double(to, o->via.f64);
	} else if (o->type == MSGPACK_OBJECT_MAP && o->via.map.size == 0) {
		msgpack_pack_nil(to);
	} else if (o->type == MSGPACK_OBJECT_MAP) {
		msgpack_pack_map(to, o->via.map.size);
		for (uint32_t i = 0; i < o->via.map.size; i++) {
			pack(to, &o->via.map.ptr[i].key);
			pack(to, &o->via.map.ptr[i].val);
		}
	} else {
		msgpack_pack_object(to, *o);
	}
}

static void
pack_field(msgpack_packer *to, const msgpack_object_array *event, uint32_t i)
{
	uint64_t type = event->ptr[0].via.u64;
	bool counted = type == WIRE_PRODUCED || type == WIRE_ERROR;
	bool absent = i >= event->size || event->ptr[i].type == MSGPACK_OBJECT_NIL;

	if (counted && i == COUNT && absent) {
		msgpack_pack_uint8(to, 1);
	} else if (absent) {
		msgpack_pack_nil(to);
	} else if ((type == WIRE_START || type == WIRE_SPAN) && i == FLAGS) {
		bool root = event->ptr[PARENT].type == MSGPACK_OBJECT_NIL;
		uint64_t flags = event->ptr[i].via.u64 & 7;

		msgpack_pack_uint64(to, flags | (root ? WIRE_FLAG_RANDOM : 0));
	} else {
		pack(to, &event->ptr[i]);
	}
}

size_t
client_canonical(const uint8_t *event, size_t n, uint8_t *out, size_t room)
{
	msgpack_sbuffer buffer;
	msgpack_unpacked read;
	msgpack_packer to;
	uint32_t size;
	size_t at = 0;

	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&to, &buffer, msgpack_sbuffer_write);
	msgpack_unpacked_init(&read);
	if (msgpack_unpack_next(&read, (const char *)event, n, &at) < 0)
		abort();
	size = fields[read.data.via.array.ptr[0].via.u64];
	msgpack_pack_array(&to, size);
	for (uint32_t i = 0; i < size; i++)
		pack_field(&to, &read.data.via.array, i);
	n = buffer.size;
	if (n > room)
		abort();
	memcpy(out, buffer.data, n);
	msgpack_unpacked_destroy(&read);
	msgpack_sbuffer_destroy(&buffer);
	return n;
}
