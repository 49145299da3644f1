#include "flusher.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "handle.h"
#include "pump.h"
#include "rings.h"

enum {
	IDLE_ROUNDS = 4,       /* that find nothing, and the flusher sleeps */
	SLEEP_MS = 1000,       /* asleep it still keeps the clock in step */
	PACE_MIN = 200 * 1000, /* ns between two looks, unless a writer wakes the flusher */
	PACED_FACTOR = 2,      /* so much more than enough, and it does although a look is near */
	FIRST_FITS = 3,
	FIRST_FIT_MS = 60, /* the clock's line needs two readings, and has few errors to bend yet */
};

static const uint64_t MILLI = 1000000, SECOND = 1000000000;

static uint64_t
mono(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

int
flusher_init(struct flusher *f, uint32_t flush_ms)
{
	memset(f, 0, sizeof(*f));
	f->stop_at = UINT64_MAX;
	f->wake = -1;
	f->flush_ms = flush_ms;
	f->pace = flush_ms * MILLI;
	link_init(&f->link);
	pthread_mutex_init(&f->lock, NULL);
	return batch_init(&f->batch);
}

static void
close_all(struct flusher *f)
{
	if (f->link.fd >= 0)
		close(f->link.fd);
	if (f->wake >= 0)
		close(f->wake);
	f->link.fd = f->wake = -1;
}

void
flusher_free(struct flusher *f)
{
	close_all(f);
	batch_free(&f->batch);
	pthread_mutex_destroy(&f->lock);
}

static void
wake(struct flusher *f)
{
	uint64_t one = 1;

	/* It can only fail when the count is at its top, and the thread awake anyway. */
	if (write(f->wake, &one, sizeof(one)) < 0)
		return;
}

void
flusher_nudge(struct sidecar *sc, struct ring *r)
{
	struct flusher *f = &sc->flusher;
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	bool paced = atomic_load_explicit(&f->paced, memory_order_relaxed);
	uint64_t enough = ring_enough(r) * (paced ? PACED_FACTOR : 1);
	bool asleep = atomic_load_explicit(&sc->asleep, memory_order_relaxed);

	r->wake_at = (head - tail >= enough ? head : tail) + enough;
	if (head - tail < enough && !asleep)
		return;
	if (!atomic_load_explicit(&sc->connected, memory_order_relaxed) ||
	    !atomic_load_explicit(&f->running, memory_order_acquire) ||
	    atomic_exchange_explicit(&f->woken, true, memory_order_seq_cst))
		return;
	atomic_store_explicit(&sc->asleep, false, memory_order_relaxed);
	wake(f);
}

static void
finish(struct flusher *f)
{
	pthread_mutex_lock(&f->lock);
	f->finished = f->round;
	pthread_cond_broadcast(&f->done);
	pthread_mutex_unlock(&f->lock);
}

static void
pause_until(struct sidecar *sc, enum pump state, uint64_t now, uint64_t until)
{
	struct flusher *f = &sc->flusher;
	struct pollfd fds[2] = {
		{ .fd = f->wake, .events = POLLIN },
		{ .fd = f->link.fd, .events = POLLRDHUP },
	};
	uint64_t count, left = until > now ? until - now : 0;
	struct timespec t = { .tv_sec = (time_t)(left / SECOND), .tv_nsec = (long)(left % SECOND) };

	if (state == PUMP_BLOCKED)
		fds[1].events |= POLLOUT;
	if (ppoll(fds, 2, &t, NULL) <= 0)
		return;
	if (fds[0].revents != 0 && read(f->wake, &count, sizeof(count)) < 0)
		return;
	if (fds[1].revents & (POLLHUP | POLLRDHUP | POLLERR))
		pump_hang_up(sc, mono());
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When to look again at the latest. */
static uint64_t
next_look(const struct flusher *f, enum pump state, uint64_t now, uint64_t stop_at)
{
	uint64_t next = now + f->flush_ms * MILLI;

	if (state == PUMP_DOWN)
		next = f->link.retry_at;
	else if (state == PUMP_DONE && f->idle > IDLE_ROUNDS)
		next = now + SLEEP_MS * MILLI;
	else if (state == PUMP_DONE)
		next = least(next, now + f->pace);
	return least(least(next, f->calibrate_at), stop_at);
}

/* After a few idle rounds the first event wakes the flusher. One more look comes after flush_ms
 * still: it finds what a writer added just before it could see the flag. */
static void
doze(struct sidecar *sc)
{
	bool asleep = sc->flusher.idle >= IDLE_ROUNDS;

	atomic_store_explicit(&sc->asleep, asleep, memory_order_relaxed);
}

/* Look again when the fullest ring holds enough, if it fills as it did since the last look: waking
 * a thread on another core costs a writer as much as 200 spans (8 us), a timer costs it nothing. */
static void
set_pace(struct flusher *f, enum pump state, uint64_t now)
{
	uint64_t most = f->flush_ms * MILLI, pace = most;

	/* It grows by steps: if the core was lost between clock and ring, the figures are far out. */
	if (state == PUMP_DONE && f->batch.fill != 0)
		pace = least((now - f->looked_at) * BATCH_FILL / f->batch.fill, 2 * f->pace);
	f->pace = pace < PACE_MIN ? PACE_MIN : least(pace, most);
	f->looked_at = now;
	atomic_store_explicit(&f->paced, f->pace < most, memory_order_relaxed);
}

static void
calibrate(struct flusher *f, uint64_t now)
{
	if (now < f->calibrate_at)
		return;
	clock_calibrate();
	f->calibrate_at = now + (f->fits < FIRST_FITS ? FIRST_FIT_MS * MILLI : SECOND);
	f->fits++;
}

/* Say goodbye; what does not fit in the socket now is not waited for beyond stop_at. */
static void
farewell(struct sidecar *sc, uint64_t stop_at)
{
	struct flusher *f = &sc->flusher;
	struct batch *b = &f->batch;

	batch_farewell(sc);
	while (b->sent < b->size) {
		ssize_t n = link_send(&f->link, b->out + b->sent, b->size - b->sent);
		uint64_t now = mono();

		if (n < 0 || (n == 0 && now >= stop_at))
			return;
		b->sent += (size_t)n;
		if (n == 0) {
			pause_until(sc, PUMP_BLOCKED, now, stop_at);
			if (f->link.fd < 0)
				return;
		}
	}
}

static void *
run(void *arg)
{
	struct sidecar *sc = arg;
	struct flusher *f = &sc->flusher;

	for (;;) {
		uint64_t now = mono(), stop_at;
		enum pump state;
		bool nothing;

		pthread_mutex_lock(&f->lock);
		stop_at = f->stop_at;
		pthread_mutex_unlock(&f->lock);
		calibrate(f, now);
		state = pump_events(sc, now);
		set_pace(f, state, now);
		rings_reap(sc, state == PUMP_DOWN);
		nothing = state != PUMP_BLOCKED && !batch_pending(sc);
		if (state == PUMP_DONE || nothing)
			finish(f);
		if (now >= stop_at || (stop_at != UINT64_MAX && nothing)) {
			if (state == PUMP_DONE)
				farewell(sc, stop_at);
			return NULL;
		}
		doze(sc);
		if (state != PUMP_DONE || pump_wanted(f) == f->round)
			pause_until(sc, state, now, next_look(f, state, now, stop_at));
	}
}

/* Under f->lock. No signal of the program's is to be handled here. */
static int
start(struct sidecar *sc)
{
	struct flusher *f = &sc->flusher;
	pthread_condattr_t attr;
	sigset_t all, old;
	int error;

	/* Made anew at each start: a fork may have copied it with the parent's threads waiting. */
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->done, &attr);
	pthread_condattr_destroy(&attr);
	if (f->wake < 0)
		f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->wake < 0)
		return errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&f->thread, NULL, run, sc);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error != 0)
		return error;
	pthread_setname_np(f->thread, "sidecar-flush");
	atomic_store_explicit(&f->running, true, memory_order_release);
	return 0;
}

int
flusher_start(struct sidecar *sc)
{
	struct flusher *f = &sc->flusher;
	uint64_t now;
	int error = 0;

	if (atomic_load_explicit(&f->running, memory_order_acquire))
		return 0;
	now = mono();
	pthread_mutex_lock(&f->lock);
	if (!atomic_load_explicit(&f->running, memory_order_relaxed)) {
		error = now < f->start_at ? EAGAIN : start(sc);
		if (error != 0 && now >= f->start_at)
			f->start_at = now + SECOND;
	}
	pthread_mutex_unlock(&f->lock);
	errno = error;
	return error == 0 ? 0 : -1;
}

/* Whether it runs. In a forked child there may have been no thread to be had at the first event. */
static bool
started(struct sidecar *sc)
{
	struct flusher *f = &sc->flusher;

	if (!atomic_load_explicit(&f->running, memory_order_acquire) && batch_pending(sc)) {
		pthread_mutex_lock(&f->lock);
		f->start_at = 0;
		pthread_mutex_unlock(&f->lock);
		flusher_start(sc);
	}
	return atomic_load_explicit(&f->running, memory_order_acquire);
}

void
flusher_stop(struct sidecar *sc, uint32_t timeout_ms)
{
	struct flusher *f = &sc->flusher;

	if (!started(sc))
		return;
	pthread_mutex_lock(&f->lock);
	f->stop_at = mono() + timeout_ms * MILLI;
	pthread_mutex_unlock(&f->lock);
	wake(f);
	pthread_join(f->thread, NULL);
	atomic_store_explicit(&f->running, false, memory_order_release);
	/* While a fork still finds the handle. */
	pthread_mutex_lock(&f->lock);
	close_all(f);
	pthread_mutex_unlock(&f->lock);
}

int
flusher_flush(struct sidecar *sc, uint32_t timeout_ms)
{
	struct flusher *f = &sc->flusher;
	uint64_t until = mono() + timeout_ms * MILLI, ticket;
	struct timespec t = { .tv_sec = (time_t)(until / SECOND),
		.tv_nsec = (long)(until % SECOND) };
	int error = 0;

	if (!started(sc))
		return batch_pending(sc) ? -1 : 0;
	pthread_mutex_lock(&f->lock);
	ticket = ++f->wanted;
	wake(f);
	while (f->finished < ticket && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&f->done, &f->lock, &t);
	error = f->finished >= ticket ? 0 : -1;
	pthread_mutex_unlock(&f->lock);
	return error;
}

void
flusher_forget(struct sidecar *sc)
{
	struct flusher *f = &sc->flusher;

	close_all(f);        /* the sidecar must see the parent's end as soon as it comes */
	link_init(&f->link); /* with random waits of its own */
	f->batch.in_round = false;
	f->batch.size = f->batch.sent = 0;
	memset(f->batch.base, 0, sizeof(f->batch.base));
	memset(f->batch.told, 0, sizeof(f->batch.told));
	atomic_store(&f->woken, false);
	atomic_store(&f->paced, false);
	atomic_store(&f->running, false);
	f->wanted = f->finished = f->round = 0;
	f->stop_at = UINT64_MAX;
	f->start_at = f->stats_at = f->calibrate_at = 0;
	f->idle = f->fits = 0;
}
