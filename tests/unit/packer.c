#include "packer.h"

#include <stdlib.h>
#include <string.h>

struct packer
packer_new(void)
{
	return (struct packer){ malloc(PACKER_ROOM), 0 };
}

void
packer_raw(struct packer *p, const void *bytes, size_t n)
{
	if (n > PACKER_ROOM - p->n)
		abort();
	if (n != 0)
		memcpy(p->bytes + p->n, bytes, n);
	p->n += n;
}

void
packer_head(struct packer *p, unsigned head, uint64_t v, unsigned size)
{
	uint8_t be[9] = { (uint8_t)head };

	for (unsigned i = 0; i < size; i++)
		be[1 + i] = (uint8_t)(v >> 8 * (size - 1 - i));
	packer_raw(p, be, 1 + size);
}

void
packer_nil(struct packer *p)
{
	packer_head(p, 0xc0, 0, 0);
}

void
packer_bool(struct packer *p, int v)
{
	packer_head(p, v ? 0xc3 : 0xc2, 0, 0);
}

void
packer_uint(struct packer *p, uint64_t v)
{
	if (v < 0x80)
		packer_head(p, (unsigned)v, 0, 0);
	else if (v <= UINT8_MAX)
		packer_head(p, 0xcc, v, 1);
	else if (v <= UINT16_MAX)
		packer_head(p, 0xcd, v, 2);
	else if (v <= UINT32_MAX)
		packer_head(p, 0xce, v, 4);
	else
		packer_head(p, 0xcf, v, 8);
}

void
packer_int(struct packer *p, int64_t v)
{
	if (v >= 0)
		packer_uint(p, (uint64_t)v);
	else if (v >= -32)
		packer_head(p, (unsigned)(v & 0xff), 0, 0);
	else
		packer_head(p, 0xd3, (uint64_t)v, 8);
}

void
packer_double(struct packer *p, double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	packer_head(p, 0xcb, bits, 8);
}

void
packer_str(struct packer *p, const char *s, size_t n)
{
	if (n < 32)
		packer_head(p, 0xa0 | (unsigned)n, 0, 0);
	else if (n <= UINT8_MAX)
		packer_head(p, 0xd9, n, 1);
	else
		packer_head(p, 0xda, n, 2);
	packer_raw(p, s, n);
}

void
packer_text(struct packer *p, const char *s)
{
	packer_str(p, s, strlen(s));
}

void
packer_bin(struct packer *p, const void *bytes, size_t n)
{
	packer_head(p, 0xc4, n, 1);
	packer_raw(p, bytes, n);
}

void
packer_array(struct packer *p, size_t n)
{
	if (n < 16)
		packer_head(p, 0x90 | (unsigned)n, 0, 0);
	else
		packer_head(p, 0xdc, n, 2);
}

void
packer_map(struct packer *p, size_t n)
{
	if (n < 16)
		packer_head(p, 0x80 | (unsigned)n, 0, 0);
	else
		packer_head(p, 0xde, n, 2);
}
