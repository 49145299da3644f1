#include "annotation.h"

#include "protocol/wire.h"
#include "varint.h"

/* Fields of Span, Span.Event and Span.Link, whose attributes carry their tags already. */
enum {
	SPAN_EVENT = 0x5a,
	SPAN_LINK = 0x6a,
	EVENT_TIME = 0x09,
	EVENT_NAME = 0x12,
	EVENT_DROPPED = 0x20,
	LINK_TRACE_ID = 0x0a,
	LINK_SPAN_ID = 0x12,
	LINK_TRACESTATE = 0x1a,
	LINK_DROPPED = 0x28
};

static uint32_t
bytes_size(uint32_t len)
{
	return 1 + varint_len(len) + len;
}

static uint8_t *
put_bytes(uint8_t *to, uint8_t tag, const void *bytes, uint32_t len)
{
	*to++ = tag;
	to = varint_put(to, len);
	memcpy(to, bytes, len);
	return to + len;
}

/* proto3 leaves out what is empty or 0. */
static uint32_t
text_size(struct text t)
{
	return t.len != 0 ? bytes_size(t.len) : 0;
}

static uint8_t *
put_text(uint8_t *to, uint8_t tag, struct text t)
{
	return t.len != 0 ? put_bytes(to, tag, t.s, t.len) : to;
}

static uint32_t
count_size(uint32_t n)
{
	return n != 0 ? 1 + varint_len(n) : 0;
}

static uint8_t *
put_count(uint8_t *to, uint8_t tag, uint32_t n)
{
	if (n == 0)
		return to;
	*to++ = tag;
	return varint_put(to, n);
}

static uint8_t *
put_attrs(uint8_t *to, const struct attrs *attrs)
{
	memcpy(to, attrs->bytes, attrs->len);
	return to + attrs->len;
}

struct text
annotation_event(uint8_t *to, uint64_t time, struct text name, const struct attrs *attrs)
{
	uint32_t size =
	    1 + (uint32_t)sizeof(time) + text_size(name) + attrs->len + count_size(attrs->dropped);
	uint8_t *p = to;

	*p++ = SPAN_EVENT;
	p = varint_put(p, size);
	*p++ = EVENT_TIME;
	memcpy(p, &time, sizeof(time));
	p = put_text(p + sizeof(time), EVENT_NAME, name);
	p = put_count(put_attrs(p, attrs), EVENT_DROPPED, attrs->dropped);
	return (struct text){ (const char *)to, (uint32_t)(p - to) };
}

struct text
annotation_link(uint8_t *to, const uint8_t *trace_id, const uint8_t *span_id,
    struct text tracestate, const struct attrs *attrs)
{
	uint32_t size = bytes_size(WIRE_TRACE_ID) + bytes_size(WIRE_SPAN_ID) +
			text_size(tracestate) + attrs->len + count_size(attrs->dropped);
	uint8_t *p = to;

	*p++ = SPAN_LINK;
	p = varint_put(p, size);
	p = put_bytes(p, LINK_TRACE_ID, trace_id, WIRE_TRACE_ID);
	p = put_bytes(p, LINK_SPAN_ID, span_id, WIRE_SPAN_ID);
	p = put_text(p, LINK_TRACESTATE, tracestate);
	p = put_count(put_attrs(p, attrs), LINK_DROPPED, attrs->dropped);
	return (struct text){ (const char *)to, (uint32_t)(p - to) };
}
