#include "line.h"

#include <string.h>

static const char cut_mark[] = ",\"cut\":true}"; /* the longest end; its room is kept free */

/* Bytes of the well-formed character (RFC 3629) that begins here, n > 0 being left; 0: none does. */
static size_t
character(const uint8_t *s, size_t n)
{
	size_t size = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (size > n || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || /* overlong */
	    (s[0] == 0xed && s[1] > 0x9f) || /* surrogates */
	    (s[0] == 0xf0 && s[1] < 0x90) || /* overlong */
	    (s[0] == 0xf4 && s[1] > 0x8f))   /* above U+10FFFF */
		return 0;
	return size;
}

/* Whether a terminal would act on this well-formed character. */
static bool
is_control(const uint8_t *s)
{
	return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

static size_t
digits(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

/* A JSON number in its one usual form: 0, -17, 0.250; no exponent, no -0, no integer that a reader
 * of 64 bits would refuse. */
static bool
is_number(const char *s, size_t n)
{
	bool negative = n > 0 && s[0] == '-';
	size_t at = negative, whole = digits(s + at, n - at);

	if (whole == 0 || whole > 19 || (whole > 1 && s[at] == '0'))
		return false;
	if (whole == 19 &&
	    memcmp(s + at, negative ? "9223372036854775808" : "9223372036854775807", 19) > 0)
		return false;
	if (at + whole == n)
		return !negative || s[at] != '0';
	at += whole + 1;
	return s[at - 1] == '.' && at < n && digits(s + at, n - at) == n - at;
}

/* ---- text ---- */

static bool
is_plain(const uint8_t *s, size_t n)
{
	for (size_t i = 0, size; i < n; i += size) {
		size = character(s + i, n - i);
		if (size == 0 || is_control(s + i) || memchr(" \"\\=", s[i], 4) != NULL)
			return false;
	}
	return n > 0 && !is_number((const char *)s, n);
}

static void
put_quoted(struct buf *b, const uint8_t *s, size_t n)
{
	for (size_t i = 0, size; i < n; i += size) {
		size = character(s + i, n - i);
		if (s[i] == '"' || s[i] == '\\')
			buf_put_u8(b, '\\');
		if (size > 0 && !is_control(s + i)) {
			buf_put(b, s + i, size);
			continue;
		}
		size = 1;
		if (s[i] == '\n')
			buf_put_str(b, "\\n");
		else if (s[i] == '\t')
			buf_put_str(b, "\\t");
		else
			buf_printf(b, "\\x%02x", (unsigned)s[i]);
	}
}

void
line_quote(struct buf *b, const void *bytes, size_t n, bool cut)
{
	bool plain = is_plain(bytes, n);

	if (!plain)
		buf_put_u8(b, '"');
	put_quoted(b, bytes, n);
	if (cut)
		buf_put_str(b, "...");
	if (!plain)
		buf_put_u8(b, '"');
}

/* ---- JSON ---- */

/* The character that begins here as it stands in a string; returns how many bytes it was. */
static size_t
put_escaped(struct buf *b, const uint8_t *s, size_t n)
{
	size_t size = character(s, n);

	if (size == 0 || s[0] == '\0') {
		buf_put_str(b, "\xef\xbf\xbd");
		return 1;
	}
	if (s[0] == '"' || s[0] == '\\')
		buf_put_u8(b, '\\');
	if (s[0] == '\n')
		buf_put_str(b, "\\n");
	else if (s[0] == '\t')
		buf_put_str(b, "\\t");
	else if (is_control(s))
		buf_printf(b, "\\u%04x", (unsigned)s[size - 1]); /* C2 80 is U+0080, and so on */
	else
		buf_put(b, s, size);
	return size;
}

/* The key, when it and least bytes of value fit. */
static bool
put_key(struct line *l, const char *key, size_t n, size_t least)
{
	l->cut = l->cut || n + sizeof(",\"\":") - 1 + least > l->out.cap - l->out.len;
	if (l->cut)
		return false;
	if (l->out.len > 1)
		buf_put_u8(&l->out, ',');
	buf_put_u8(&l->out, '"');
	buf_put(&l->out, key, n);
	buf_put_str(&l->out, "\":");
	return true;
}

static void
put_number(struct line *l, const char *key, size_t keylen, const char *s, size_t n)
{
	if (put_key(l, key, keylen, n))
		buf_put(&l->out, s, n);
}

static void
put_string(struct line *l, const char *key, size_t keylen, const void *bytes, size_t n)
{
	const uint8_t *s = bytes;

	if (!put_key(l, key, keylen, 2))
		return;
	buf_put_u8(&l->out, '"');
	for (size_t i = 0; i < n && !l->cut;) {
		uint8_t form[8]; /* "\u0000" and buf_printf()'s NUL */
		struct buf one;

		buf_init(&one, form, sizeof(form));
		i += put_escaped(&one, s + i, n - i);
		if (one.len + 1 > l->out.cap - l->out.len)
			l->cut = true;
		else
			buf_put(&l->out, form, one.len);
	}
	buf_put_u8(&l->out, '"');
}

void
line_begin(struct line *l, void *mem, size_t cap)
{
	*l = (struct line){ .cut = false };
	buf_init(&l->out, mem, cap - (sizeof(cut_mark) - 1));
	buf_put_u8(&l->out, '{');
}

void
line_string(struct line *l, const char *key, const void *bytes, size_t n)
{
	put_string(l, key, strlen(key), bytes, n);
}

size_t
line_end(struct line *l)
{
	l->out.cap += sizeof(cut_mark) - 1;
	if (!l->cut)
		buf_put_u8(&l->out, '}');
	else
		buf_put_str(&l->out, cut_mark + (l->out.len == 1)); /* without the comma */
	return l->out.len;
}

/* ---- from text to JSON ---- */

/* Length of the key that begins here, with a '=' behind it; 0: none does. */
static size_t
key_at(const char *s, size_t n)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.-";
	size_t i = 0;

	while (i < n && memchr(legal, s[i], sizeof(legal) - 1) != NULL)
		i++;
	return i < n && s[i] == '=' ? i : 0;
}

/* Length of the bare value that begins here. */
static size_t
bare(const char *s, size_t n)
{
	size_t end = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] != ' ')
			end = i + 1;
		else if (key_at(s + i + 1, n - i - 1) > 0)
			break;
	}
	return end;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that a backslash and what follows it mean; returns their length. */
static size_t
unescape(const char *s, size_t n, char *out)
{
	int high, low;

	*out = s[0];
	if (n < 2)
		return 1;
	*out = s[1];
	if (s[1] == 'n')
		*out = '\n';
	else if (s[1] == 't')
		*out = '\t';
	if (s[1] != 'x' || n < 4)
		return 2;
	high = hex_digit(s[2]);
	low = hex_digit(s[3]);
	if (high < 0 || low < 0)
		return 2;
	*out = (char)(high << 4 | low);
	return 4;
}

/* The quoted value that begins here, put in its own place; returns the length it had. */
static size_t
unquote(char *s, size_t n, size_t *size)
{
	size_t at = 1;

	*size = 0;
	while (at < n && s[at] != '"') {
		char c = s[at];

		at += c == '\\' ? unescape(s + at, n - at, &c) : 1;
		s[(*size)++] = c;
	}
	return at < n ? at + 1 : n;
}

void
line_pairs(struct line *l, char *text, size_t n, bool cut)
{
	static const char rest[] = "rest";
	size_t at = 0;

	while (at < n) {
		const char *key = text + at;
		size_t keylen = key_at(key, n - at), size;
		char *value;

		if (*key == ' ') {
			at++;
			continue;
		}
		if (keylen > 0) {
			at += keylen + 1;
		} else {
			key = rest;
			keylen = sizeof(rest) - 1;
		}
		value = text + at;
		if (at < n && *value == '"') {
			at += unquote(value, n - at, &size);
			put_string(l, key, keylen, value, size);
			continue;
		}
		size = bare(value, n - at);
		at += size;
		/* A number that was cut short would be another number. */
		if (is_number(value, size) && !(cut && at == n))
			put_number(l, key, keylen, value, size);
		else
			put_string(l, key, keylen, value, size);
	}
	l->cut = l->cut || cut;
}
