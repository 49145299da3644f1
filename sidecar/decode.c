#include "decode.h"

#include "pack.h"
#include "shape.h"

#include <stdbool.h>

/*
 * The fast reader. It takes START, SPAN, END, PRODUCED, CONSUMED and ATTR with a short array header
 * and:
 *	ids	c4 10 and c4 08
 *	text	fixstr, str 8, fixint, uint 8, uint 16
 *	time	uint 64 or int 64 up to 2^63-1, nil
 *	number	fixint
 *	attrs	nil, or a short map of text to nil, bool, int, float, fixstr, str 8, str 16
 * and leaves everything else, what is cut or wrong included, to the other reader. Every step checks
 * its own bytes.
 */
struct reader {
	const uint8_t *p, *end;
};

/* Bytes of a token that has no length and nothing inside; 0: of another kind. */
static const uint8_t token[256] = {
	[0x00 ... 0x7f] = 1,
	[0xc0] = 1,
	[0xc2] = 1,
	[0xc3] = 1,
	[0xca] = 5,
	[0xcb] = 9,
	[0xcc] = 2,
	[0xcd] = 3,
	[0xce] = 5,
	[0xcf] = 9,
	[0xd0] = 2,
	[0xd1] = 3,
	[0xd2] = 5,
	[0xd3] = 9,
	[0xe0 ... 0xff] = 1,
};

static inline size_t
room(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

static inline bool
take_id(struct reader *r, uint8_t size, const uint8_t **id)
{
	if (room(r) < 2u + size || r->p[0] != 0xc4 || r->p[1] != size)
		return false;
	*id = r->p + 2;
	r->p += 2 + size;
	return true;
}

static inline bool
take_nil(struct reader *r)
{
	if (room(r) < 1 || *r->p != 0xc0)
		return false;
	r->p++;
	return true;
}

static inline bool
take_text(struct reader *r, struct word *w)
{
	uint32_t head, n, skip;

	if (room(r) < 1)
		return false;
	head = *r->p;
	if (head < 0x80) {
		*w = (struct word){ NULL, head, WORD_ID };
		r->p++;
		return true;
	}
	if ((head & 0xe0) == 0xa0) {
		n = head & 0x1f;
		skip = 1;
	} else if (room(r) < 3) {
		return false;
	} else if (head == 0xcd) {
		*w = (struct word){ NULL, pack_u16(r->p + 1), WORD_ID };
		r->p += 3;
		return true;
	} else if (head == 0xcc) {
		*w = (struct word){ NULL, r->p[1], WORD_ID };
		r->p += 2;
		return true;
	} else if (head == 0xd9) {
		n = r->p[1];
		skip = 2;
	} else {
		return false;
	}
	if (room(r) < skip + n)
		return false;
	*w = (struct word){ (const char *)r->p + skip, n, WORD_STR };
	r->p += skip + n;
	return true;
}

static inline bool
take_text_or_nil(struct reader *r, struct word *w)
{
	if (!take_nil(r))
		return take_text(r, w);
	*w = (struct word){ .kind = WORD_NONE };
	return true;
}

static inline bool
take_time(struct reader *r, uint64_t *time)
{
	if (take_nil(r)) {
		*time = EVENT_NIL;
		return true;
	}
	if (room(r) < 9 || (r->p[0] != 0xcf && r->p[0] != 0xd3))
		return false;
	*time = pack_u64(r->p + 1);
	r->p += 9;
	return *time <= INT64_MAX;
}

static inline bool
take_number(struct reader *r, uint64_t *number)
{
	if (room(r) < 1 || *r->p >= 0x80)
		return false;
	*number = *r->p++;
	return true;
}

/* A value of an attribute: no array, map, bin or ext. */
static inline bool
take_value(struct reader *r)
{
	size_t left = room(r), size;

	if (left < 1)
		return false;
	if ((*r->p & 0xe0) == 0xa0)
		size = 1u + (*r->p & 0x1f);
	else if (token[*r->p] != 0)
		size = token[*r->p];
	else if (*r->p == 0xd9 && left >= 2)
		size = 2u + r->p[1];
	else if (*r->p == 0xda && left >= 3)
		size = 3u + pack_u16(r->p + 1);
	else
		return false;
	if (left < size)
		return false;
	r->p += size;
	return true;
}

static inline bool
take_attrs(struct reader *r, struct bag *attrs)
{
	struct word key;

	if (take_nil(r)) {
		*attrs = (struct bag){ .items = NULL };
		return true;
	}
	if (room(r) < 1 || (*r->p & 0xf0) != 0x80)
		return false;
	*attrs = (struct bag){ r->p + 1, *r->p & 0x0f };
	r->p++;
	for (uint32_t i = 0; i < attrs->n; i++)
		if (!take_text(r, &key) || !take_value(r))
			return false;
	return true;
}

static inline bool
take_parent(struct reader *r, const uint8_t **id)
{
	*id = NULL;
	return take_nil(r) || take_id(r, WIRE_SPAN_ID, id);
}

/* n: fields that are there, the type not counted. */
static inline bool
take_start(struct reader *r, uint32_t n, struct event *e)
{
	if (n < 7 || n > 9 || !take_id(r, WIRE_TRACE_ID, &e->trace_id) ||
	    !take_id(r, WIRE_SPAN_ID, &e->span_id) || !take_parent(r, &e->other_id) ||
	    !take_text(r, &e->name) || !take_number(r, &e->code) || !take_time(r, &e->time) ||
	    !take_number(r, &e->flags))
		return false;
	e->attrs.items = NULL;
	e->tracestate.kind = WORD_NONE;
	return (n < 8 || take_attrs(r, &e->attrs)) &&
	       (n < 9 || take_text_or_nil(r, &e->tracestate));
}

static inline bool
take_span(struct reader *r, uint32_t n, struct event *e)
{
	if (n < 9 || n > 12 || !take_id(r, WIRE_TRACE_ID, &e->trace_id) ||
	    !take_id(r, WIRE_SPAN_ID, &e->span_id) || !take_parent(r, &e->other_id) ||
	    !take_text(r, &e->name) || !take_number(r, &e->code) || !take_time(r, &e->time) ||
	    !take_number(r, &e->flags) || !take_time(r, &e->end) || !take_number(r, &e->status))
		return false;
	e->detail.kind = WORD_NONE;
	e->attrs.items = NULL;
	e->tracestate.kind = WORD_NONE;
	return (n < 10 || take_text_or_nil(r, &e->detail)) &&
	       (n < 11 || take_attrs(r, &e->attrs)) &&
	       (n < 12 || take_text_or_nil(r, &e->tracestate));
}

static inline bool
take_end(struct reader *r, uint32_t n, struct event *e)
{
	if (n < 3 || n > 5 || !take_id(r, WIRE_SPAN_ID, &e->span_id) || !take_time(r, &e->end) ||
	    !take_number(r, &e->status))
		return false;
	e->detail.kind = WORD_NONE;
	e->attrs.items = NULL;
	return (n < 4 || take_text_or_nil(r, &e->detail)) && (n < 5 || take_attrs(r, &e->attrs));
}

static inline bool
take_partition(struct reader *r, uint64_t *partition)
{
	*partition = EVENT_NIL;
	return take_nil(r) || take_number(r, partition);
}

static inline bool
take_produced(struct reader *r, uint32_t n, struct event *e)
{
	if (n < 3 || n > 4 || !take_text(r, &e->name) || !take_partition(r, &e->partition) ||
	    !take_time(r, &e->produced_at))
		return false;
	e->number = EVENT_NIL;
	return n < 4 || take_nil(r) || take_number(r, &e->number);
}

static inline bool
take_consumed(struct reader *r, uint32_t n, struct event *e)
{
	if (n < 4 || n > 6 || !take_text(r, &e->name) || !take_partition(r, &e->partition) ||
	    !take_time(r, &e->produced_at) || !take_time(r, &e->time))
		return false;
	e->trace_id = e->span_id = NULL;
	return (n < 5 || take_nil(r) || take_id(r, WIRE_TRACE_ID, &e->trace_id)) &&
	       (n < 6 || take_nil(r) || take_id(r, WIRE_SPAN_ID, &e->span_id));
}

static inline bool
take_attr(struct reader *r, uint32_t n, struct event *e)
{
	if (n != 3 || !take_id(r, WIRE_SPAN_ID, &e->span_id) || !take_text(r, &e->name) ||
	    room(r) < 1 || *r->p == 0xc0)
		return false;
	e->value = r->p;
	return take_value(r);
}

static inline bool
take_event(struct reader *r, uint32_t n, struct event *e)
{
	if (n < 3 || n > 4 || !take_id(r, WIRE_SPAN_ID, &e->span_id) || !take_time(r, &e->time) ||
	    !take_text(r, &e->name))
		return false;
	e->attrs.items = NULL;
	return n < 4 || take_attrs(r, &e->attrs);
}

/* An integer or a float: nil, bools and str are values too, but no numbers. */
static inline bool
is_number(uint8_t head)
{
	return head < 0x80 || head >= 0xe0 || (head >= 0xca && head <= 0xd3);
}

static inline bool
take_measure(struct reader *r, uint32_t n, struct event *e)
{
	if (n < 4 || n > 5 || !take_number(r, &e->code) || !take_text(r, &e->name) ||
	    !take_text_or_nil(r, &e->detail) || room(r) < 1 || !is_number(*r->p))
		return false;
	e->value = r->p;
	e->attrs.items = NULL;
	return take_value(r) && (n < 5 || take_attrs(r, &e->attrs));
}

uint32_t
decode_fast(const uint8_t *bytes, size_t n, struct event *e)
{
	struct reader r = { bytes + 2, bytes + n };
	uint32_t fields;
	bool whole;

	if (n < 3 || (bytes[0] & 0xf0) != 0x90)
		return 0;
	fields = (bytes[0] & 0x0fu) - 1;
	e->type = bytes[1];
	switch (bytes[1]) {
	case WIRE_SPAN: whole = take_span(&r, fields, e); break;
	case WIRE_START: whole = take_start(&r, fields, e); break;
	case WIRE_END: whole = take_end(&r, fields, e); break;
	case WIRE_PRODUCED: whole = take_produced(&r, fields, e); break;
	case WIRE_CONSUMED: whole = take_consumed(&r, fields, e); break;
	case WIRE_ATTR: whole = take_attr(&r, fields, e); break;
	case WIRE_EVENT: whole = take_event(&r, fields, e); break;
	case WIRE_MEASURE: whole = take_measure(&r, fields, e); break;
	default: return 0;
	}
	return whole && r.p - bytes <= WIRE_EVENT_MAX ? (uint32_t)(r.p - bytes) : 0;
}

enum decode_outcome
decode_slow(struct decoder *d, const uint8_t *bytes, size_t n, struct event *e)
{
	switch (scan_event(&d->scan, bytes, n)) {
	case SCAN_WHOLE:
		d->used = d->scan.at;
		d->scan.at = 0;
		return shape_read(bytes, e) ? DECODE_OK : DECODE_SHAPE;
	case SCAN_MORE: return DECODE_MORE;
	case SCAN_TOO_DEEP: return DECODE_TOO_DEEP;
	case SCAN_OVERSIZED: return DECODE_OVERSIZED;
	case SCAN_MALFORMED: break;
	}
	return DECODE_MALFORMED;
}

enum decode_outcome
decode(struct decoder *d, const uint8_t *bytes, size_t n, struct event *e)
{
	if (d->scan.at == 0) {
		d->used = decode_fast(bytes, n, e);
		if (d->used != 0)
			return DECODE_OK;
	}
	return decode_slow(d, bytes, n, e);
}
