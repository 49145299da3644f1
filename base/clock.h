/*
 * clock.h -- the two kinds of time, as types that cannot be mixed. All in nanoseconds.
 *
 * Pure code takes time as an argument; only edges and main call clock_mono() and clock_wall().
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

struct mono { /* since some start: for intervals, deadlines, ages */
	uint64_t ns;
};

struct wall { /* since the Unix epoch: what is exported */
	uint64_t ns;
};

#define CLOCK_SECOND UINT64_C(1000000000)
#define CLOCK_MILLI  UINT64_C(1000000)

struct mono clock_mono(void);
struct wall clock_wall(void);

#endif
