#include "total.h"

#include <string.h>

enum { LIMBS = 4, CHUNK_DIGITS = 9 };
#define CHUNK UINT32_C(1000000000)

struct magnitude { /* of a total, without its sign */
	uint64_t hi, lo;
};

static struct magnitude
negate(struct magnitude m)
{
	return (struct magnitude){ .hi = ~m.hi + (m.lo == 0), .lo = ~m.lo + 1 };
}

struct total
total_of(int64_t v)
{
	return (struct total){ .hi = v < 0 ? -1 : 0, .lo = (uint64_t)v };
}

bool
total_equal(struct total a, struct total b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

bool
total_add(struct total *sum, struct total b)
{
	struct total a = *sum;
	uint64_t lo = a.lo + b.lo;
	int64_t hi = (int64_t)((uint64_t)a.hi + (uint64_t)b.hi + (lo < a.lo));

	/* Only terms of one sign can leave the range, and then the sign of the result is the other
	 * one. */
	if ((a.hi < 0) == (b.hi < 0) && (hi < 0) != (a.hi < 0))
		return false;
	*sum = (struct total){ .hi = hi, .lo = lo };
	return true;
}

/* Divide by 10^9 in place, most significant limb first; return the remainder. */
static uint32_t
divide(uint32_t limb[LIMBS])
{
	uint64_t rest = 0;

	for (int i = 0; i < LIMBS; i++) {
		rest = rest << 32 | limb[i];
		limb[i] = (uint32_t)(rest / CHUNK);
		rest %= CHUNK;
	}
	return (uint32_t)rest;
}

size_t
total_format(struct total t, char out[TOTAL_TEXT])
{
	struct magnitude m = { .hi = (uint64_t)t.hi, .lo = t.lo };
	char digits[LIMBS * CHUNK_DIGITS + CHUNK_DIGITS], *p = digits + sizeof(digits);
	size_t n;

	if (t.hi < 0)
		m = negate(m);
	uint32_t limb[LIMBS] = { (uint32_t)(m.hi >> 32), (uint32_t)m.hi, (uint32_t)(m.lo >> 32),
		(uint32_t)m.lo };
	do {
		uint32_t chunk = divide(limb);
		for (int i = 0; i < CHUNK_DIGITS; i++, chunk /= 10)
			*--p = (char)('0' + chunk % 10);
	} while (limb[0] | limb[1] | limb[2] | limb[3]);
	while (*p == '0' && p < digits + sizeof(digits) - 1)
		p++;
	n = (size_t)(digits + sizeof(digits) - p);
	if (t.hi < 0)
		*out++ = '-';
	memcpy(out, p, n);
	out[n] = '\0';
	return n + (t.hi < 0);
}

/* m * 10 + digit; false when that needs more than 128 bits. */
static bool
append(struct magnitude *m, unsigned digit)
{
	uint64_t low = (m->lo & UINT32_MAX) * 10 + digit;
	uint64_t mid = (m->lo >> 32) * 10 + (low >> 32);

	if (m->hi > (UINT64_MAX - (mid >> 32)) / 10)
		return false;
	m->hi = m->hi * 10 + (mid >> 32);
	m->lo = mid << 32 | (low & UINT32_MAX);
	return true;
}

bool
total_parse(struct total *t, const char *text, size_t len)
{
	struct magnitude m = { 0 };
	bool negative = len > 0 && text[0] == '-';
	const uint64_t top = UINT64_C(1) << 63;

	if (negative)
		text++, len--;
	if (len == 0 || (text[0] == '0' && (len > 1 || negative)))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || !append(&m, (unsigned)(text[i] - '0')))
			return false;
	}
	if (m.hi >= top && !(negative && m.hi == top && m.lo == 0))
		return false;
	if (negative)
		m = negate(m);
	*t = (struct total){ .hi = (int64_t)m.hi, .lo = m.lo };
	return true;
}
