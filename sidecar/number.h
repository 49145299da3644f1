/*
 * number.h -- numbers as text: shortest that reads back as the same double, whatever the locale.
 * Pure.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include "base/buf.h"

#include <stdint.h>

void number_put_uint(struct buf *, uint64_t);
void number_put_int(struct buf *, int64_t);
/* "0.1", "2.5", "10000", "1e+300", "NaN", "+Inf", "-Inf". Whole numbers below 2^53 have no
 * exponent. */
void number_put_double(struct buf *, double);

#endif
