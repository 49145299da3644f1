#include "whole.h"

#include <string.h>

#include "encode.h"

/* The number of pairs in a map that encode_map_head() wrote, and the size of its head. */
static size_t
map_count(const uint8_t *map, size_t *head)
{
	*head = *map == 0xde ? 3 : 1;
	if (*map == 0xc0)
		return 0;
	return *map == 0xde ? (size_t)(map[1] << 8 | map[2]) : *map & 0x0fu;
}

size_t
whole_span(uint8_t *out, const uint8_t *end, size_t size)
{
	static const uint8_t none[WIRE_SPAN_ID];
	/* END is 96 04 | c4 08 id | time status message | attributes */
	enum { ID_AT = 4, TIME_AT = ID_AT + WIRE_SPAN_ID };
	const uint8_t *kept = end + size + sizeof(struct whole);
	struct whole w;
	uint8_t *p = out;
	size_t pairs, head, fixed, body, kept_size;

	memcpy(&w, end + size, sizeof(w));
	*p++ = 0x9d;
	*p++ = WIRE_SPAN;
	p = encode_trace_id(p, w.trace_id);
	p = encode_span_id(p, end + ID_AT);
	p = memcmp(w.parent_id, none, sizeof(none)) == 0 ? encode_nil(p)
							 : encode_span_id(p, w.parent_id);
	p = w.inlined ? encode_str(p, (const char *)kept, w.name_size) : encode_uint(p, w.name);
	*p++ = w.kind;
	p = encode_uint(p, w.start);
	*p++ = w.flags;
	memcpy(p, end + TIME_AT, w.attrs_at - TIME_AT);
	p += w.attrs_at - TIME_AT;

	pairs = map_count(end + w.attrs_at, &head);
	body = size - w.attrs_at - head;
	kept_size = (size_t)w.kept_size - w.name_size;
	fixed = (size_t)(p - out) + 3 + 1; /* with the map's head and the nil after it */
	if (pairs + w.kept_attrs > WIRE_ATTRS_MAX || fixed + kept_size + body > WIRE_EVENT_MAX)
		kept_size = w.kept_attrs = 0;
	/* An END that just fits leaves no room for what else a SPAN has. */
	if (fixed + body > WIRE_EVENT_MAX)
		body = pairs = 0;
	if (pairs + w.kept_attrs == 0) {
		p = encode_nil(p);
	} else {
		/* What was set first stands first: of equal keys the last wins. */
		p = encode_map_head(p, pairs + w.kept_attrs);
		memcpy(p, kept + w.name_size, kept_size);
		memcpy(p + kept_size, end + w.attrs_at + head, body);
		p += kept_size + body;
	}
	return (size_t)(encode_nil(p) - out); /* no tracestate */
}
