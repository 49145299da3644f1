#include "promname.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void
escape(struct buf *out, struct text name, bool colons)
{
	bool underscore = false;

	for (uint32_t i = 0; i < name.len; i++) {
		char c = name.s[i];

		if (is_word(c) || (c == ':' && colons)) {
			buf_put_u8(out, (uint8_t)c);
			underscore = false;
		} else if (!underscore) {
			buf_put_u8(out, '_');
			underscore = true;
		}
	}
}

static bool
ends_with(struct text t, struct text end)
{
	return t.len >= end.len && memcmp(t.s + t.len - end.len, end.s, end.len) == 0;
}

void
promname_metric(struct buf *out, struct text name, bool counter)
{
	size_t start = out->len;

	if (name.len == 0 || is_digit(name.s[0]))
		buf_put_u8(out, '_');
	escape(out, name, true);
	if (out->failed)
		return;

	struct text made = { .s = (char *)out->base + start, .len = (uint32_t)(out->len - start) };

	if (counter && !ends_with(made, TEXT("_total")))
		buf_put_str(out, ends_with(made, TEXT("_")) ? "total" : "_total");
}

void
promname_label(struct buf *out, struct text key)
{
	static const char *const ours[] = { "service_name", "service_namespace", "le",
		"otel_metric_overflow" };
	size_t start = out->len;

	if (key.len == 0 || is_digit(key.s[0]))
		buf_put_str(out, "key_");
	escape(out, key, false);
	if (out->failed)
		return;

	size_t len = out->len - start;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strlen(ours[i]) == len && memcmp(out->base + start, ours[i], len) == 0) {
			out->len = start;
			buf_put_str(out, "exported_");
			buf_put_str(out, ours[i]);
			return;
		}
}
