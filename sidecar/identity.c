#include "identity.h"

#include "base/buf.h"
#include "utf8.h"
#include "varint.h"

#include <stdio.h>
#include <string.h>

enum { TAG_ATTRIBUTE = 0x0a, TAG_KEY = 0x0a, TAG_VALUE = 0x12, TAG_STRING = 0x0a };

static void
put_attribute(struct buf *b, struct text key, struct text value)
{
	size_t any = 1 + varint_len(value.len) + value.len;
	size_t pair = 1 + varint_len(key.len) + key.len + 1 + varint_len(any) + any;

	buf_put_u8(b, TAG_ATTRIBUTE);
	varint_append(b, pair);
	buf_put_u8(b, TAG_KEY);
	varint_append(b, key.len);
	buf_put(b, key.s, key.len);
	buf_put_u8(b, TAG_VALUE);
	varint_append(b, any);
	buf_put_u8(b, TAG_STRING);
	varint_append(b, value.len);
	buf_put(b, value.s, value.len);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct text
trim(const char *s, size_t n)
{
	while (n != 0 && (*s == ' ' || *s == '\t'))
		s++, n--;
	while (n != 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	return (struct text){ s, (uint32_t)n };
}

/* %XX decoded into out, which is large enough. -1: a % without its two digits. */
static int
decode(struct text in, char *out, struct text *decoded)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < in.len; i++) {
		if (in.s[i] != '%') {
			out[n++] = in.s[i];
			continue;
		}
		if (i + 2 >= in.len || hex(in.s[i + 1]) < 0 || hex(in.s[i + 2]) < 0)
			return -1;
		out[n++] = (char)(hex(in.s[i + 1]) << 4 | hex(in.s[i + 2]));
		i += 2;
	}
	*decoded = (struct text){ out, n };
	return 0;
}

/* What tells one service from another: our own would be wrong on a service's metrics. */
static bool
names_service(struct text key)
{
	return text_same(key, TEXT("service.name")) || text_same(key, TEXT("service.namespace")) ||
	       text_same(key, TEXT("service.instance.id"));
}

/* The next item off *list that is not empty. */
static bool
next_item(const char **list, struct text *item)
{
	for (item->len = 0; item->len == 0 && **list != '\0';) {
		size_t len = strcspn(*list, ",");

		*item = trim(*list, len);
		*list += len + ((*list)[len] == ',');
	}
	return item->len != 0;
}

/* Both sides of an item's '=', decoded into key->s and value->s, which are large enough. Protobuf's
 * strings are UTF-8: a Collector refuses a whole request for one that is not. */
static bool
split(struct text item, char *keytext, struct text *key, char *valuetext, struct text *value)
{
	const char *equals = memchr(item.s, '=', item.len);
	size_t n = equals != NULL ? (size_t)(equals - item.s) : 0;

	return equals != NULL && decode(trim(item.s, n), keytext, key) == 0 &&
	       decode(trim(equals + 1, item.len - n - 1), valuetext, value) == 0 && key->len != 0 &&
	       utf8_fit(key->s, key->len, key->len).clean &&
	       utf8_fit(value->s, value->len, value->len).clean;
}

/* Of a key that is given twice the last value counts, as in OpenTelemetry's SDKs. */
static bool
comes_again(const char *list, struct text key)
{
	char keytext[IDENTITY_BYTES], valuetext[IDENTITY_BYTES];
	struct text item, other, value;

	while (next_item(&list, &item)) {
		if (split(item, keytext, &other, valuetext, &value) && text_same(other, key))
			return true;
	}
	return false;
}

static int
parse(const char *list, struct buf *traces, struct buf *metrics, char *error, size_t errlen)
{
	char keytext[IDENTITY_BYTES], valuetext[IDENTITY_BYTES];
	struct text item, key, value;

	if (strlen(list) >= IDENTITY_BYTES) {
		snprintf(error, errlen, "longer than %d bytes", IDENTITY_BYTES - 1);
		return -1;
	}
	while (next_item(&list, &item)) {
		if (!split(item, keytext, &key, valuetext, &value)) {
			snprintf(error, errlen, "'%.*s' is not key=value, percent-encoded UTF-8",
			    (int)item.len, item.s);
			return -1;
		}
		if (comes_again(list, key))
			continue;
		put_attribute(traces, key, value);
		if (!names_service(key))
			put_attribute(metrics, key, value);
	}
	if (traces->failed || metrics->failed) {
		snprintf(error, errlen, "too many attributes");
		return -1;
	}
	return 0;
}

int
identity_make(struct identity *id, const char *attributes, const uint8_t random[16], char *error,
    size_t errlen)
{
	struct buf traces, metrics;
	char uuid[37];
	uint8_t r[16];
	int bad = 0;

	memcpy(r, random, sizeof(r));
	r[6] = (uint8_t)((r[6] & 0x0f) | 0x40); /* version 4 */
	r[8] = (uint8_t)((r[8] & 0x3f) | 0x80); /* variant */
	snprintf(uuid, sizeof(uuid),
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
	    r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
	    r[15]);
	buf_init(&traces, id->bytes, IDENTITY_BYTES);
	buf_init(&metrics, id->bytes + IDENTITY_BYTES, IDENTITY_BYTES - 128);
	if (attributes != NULL && parse(attributes, &traces, &metrics, error, errlen) != 0) {
		bad = -1;
		traces.len = metrics.len = 0;
	}
	metrics.cap = IDENTITY_BYTES;
	metrics.failed = false;
	put_attribute(&metrics, TEXT("service.instance.id"), (struct text){ uuid, 36 });
	id->traces = (struct text){ (const char *)traces.base, (uint32_t)traces.len };
	id->metrics = (struct text){ (const char *)metrics.base, (uint32_t)metrics.len };
	return bad;
}
