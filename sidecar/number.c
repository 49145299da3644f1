#include "number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
number_put_uint(struct buf *out, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	buf_put(out, digits + at, sizeof(digits) - at);
}

void
number_put_int(struct buf *out, int64_t v)
{
	if (v < 0)
		buf_put_u8(out, '-');
	number_put_uint(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void
number_put_double(struct buf *out, double v)
{
	char text[40];
	int len;

	if (isnan(v)) {
		buf_put_str(out, "NaN");
		return;
	}
	if (isinf(v)) {
		buf_put_str(out, v > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (fabs(v) < 0x1p53 && v == (double)(int64_t)v) {
		number_put_int(out, (int64_t)v);
		return;
	}
	/* A normal double holds any 15 digits, and %g drops zeros at the end: so the first
	 * precision from 15 on that reads back is the shortest. Subnormal ones hold fewer. Both
	 * directions follow one locale; its comma is made a point. */
	for (int precision = fabs(v) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
		len = snprintf(text, sizeof(text), "%.*g", precision, v);
		if (strtod(text, NULL) == v)
			break;
	}
	for (int i = 0; i < len; i++)
		if (strchr("0123456789+-e", text[i]) == NULL)
			text[i] = '.';
	buf_put(out, text, (size_t)len);
}
