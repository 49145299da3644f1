#include "encode.h"

#include "copy.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "encode.h writes big-endian numbers by swapping: a big-endian host needs its own encode_be64"
#endif

uint8_t *
encode_uint_short(uint8_t *p, uint64_t v)
{
	if (v < 0x80)
		return encode_byte(p, (unsigned)v);
	if (v <= UINT8_MAX) {
		p[0] = 0xcc;
		p[1] = (uint8_t)v;
		return p + 2;
	}
	if (v <= UINT16_MAX) {
		p[0] = 0xcd;
		p[1] = (uint8_t)(v >> 8);
		p[2] = (uint8_t)v;
		return p + 3;
	}
	p[0] = 0xce;
	p[1] = (uint8_t)(v >> 24);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 8);
	p[4] = (uint8_t)v;
	return p + 5;
}

uint8_t *
encode_int(uint8_t *p, int64_t v)
{
	if (v >= 0)
		return encode_uint(p, (uint64_t)v);
	if (v >= -32)
		return encode_byte(p, (unsigned)v & 0xff);
	if (v >= INT8_MIN) {
		p[0] = 0xd0;
		p[1] = (uint8_t)v;
		return p + 2;
	}
	if (v >= INT16_MIN) {
		p = encode_uint_short(p, (uint16_t)v);
		p[-3] = 0xd1;
		return p;
	}
	if (v >= INT32_MIN) {
		p = encode_uint_short(p, (uint32_t)v);
		p[-5] = 0xd2;
		return p;
	}
	return encode_be64(p, 0xd3, (uint64_t)v);
}

uint8_t *
encode_double(uint8_t *p, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return encode_be64(p, 0xcb, bits);
}

size_t
encode_cut(const char *s, size_t len, size_t max)
{
	size_t cut = max;

	if (len <= max)
		return len;
	/* A character has at most three bytes after its first; more of them is not UTF-8 anyway. */
	while (cut > 0 && max - cut < 3 && ((unsigned char)s[cut] & 0xc0) == 0x80)
		cut--;
	return ((unsigned char)s[cut] & 0xc0) == 0x80 ? max : cut;
}

uint8_t *
encode_str(uint8_t *p, const char *s, size_t len)
{
	if (len < 32) {
		*p++ = (uint8_t)(0xa0 | len);
	} else if (len <= UINT8_MAX) {
		*p++ = 0xd9;
		*p++ = (uint8_t)len;
	} else {
		*p++ = 0xda;
		*p++ = (uint8_t)(len >> 8);
		*p++ = (uint8_t)len;
	}
	copy_short(p, s, len);
	return p + len;
}

uint8_t *
encode_inline_text(uint8_t *p, const char *s)
{
	if (s == NULL)
		s = "";
	return encode_str(p, s, encode_cut(s, strnlen(s, WIRE_TEXT_MAX + 1), WIRE_TEXT_MAX));
}

uint8_t *
encode_map_head(uint8_t *p, size_t n)
{
	if (n < 16)
		return encode_byte(p, 0x80 | (unsigned)n);
	p[0] = 0xde;
	p[1] = (uint8_t)(n >> 8);
	p[2] = (uint8_t)n;
	return p + 3;
}

/* What cannot be a value is written as nil: the sidecar drops and counts it, its event stands. */
static inline __attribute__((always_inline)) uint8_t *
encode_value(uint8_t *p, const struct sidecar_attr *attr)
{
	const char *s = attr->value.s;
	size_t len = attr->len;

	switch (attr->type) {
	case SIDECAR_INT: return encode_int(p, attr->value.i);
	case SIDECAR_DOUBLE: return encode_double(p, attr->value.d);
	case SIDECAR_BOOL: return encode_byte(p, attr->value.i != 0 ? 0xc3 : 0xc2);
	case SIDECAR_STR: break;
	default: return encode_nil(p);
	}
	if (s == NULL)
		return encode_nil(p);
	if (len == UINT32_MAX)
		len = strnlen(s, WIRE_VALUE_MAX + 1);
	len = encode_cut(s, len, WIRE_VALUE_MAX);
	return encode_str(p, s, len);
}

/* Near the end it is encoded elsewhere first, to see whether it fits. */
static __attribute__((noinline)) uint8_t *
put_attr_tight(
    uint8_t *p, const uint8_t *end, const struct intern *names, const struct sidecar_attr *attr)
{
	uint8_t bytes[ENCODE_TEXT + 3 + WIRE_VALUE_MAX];
	uint8_t *stop = encode_text(bytes, names, attr->key);
	size_t size;

	stop = encode_value(stop, attr);
	size = (size_t)(stop - bytes);
	if ((size_t)(end - p) < size)
		return NULL;
	memcpy(p, bytes, size);
	return p + size;
}

static inline uint8_t *
put_attr(
    uint8_t *p, const uint8_t *end, const struct intern *names, const struct sidecar_attr *attr)
{
	if (__builtin_expect(end - p < ENCODE_TEXT + 3 + WIRE_VALUE_MAX, 0))
		return put_attr_tight(p, end, names, attr);
	return encode_value(encode_text(p, names, attr->key), attr);
}

uint8_t *
encode_attr(
    uint8_t *p, const uint8_t *end, const struct intern *names, const struct sidecar_attr *attr)
{
	return put_attr(p, end, names, attr);
}

uint8_t *
encode_attrs(uint8_t *p, const uint8_t *end, const struct intern *names,
    const struct sidecar_attr *attrs, size_t n, struct encode_kept *kept)
{
	const uint8_t *first;

	if (kept != NULL)
		kept->size = kept->attrs = 0;
	if (n == 0)
		return end - p < 1 ? NULL : encode_nil(p);
	if (n > UINT16_MAX || end - p < 3)
		return NULL;
	p = encode_map_head(p, n);
	first = p;
	for (size_t i = 0; i < n; i++) {
		p = put_attr(p, end, names, &attrs[i]);
		if (p == NULL)
			return NULL;
		if (kept != NULL && (size_t)(p - first) <= kept->room && i < WIRE_ATTRS_MAX) {
			kept->size = (size_t)(p - first);
			kept->attrs = (uint32_t)i + 1;
		}
	}
	return p;
}
