#define NDEBUG /* the template asserts; its one claim, that it does not start behind the end, holds here */

#include "scan.h"

#include <stdbool.h>
#include <string.h>

struct tally {
	uint64_t items; /* announced so far, the event's array being 1 */
};

#define MSGPACK_EMBED_STACK_SIZE WIRE_DEPTH_MAX
#include <msgpack/unpack_define.h>

/* What the template returns when a nesting does not fit its stack, and for c1. */
enum { MSGPACK_UNPACK_NOMEM_ERROR = -SCAN_TOO_DEEP, MSGPACK_UNPACK_PARSE_ERROR = -SCAN_MALFORMED };

#define msgpack_unpack_struct(name)    struct scan##name
#define msgpack_unpack_func(ret, name) static inline ret scan##name
#define msgpack_unpack_callback(name)  on##name
#define msgpack_unpack_object          int /* nothing is kept of a value */
#define msgpack_unpack_user            struct tally

#define ON_FIXED(name, ctype)                                        \
	static inline int on##name(struct tally *s, ctype v, int *o) \
	{                                                            \
		(void)s;                                             \
		(void)v;                                             \
		return *o = 0;                                       \
	}
#define ON_SIMPLE(name)                                     \
	static inline int on##name(struct tally *s, int *o) \
	{                                                   \
		(void)s;                                    \
		return *o = 0;                              \
	}
#define ON_BYTES(name)                                                             \
	static inline int on##name(                                                \
	    struct tally *s, const char *base, const char *at, unsigned n, int *o) \
	{                                                                          \
		(void)s;                                                           \
		(void)base;                                                        \
		(void)at;                                                          \
		(void)n;                                                           \
		return *o = 0;                                                     \
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
on_root(struct tally *s)
{
	s->items = 1;
	return 0;
}

/* n counts the type's byte. The template reads a length of 2^32-1 as 0. */
static inline int
on_ext(struct tally *s, const char *base, const char *at, unsigned n, int *o)
{
	(void)s;
	(void)base;
	(void)at;
	*o = 0;
	return n == 0 ? -SCAN_OVERSIZED : 0;
}

static inline int
announce(struct tally *s, uint64_t items, int *o)
{
	*o = 0;
	s->items += items;
	return s->items > WIRE_EVENT_MAX ? -SCAN_OVERSIZED : 0;
}

static inline int
on_array(struct tally *s, unsigned n, int *o)
{
	return announce(s, n, o);
}

static inline int
on_map(struct tally *s, unsigned n, int *o)
{
	return announce(s, 2 * (uint64_t)n, o);
}

static inline int
on_array_item(struct tally *s, int *array, int item)
{
	(void)s;
	(void)array;
	(void)item;
	return 0;
}

static inline int
on_map_item(struct tally *s, int *map, int key, int value)
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
	if (done < 0)
		return (enum scan_outcome) - done;
	if (done > 0)
		return SCAN_WHOLE;
	if (whole == WIRE_EVENT_MAX)
		return SCAN_OVERSIZED;
	if (c.cs >= MSGPACK_ACS_STR_VALUE && at + c.trail > WIRE_EVENT_MAX)
		return SCAN_OVERSIZED;
	memcpy(s->state, &c, sizeof(c));
	return SCAN_MORE;
}
