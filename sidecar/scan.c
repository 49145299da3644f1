#define NDEBUG /* the template asserts; its one claim, that it does not start behind the end, holds here */

#include "scan.h"

#include <stdbool.h>
#include <string.h>

struct announced {
	uint64_t items; /* so far, the event's array being 1 */
};

#define MSGPACK_EMBED_STACK_SIZE WIRE_DEPTH_MAX
#include <msgpack/unpack.h>
#include <msgpack/unpack_define.h>

/* What a callback returns to end it all, beside the template's own negative outcomes. */
enum { TOO_MUCH = -100 };

#define msgpack_unpack_struct(name)    struct scan##name
#define msgpack_unpack_func(ret, name) static inline ret scan##name
#define msgpack_unpack_callback(name)  on##name
#define msgpack_unpack_object          int /* nothing is kept of a value */
#define msgpack_unpack_user            struct announced

#define ON_FIXED(name, ctype)                                            \
	static inline int on##name(struct announced *s, ctype v, int *o) \
	{                                                                \
		(void)s;                                                 \
		(void)v;                                                 \
		return *o = 0;                                           \
	}
#define ON_SIMPLE(name)                                         \
	static inline int on##name(struct announced *s, int *o) \
	{                                                       \
		(void)s;                                        \
		return *o = 0;                                  \
	}
#define ON_BYTES(name)                                                                 \
	static inline int on##name(                                                    \
	    struct announced *s, const char *base, const char *at, unsigned n, int *o) \
	{                                                                              \
		(void)s;                                                               \
		(void)base;                                                            \
		(void)at;                                                              \
		(void)n;                                                               \
		return *o = 0;                                                         \
	}

ON_FIXED(_uint8, uint8_t)
ON_FIXED(_uint16, uint16_t)
ON_FIXED(_uint32, uint32_t)
ON_FIXED(_uint64, uint64_t)
ON_FIXED(_int8, int8_t)
ON_FIXED(_int16, int16_t)
ON_FIXED(_int32, int32_t)
ON_FIXED(_int64, int64_t)
ON_FIXED(_float, float)
ON_FIXED(_double, double)
ON_SIMPLE(_nil)
ON_SIMPLE(_true)
ON_SIMPLE(_false)
ON_BYTES(_str)
ON_BYTES(_bin)

static inline int
on_root(struct announced *s)
{
	s->items = 1;
	return 0;
}

/* n counts the type's byte. The template reads a length of 2^32-1 as 0. */
static inline int
on_ext(struct announced *s, const char *base, const char *at, unsigned n, int *o)
{
	(void)s;
	(void)base;
	(void)at;
	*o = 0;
	return n == 0 ? TOO_MUCH : 0;
}

static inline int
announce(struct announced *s, uint64_t items, int *o)
{
	*o = 0;
	s->items += items;
	return s->items > WIRE_EVENT_MAX ? TOO_MUCH : 0;
}

static inline int
on_array(struct announced *s, unsigned n, int *o)
{
	return announce(s, n, o);
}

static inline int
on_map(struct announced *s, unsigned n, int *o)
{
	return announce(s, 2 * (uint64_t)n, o);
}

static inline int
on_array_item(struct announced *s, int *array, int item)
{
	(void)s;
	(void)array;
	(void)item;
	return 0;
}

static inline int
on_map_item(struct announced *s, int *map, int key, int value)
{
	(void)s;
	(void)map;
	(void)key;
	(void)value;
	return 0;
}

#include <msgpack/unpack_template.h>

_Static_assert(sizeof(struct scan_context) <= SCAN_STATE, "the template's state has its room");

static bool
is_array(uint8_t head)
{
	return (head & 0xf0) == 0x90 || head == 0xdc || head == 0xdd;
}

enum scan_outcome
scan_event(struct scan *s, const uint8_t *bytes, size_t n)
{
	struct scan_context c;
	size_t whole = n < WIRE_EVENT_MAX ? n : WIRE_EVENT_MAX, at = s->at;
	int done;

	if (at == 0) {
		if (!is_array(bytes[0]))
			return SCAN_MALFORMED;
		scan_init(&c);
		s->turns = 0;
	} else {
		memcpy(&c, s->state, sizeof(c));
	}
	s->turns++;
	done = scan_execute(&c, (const char *)bytes, whole, &at);
	s->at = (uint32_t)at;
	switch (done) {
	case 1: return SCAN_WHOLE;
	case 0: break;
	case TOO_MUCH: return SCAN_OVERSIZED;
	case MSGPACK_UNPACK_NOMEM_ERROR: return SCAN_TOO_DEEP; /* its stack is full */
	default: return SCAN_MALFORMED;                        /* c1 */
	}
	if (whole == WIRE_EVENT_MAX)
		return SCAN_OVERSIZED;
	if (c.cs >= MSGPACK_ACS_STR_VALUE && at + c.trail > WIRE_EVENT_MAX)
		return SCAN_OVERSIZED;
	memcpy(s->state, &c, sizeof(c));
	return SCAN_MORE;
}
