/* clock: the fitted line against simulated counters, and both real clocks against the system's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "client/clock.h"

static const uint64_t SECOND = 1000000000, EPOCH = UINT64_C(1700000000000000000);

/* A machine: a counter at hz, and a wall clock that is off and drifts. */
struct machine {
	uint64_t hz, t; /* t: true ns since the start */
	int64_t ppm, offset;
};

static uint64_t
counter(const struct machine *m)
{
	return (uint64_t)((unsigned __int128)m->t * m->hz / SECOND) + 12345;
}

/* CLOCK_MONOTONIC and CLOCK_REALTIME are slewed alike; only the second is ever set. */
static uint64_t
monotonic(const struct machine *m)
{
	return m->t + (uint64_t)((__int128)m->t * m->ppm / 1000000);
}

static uint64_t
real(const struct machine *m)
{
	return EPOCH + monotonic(m) + (uint64_t)m->offset;
}

static bool
fit(struct clock_fit *f, const struct machine *m)
{
	return clock_fit(f, counter(m), monotonic(m), real(m));
}

static int64_t
error(const struct clock_fit *f, const struct machine *m)
{
	uint64_t ticks = counter(m) - f->tsc;
	uint64_t ns = f->line + (uint64_t)(((unsigned __int128)ticks * f->slope) >> 32);

	return (int64_t)(ns - real(m));
}

static void
follows_any_rate(void **state)
{
	static const uint64_t rates[] = { 100000000, 1000000000, 2099999000, 5000000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct machine m = { .hz = rates[i], .ppm = 40 };
		struct clock_fit f = { .slope = 0 };

		assert_false(fit(&f, &m)); /* the first is where it begins */
		m.t += 49 * SECOND / 1000;
		assert_false(fit(&f, &m)); /* too soon to tell the rate */
		assert_int_equal(f.slope, 0);
		m.t += 2 * SECOND / 1000;
		assert_true(fit(&f, &m));
		for (int s = 0; s < 3600; s++) {
			m.t += SECOND;
			m.ppm = 40; /* constant: what is left is rounding */
			assert_in_range(error(&f, &m) + 100, 0, 200);
			assert_true(fit(&f, &m));
		}
	}
}

/* NTP changes the rate: the line is bent after it, never broken, and never runs back. */
static void
bends_after_a_drift(void **state)
{
	struct machine m = { .hz = 2100000000 };
	struct clock_fit f = { .slope = 0 };
	uint64_t last = 0;

	(void)state;
	fit(&f, &m);
	m.t += SECOND;
	fit(&f, &m);
	for (int s = 0; s < 100; s++) {
		uint64_t before, at_fit;

		m.offset += s < 50 ? 20000 : 0; /* 20 us a second, and then no more */
		m.t += SECOND;
		before =
		    f.line + (uint64_t)(((unsigned __int128)(counter(&m) - f.tsc) * f.slope) >> 32);
		assert_true(fit(&f, &m));
		at_fit = f.line;
		assert_true(at_fit == before); /* no step */
		assert_true(at_fit > last);
		last = at_fit;
		assert_in_range(error(&f, &m) + 100000, 0, 200000);
	}
	assert_in_range(error(&f, &m) + 100, 0, 200);
}

static void
steps_when_the_clock_was_set(void **state)
{
	static const int64_t steps[] = { 150000, -150000, 3600 * INT64_C(1000000000),
		-3600 * INT64_C(1000000000) };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct machine m = { .hz = 2100000000 };
		struct clock_fit f = { .slope = 0 };

		fit(&f, &m);
		m.t += SECOND;
		fit(&f, &m);
		m.t += SECOND;
		m.offset = steps[i];
		assert_true(fit(&f, &m));
		assert_in_range(error(&f, &m) + 5, 0, 10);
		assert_false(f.useless);
	}
}

/* A counter that stops, jumps or changes its pace is given up for good. */
static void
gives_up_a_bad_counter(void **state)
{
	(void)state;
	for (int fault = 0; fault < 3; fault++) {
		struct machine m = { .hz = 2100000000 };
		struct clock_fit f = { .slope = 0 };
		uint64_t tsc;

		fit(&f, &m);
		m.t += SECOND;
		fit(&f, &m);
		assert_true(f.slope != 0);
		m.t += SECOND;
		tsc = fault == 0 ? f.tsc : fault == 1 ? f.tsc - 1000 : f.tsc + 2110000000;
		assert_true(clock_fit(&f, tsc, monotonic(&m), real(&m)));
		assert_true(f.useless);
		assert_int_equal(f.slope, 0);
		m.t += SECOND;
		assert_false(fit(&f, &m));
	}
}

/* Wait until the line is there, if it can be. */
static bool
use(bool tsc)
{
	bool constant = clock_use_tsc(tsc);

	assert_false(clock_on_tsc());
	while (constant && !clock_on_tsc())
		clock_calibrate();
	return constant;
}

static void
agrees_with_the_system(void **state)
{
	(void)state;
	for (int tsc = 0; tsc <= 1; tsc++) {
		bool on = use(tsc != 0);
		int64_t worst = 0;

		assert_int_equal(clock_on_tsc(), on);
		for (int i = 0; i < 100000; i++) {
			uint64_t a = clock_now_system(), now = clock_now(), b = clock_now_system();
			int64_t off = now < a   ? (int64_t)(a - now)
				      : now > b ? (int64_t)(now - b)
						: 0;

			if (off > worst && b - a < 2000) /* not interrupted in between */
				worst = off;
		}
		assert_in_range(worst, 0, 50000); /* 1 ppm of the first 50 ms, and a margin */
	}
	clock_reset();
	assert_false(clock_on_tsc());
	assert_in_range(clock_now() - EPOCH, 0, UINT64_C(4000000000) * SECOND);
}

static _Atomic bool done;

static void *
reader(void *arg)
{
	uint64_t *jumps = arg, last = clock_now();

	while (!atomic_load(&done)) {
		uint64_t now = clock_now();

		if (now + 1000000 < last || now > last + 10 * SECOND)
			++*jumps;
		last = now;
	}
	return NULL;
}

/* Threads read while the line is rewritten: they see the old one or the new one, never a mixture. */
static void
read_while_it_changes(void **state)
{
	uint64_t jumps[3] = { 0 };
	pthread_t threads[3];

	(void)state;
	use(true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &jumps[i]), 0);
	for (int round = 0; round < 5; round++)
		use(true);
	atomic_store(&done, true);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(jumps[i], 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_any_rate),
		cmocka_unit_test(bends_after_a_drift),
		cmocka_unit_test(steps_when_the_clock_was_set),
		cmocka_unit_test(gives_up_a_bad_counter),
		cmocka_unit_test(agrees_with_the_system),
		cmocka_unit_test(read_while_it_changes),
	};

	return cmocka_run_group_tests_name("client_clock", tests, NULL, NULL);
}
