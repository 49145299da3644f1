#include "utf8.h"

#include <string.h>

/* Bytes that begin with eight of ASCII: nearly all of all text. */
static uint32_t
ascii(const char *s, uint32_t n)
{
	uint32_t i = 0;
	uint64_t eight;

	for (; n - i >= 8; i += 8) {
		memcpy(&eight, s + i, sizeof(eight));
		if ((eight & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	while (i < n && (unsigned char)s[i] < 0x80)
		i++;
	return i;
}

/* Bytes of the character that begins here; 0: none does. The table of Unicode 15, section 3.9. */
static uint32_t
character(const char *s, uint32_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */
	uint32_t size;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		size = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		size = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		size = 4;
	else
		return 0;
	if (n < size)
		return 0;
	switch (p[0]) {
	case 0xe0: low = 0xa0; break;  /* else overlong */
	case 0xed: high = 0x9f; break; /* else a surrogate */
	case 0xf0: low = 0x90; break;  /* else overlong */
	case 0xf4: high = 0x8f; break; /* else above U+10FFFF */
	default: break;
	}
	if (p[1] < low || p[1] > high)
		return 0;
	for (uint32_t i = 2; i < size; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

struct utf8
utf8_fit(const char *s, uint32_t n, uint32_t limit)
{
	struct utf8 u = { .keep = 0, .clean = true };
	uint32_t at = ascii(s, n), size;

	u.keep = at < limit ? at : limit;
	while (at < n) {
		size = character(s + at, n - at);
		if (size == 0) {
			u.clean = false;
			size = 1;
		}
		if (at + size <= limit)
			u.keep = at + size;
		at += size;
	}
	return u;
}

void
utf8_clean(char *to, const char *from, uint32_t n)
{
	uint32_t at = 0, size;

	while (at < n) {
		size = character(from + at, n - at);
		if (size == 0) {
			to[at++] = '?';
		} else {
			memcpy(to + at, from + at, size);
			at += size;
		}
	}
}
