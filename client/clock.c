#include "clock.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum {
	FIT_MIN = 50 * 1000 * 1000, /* ns between readings: 50 ns of noise are then 1 ppm */
	BEND_MAX = 100 * 1000,      /* ns: further off is a step, as when the clock was set */
	SLEW = 1000 * 1000 * 1000,  /* ns in which an error is bent away */
	RATE_SHIFT = 10,            /* a rate may differ by 1/1024: NTP slews by 1/2000 */
};

struct clock_line clock_line = { .seq = 1 };
static struct clock_fit fit;
static atomic_flag fitting = ATOMIC_FLAG_INIT;
static _Atomic int wanted = 1; /* counter: 1 if it is constant, 0 no */

static uint64_t
read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t
clock_now_system(void)
{
	return read_clock(CLOCK_REALTIME);
}

#if defined(__x86_64__)

static uint64_t
scale(uint64_t ticks, uint64_t slope)
{
	return (uint64_t)(((unsigned __int128)ticks * slope) >> 32);
}

bool
clock_fit(struct clock_fit *f, uint64_t tsc, uint64_t mono, uint64_t real)
{
	uint64_t rate, line, change;
	int64_t error;

	if (f->useless)
		return false;
	if (!f->begun) {
		*f = (struct clock_fit){ .tsc = tsc, .mono = mono, .line = real, .begun = true };
		return false;
	}
	if (mono - f->mono < FIT_MIN)
		return false;
	rate = tsc > f->tsc
		   ? (uint64_t)(((unsigned __int128)(mono - f->mono) << 32) / (tsc - f->tsc))
		   : 0;
	change = rate > f->rate ? rate - f->rate : f->rate - rate;
	if (rate == 0 || (f->rate != 0 && change > f->rate >> RATE_SHIFT)) {
		f->useless = true;
		f->slope = 0;
		return true;
	}
	line = f->slope == 0 ? real : f->line + scale(tsc - f->tsc, f->slope);
	error = (int64_t)(real - line);
	if (error > BEND_MAX || error < -BEND_MAX) {
		line = real;
		error = 0;
	}
	f->tsc = tsc;
	f->mono = mono;
	f->line = line;
	f->rate = rate;
	f->slope = (uint64_t)((int64_t)rate + (int64_t)((__int128)(int64_t)rate * error / SLEW));
	return true;
}

/* The three clocks at one moment: the narrowest of a few tries, as any may be interrupted. */
static void
read_all(uint64_t *tsc, uint64_t *mono, uint64_t *real)
{
	uint64_t narrowest = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t before = __rdtsc(), m = read_clock(CLOCK_MONOTONIC);
		uint64_t r = read_clock(CLOCK_REALTIME), after = __rdtsc();

		if (after - before < narrowest) {
			narrowest = after - before;
			*tsc = before + narrowest / 2;
			*mono = m;
			*real = r;
		}
	}
}

/* The processor says "invariant", and the kernel has not found otherwise and left it. */
static bool
constant(void)
{
	static const char path[] =
	    "/sys/devices/system/clocksource/clocksource0/current_clocksource";
	unsigned a, b, c, d;
	char name[32] = "";
	ssize_t n;
	int fd;

	if (__get_cpuid(0x80000007, &a, &b, &c, &d) == 0 || (d & 1u << 8) == 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, name, sizeof(name) - 1);
	close(fd);
	return n <= 0 || (strncmp(name, "hpet", 4) != 0 && strncmp(name, "acpi_pm", 7) != 0 &&
			     strncmp(name, "jiffies", 7) != 0 && strncmp(name, "refined", 7) != 0);
}

static void
publish(uint64_t tsc, uint64_t ns, uint64_t slope)
{
	uint32_t seq = atomic_load_explicit(&clock_line.seq, memory_order_relaxed);

	atomic_store_explicit(&clock_line.seq, seq | 1, memory_order_relaxed);
	atomic_store_explicit(&clock_line.tsc, tsc, memory_order_release);
	atomic_store_explicit(&clock_line.ns, ns, memory_order_release);
	atomic_store_explicit(&clock_line.slope, slope, memory_order_release);
	if (slope != 0)
		atomic_store_explicit(&clock_line.seq, (seq | 1) + 1, memory_order_release);
}

void
clock_calibrate(void)
{
	uint64_t tsc = 0, mono = 0, real = 0;

	if (atomic_flag_test_and_set_explicit(&fitting, memory_order_acquire))
		return; /* another handle's flusher is at it */
	if (atomic_load(&wanted) && !fit.begun && !constant())
		atomic_store(&wanted, 0);
	if (atomic_load(&wanted)) {
		read_all(&tsc, &mono, &real);
		if (clock_fit(&fit, tsc, mono, real))
			publish(fit.tsc, fit.line, fit.slope);
	}
	atomic_flag_clear_explicit(&fitting, memory_order_release);
}

void
clock_reset(void)
{
	memset(&fit, 0, sizeof(fit));
	publish(0, 0, 0);
	atomic_flag_clear(&fitting);
}

bool
clock_use_tsc(bool use)
{
	atomic_store(&wanted, use && constant());
	clock_reset();
	return atomic_load(&wanted);
}

#else

void
clock_calibrate(void)
{
}

void
clock_reset(void)
{
}

bool
clock_use_tsc(bool use)
{
	(void)use;
	return false;
}

#endif

bool
clock_on_tsc(void)
{
	return (atomic_load_explicit(&clock_line.seq, memory_order_acquire) & 1) == 0;
}
