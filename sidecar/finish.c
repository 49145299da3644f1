#include "finish.h"

#include "protocol/wire.h"
#include "red.h"

#include <string.h>

const char *const span_end_type[SPAN_ENDS] = { NULL, "connection_lost", "timeout", "evicted",
	"closed", "protocol", "shutdown" };

const char *const span_end_message[SPAN_ENDS] = { NULL, "connection ended while the span was open",
	"span was open for too long", "too many open spans", "connection closed with the span open",
	"connection broke the protocol", "sidecar shut down while the span was open" };

/* Span.attributes: field 9 with tag and length, then KeyValue.key: field 1. */
enum { TAG_ATTRIBUTE = 0x4a, TAG_KEY = 0x0a, TAG_VALUE = 0x12, TAG_STRING = 0x0a };

static const char error_type[] = "error.type";

static uint32_t
varint(const uint8_t **p)
{
	uint32_t v = 0;

	for (unsigned shift = 0;; shift += 7) {
		uint8_t b = *(*p)++;

		v |= (uint32_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
}

/* A copy of the attributes in which error.type is the cause, whatever the client said it was. */
static struct span_list
with_error_type(const struct span_list *attrs, const char *cause, uint8_t *out)
{
	const uint8_t *p = attrs->bytes, *end = p + attrs->len;
	uint8_t *to = out, key = sizeof(error_type) - 1, len = (uint8_t)strlen(cause);
	uint32_t n = 0;

	while (p < end) {
		const uint8_t *start = p++;
		const uint8_t *next = start + 1;
		uint32_t body = varint(&next);
		const uint8_t *inside = next + 1;

		p = next + body;
		if (varint(&inside) == key && memcmp(inside, error_type, key) == 0)
			continue;
		memcpy(to, start, (size_t)(p - start));
		to += p - start;
		n++;
	}
	*to++ = TAG_ATTRIBUTE;
	*to++ = (uint8_t)(2 + key + 2 + 2 + len);
	*to++ = TAG_KEY;
	*to++ = key;
	memcpy(to, error_type, key);
	to += key;
	*to++ = TAG_VALUE;
	*to++ = (uint8_t)(2 + len);
	*to++ = TAG_STRING;
	*to++ = len;
	memcpy(to, cause, len);
	to += len;
	return (struct span_list){ out, (uint32_t)(to - out), n + 1, attrs->dropped };
}

static void
count_abandoned(struct ledger *l, enum span_end end)
{
	switch (end) {
	case SPAN_CONNECTION_LOST: l->abandoned_connection_lost++; break;
	case SPAN_TIMEOUT: l->abandoned_timeout++; break;
	case SPAN_EVICTED: l->abandoned_evicted++; break;
	case SPAN_CLOSED: l->abandoned_closed++; break;
	case SPAN_PROTOCOL: l->abandoned_protocol++; break;
	case SPAN_SHUTDOWN: l->abandoned_shutdown++; break;
	case SPAN_FINISHED:
	case SPAN_ENDS: break;
	}
}

static void export(
    struct finish *f, struct service *service, struct resource *resource, const struct span *s)
{
	struct ledger *l = &service->ledger;

	if ((s->flags & WIRE_FLAG_SAMPLED) == 0)
		l->unsampled++;
	else if (f->traces == NULL)
		l->dropped_no_endpoint++;
	else if (resource == NULL || !otlp_trace_append(f->traces, resource, s))
		l->dropped_batch_full++;
	else
		l->pending++;
}

void
finish_span(struct finish *f, struct service *service, struct resource *resource,
    const struct span *s, enum span_end end, bool resumed)
{
	if (end == SPAN_FINISHED) {
		service->ledger.finished++;
		red_span(f->meter, service, s);
		export(f, service, resource, s);
		return;
	}
	count_abandoned(&service->ledger, end);
	if (resumed) {
		service->ledger.dropped_resumed++;
		return;
	}

	struct span lost = *s;

	lost.status = WIRE_STATUS_ERROR;
	lost.message =
	    (struct text){ span_end_message[end], (uint32_t)strlen(span_end_message[end]) };
	lost.attrs = with_error_type(&s->attrs, span_end_type[end], f->scratch);
	red_span(f->meter, service, &lost);
	export(f, service, resource, &lost);
}
