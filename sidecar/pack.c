#include "pack.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pack.h swaps bytes: it expects a little-endian machine"
#endif

static const uint8_t *
integer(struct pack *t, int64_t i, const uint8_t *next)
{
	t->kind = i < 0 ? PACK_INT : PACK_UINT;
	t->i = i;
	return next;
}

static const uint8_t *
natural(struct pack *t, uint64_t u, const uint8_t *next)
{
	t->kind = PACK_UINT;
	t->u = u;
	return next;
}

static const uint8_t *
real(struct pack *t, double d, const uint8_t *next)
{
	t->kind = PACK_FLOAT;
	t->d = d;
	return next;
}

static const uint8_t *
bytes(struct pack *t, enum pack_kind kind, uint32_t n, const uint8_t *at)
{
	t->kind = kind;
	t->n = n;
	t->bytes = at;
	return at + n;
}

static const uint8_t *
container(struct pack *t, enum pack_kind kind, uint32_t n, const uint8_t *next)
{
	t->kind = kind;
	t->n = n;
	return next;
}

const uint8_t *
pack_read(const uint8_t *p, struct pack *t)
{
	uint8_t head = *p++;
	uint32_t bits;
	uint64_t wide;
	float f;
	double d;

	if (head < 0x80)
		return natural(t, head, p);
	if (head >= 0xe0)
		return integer(t, (int8_t)head, p);
	if (head >= 0xa0 && head < 0xc0)
		return bytes(t, PACK_STR, head & 0x1f, p);
	if (head < 0x90)
		return container(t, PACK_MAP, head & 0x0f, p);
	if (head < 0xa0)
		return container(t, PACK_ARRAY, head & 0x0f, p);
	switch (head) {
	case 0xc2:
	case 0xc3:
		t->kind = PACK_BOOL;
		t->u = head & 1;
		return p;
	case 0xc4: return bytes(t, PACK_BIN, *p, p + 1);
	case 0xc5: return bytes(t, PACK_BIN, pack_u16(p), p + 2);
	case 0xc6: return bytes(t, PACK_BIN, pack_u32(p), p + 4);
	case 0xc7: return bytes(t, PACK_EXT, *p + 1u, p + 1);
	case 0xc8: return bytes(t, PACK_EXT, pack_u16(p) + 1u, p + 2);
	case 0xc9: return bytes(t, PACK_EXT, pack_u32(p) + 1u, p + 4);
	case 0xca:
		bits = pack_u32(p);
		memcpy(&f, &bits, sizeof(f));
		return real(t, (double)f, p + 4);
	case 0xcb:
		wide = pack_u64(p);
		memcpy(&d, &wide, sizeof(d));
		return real(t, d, p + 8);
	case 0xcc: return natural(t, *p, p + 1);
	case 0xcd: return natural(t, pack_u16(p), p + 2);
	case 0xce: return natural(t, pack_u32(p), p + 4);
	case 0xcf: return natural(t, pack_u64(p), p + 8);
	case 0xd0: return integer(t, (int8_t)*p, p + 1);
	case 0xd1: return integer(t, (int16_t)pack_u16(p), p + 2);
	case 0xd2: return integer(t, (int32_t)pack_u32(p), p + 4);
	case 0xd3: return integer(t, (int64_t)pack_u64(p), p + 8);
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8: return bytes(t, PACK_EXT, (1u << (head - 0xd4)) + 1, p);
	case 0xd9: return bytes(t, PACK_STR, *p, p + 1);
	case 0xda: return bytes(t, PACK_STR, pack_u16(p), p + 2);
	case 0xdb: return bytes(t, PACK_STR, pack_u32(p), p + 4);
	case 0xdc: return container(t, PACK_ARRAY, pack_u16(p), p + 2);
	case 0xdd: return container(t, PACK_ARRAY, pack_u32(p), p + 4);
	case 0xde: return container(t, PACK_MAP, pack_u16(p), p + 2);
	case 0xdf: return container(t, PACK_MAP, pack_u32(p), p + 4);
	default: t->kind = PACK_NIL; return p; /* c0: the scan lets no c1 through */
	}
}

const uint8_t *
pack_skip(const uint8_t *p)
{
	struct pack t;

	for (uint32_t wanted = 1; wanted != 0; wanted--) {
		p = pack_read(p, &t);
		if (t.kind == PACK_ARRAY)
			wanted += t.n;
		else if (t.kind == PACK_MAP)
			wanted += 2 * t.n;
	}
	return p;
}
