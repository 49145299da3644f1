/* W3C Trace Context, level 2: version-traceid-parentid-flags, in lower-case hex. */
#include <string.h>

#include "sidecar.h"

enum { LENGTH = SIDECAR_TRACEPARENT_SIZE - 1, TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53 };

static char *
put_hex(char *p, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*p++ = digits[bytes[i] >> 4];
		*p++ = digits[bytes[i] & 15];
	}
	return p;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
get_hex(uint8_t *bytes, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = digit(s[2 * i]), low = digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int
is_zero(const uint8_t *bytes, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= bytes[i];
	return any == 0;
}

size_t
sidecar_inject(const struct sidecar_context *context, char out[SIDECAR_TRACEPARENT_SIZE])
{
	char *p = out;
	uint8_t flags;

	*out = '\0';
	if (context == NULL || is_zero(context->trace_id, sizeof(context->trace_id)) ||
	    is_zero(context->span_id, sizeof(context->span_id)))
		return 0;
	flags = context->flags & (SIDECAR_SAMPLED | SIDECAR_RANDOM);
	memcpy(p, "00-", 3);
	p = put_hex(p + 3, context->trace_id, sizeof(context->trace_id));
	*p++ = '-';
	p = put_hex(p, context->span_id, sizeof(context->span_id));
	*p++ = '-';
	p = put_hex(p, &flags, 1);
	*p = '\0';
	return LENGTH;
}

/* Of a higher version only these four fields are known, and only if nothing or a dash follows. */
static int
extract(const char *s, size_t len, struct sidecar_context *out)
{
	uint8_t version, flags;

	if (len < LENGTH || get_hex(&version, s, 1) != 0 || version == 0xff)
		return -1;
	if (len > LENGTH && (version == 0 || s[LENGTH] != '-'))
		return -1;
	if (s[TRACE_AT - 1] != '-' || s[SPAN_AT - 1] != '-' || s[FLAGS_AT - 1] != '-')
		return -1;
	if (get_hex(out->trace_id, s + TRACE_AT, sizeof(out->trace_id)) != 0 ||
	    get_hex(out->span_id, s + SPAN_AT, sizeof(out->span_id)) != 0 ||
	    get_hex(&flags, s + FLAGS_AT, 1) != 0)
		return -1;
	if (is_zero(out->trace_id, sizeof(out->trace_id)) ||
	    is_zero(out->span_id, sizeof(out->span_id)))
		return -1;
	out->flags = (flags & (SIDECAR_SAMPLED | SIDECAR_RANDOM)) | SIDECAR_REMOTE;
	return 0;
}

int
sidecar_extract(const char *s, size_t len, struct sidecar_context *out)
{
	memset(out, 0, sizeof(*out));
	if (s == NULL)
		return -1;
	for (; len > 0 && (*s == ' ' || *s == '\t'); len--)
		s++;
	for (; len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'); len--)
		continue;
	if (extract(s, len, out) == 0)
		return 0;
	memset(out, 0, sizeof(*out));
	return -1;
}
