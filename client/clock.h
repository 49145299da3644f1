/*
 * clock.h -- the wall clock in ns since the Unix epoch, for a few ns a reading.
 *
 * Where the processor's time-stamp counter runs at a constant rate, time is a line through it,
 * fitted by clock_calibrate() to CLOCK_REALTIME. Elsewhere, and until there is a line, it is
 * clock_gettime(). The line is bent, not broken, while it is less than 100 us off: time runs
 * backwards only when the wall clock was set back.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* How the line is found. Pure: the tests drive it with times of their own. */
struct clock_fit {
	uint64_t tsc, mono;  /* at the last fit */
	uint64_t line;       /* what the line said there */
	uint64_t rate;       /* ns per tick, times 2^32, by CLOCK_MONOTONIC; 0: not known yet */
	uint64_t slope;      /* the same, bent towards CLOCK_REALTIME */
	bool begun, useless; /* useless: the counter is not constant after all */
};

/* Take a reading of the three clocks; at least 50 ms must lie between two that count. Return
 * whether the line changed. */
bool clock_fit(struct clock_fit *, uint64_t tsc, uint64_t mono, uint64_t real);

/* Read by every thread; seq is odd while there is no line. */
struct clock_line {
	_Alignas(64) _Atomic uint32_t seq;
	_Atomic uint64_t tsc, ns, slope;
};
extern struct clock_line clock_line;

/* Call about once a second, and twice soon after the start, from any thread. */
void clock_calibrate(void);
/* Forget the line: in a forked child. Async-signal-safe. */
void clock_reset(void);
/* false: clock_gettime() from now on; true: the counter if it is constant. Returns which. */
bool clock_use_tsc(bool);
/* Whether times come from the counter now. */
bool clock_on_tsc(void);

uint64_t clock_now_system(void);

static inline uint64_t
clock_now(void)
{
#if defined(__x86_64__)
	/* Acquire on the fields orders them before the second look at seq. Free on x86. */
	uint32_t seq = atomic_load_explicit(&clock_line.seq, memory_order_acquire);
	uint64_t tsc = atomic_load_explicit(&clock_line.tsc, memory_order_acquire);
	uint64_t ns = atomic_load_explicit(&clock_line.ns, memory_order_acquire);
	uint64_t slope = atomic_load_explicit(&clock_line.slope, memory_order_acquire);

	if (__builtin_expect((seq & 1) == 0 &&
				 atomic_load_explicit(&clock_line.seq, memory_order_relaxed) == seq,
		1)) {
		uint64_t ticks = __rdtsc() - tsc;

		/* On another core, just after a fit, it may be a few below. */
		if (__builtin_expect((int64_t)ticks < 0, 0))
			ticks = 0;
		return ns + (uint64_t)(((unsigned __int128)ticks * slope) >> 32);
	}
#endif
	return clock_now_system();
}

#endif
