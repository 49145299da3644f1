#include "payload.h"

#include "base/buf.h"
#include "client/sidecar.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static void
put_time(struct buf *b, struct wall at)
{
	time_t seconds = (time_t)(at.ns / CLOCK_SECOND);
	struct tm t;
	char date[sizeof("2026-11-23T10:00:00")];

	gmtime_r(&seconds, &t);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &t);
	buf_printf(b, "%s.%09" PRIu64 "Z", date, at.ns % CLOCK_SECOND);
}

static void
put_hex(struct buf *b, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		buf_put_u8(b, (uint8_t)digits[bytes[i] >> 4]);
		buf_put_u8(b, (uint8_t)digits[bytes[i] & 15]);
	}
}

void
payload_write(
    struct buf *b, int64_t sum, struct wall produced_at, const struct sidecar_context *context)
{
	static const uint8_t none[sizeof(context->span_id)];

	buf_printf(b, "{\"sum\":%" PRId64 ",\"produced_at\":\"", sum);
	put_time(b, produced_at);
	buf_put_u8(b, '"');
	if (memcmp(context->span_id, none, sizeof(none)) != 0) {
		buf_put_str(b, ",\"trace_id\":\"");
		put_hex(b, context->trace_id, sizeof(context->trace_id));
		buf_put_str(b, "\",\"span_id\":\"");
		put_hex(b, context->span_id, sizeof(context->span_id));
		buf_put_u8(b, '"');
	}
	buf_put_u8(b, '}');
}
