#include "client_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 8, DEADLINE = 60 /* s */ };

struct peer {
	char *path;
	bool own_path;
	int listener, control[2];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct event **events;
	size_t count, room;
	unsigned accepted, ended, cut;
	bool paused, stopping;
	enum { STAY, DRAIN, KILL } hang_up;
	/* the thread's own */
	struct {
		int fd;
		unsigned number;
		msgpack_unpacker unpacker;
	} conn[CONNECTIONS];
};

static void
die(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

char *
peer_new_path(void)
{
	char folder[] = "/tmp/client_peer.XXXXXX";
	char *path = NULL;

	if (mkdtemp(folder) == NULL || asprintf(&path, "%s/socket", folder) < 0)
		die("mkdtemp");
	return path;
}

void
peer_remove_path(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	free(path);
}

static void
keep(struct peer *f, unsigned connection, msgpack_unpacked *message)
{
	struct event *e = calloc(1, sizeof(*e));

	if (message->data.type != MSGPACK_OBJECT_ARRAY || message->data.via.array.size == 0)
		die("an event is not an array");
	e->connection = connection;
	e->type = (unsigned)message->data.via.array.ptr[0].via.u64;
	e->message = *message;
	msgpack_unpacked_init(message);
	pthread_mutex_lock(&f->lock);
	if (f->count == f->room) {
		f->room = f->room * 2 + 1024;
		f->events = realloc(f->events, f->room * sizeof(struct event *));
	}
	f->events[f->count++] = e;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* Read once, keep what is whole. false: the connection has ended. */
static bool
serve(struct peer *f, int i)
{
	msgpack_unpacker *u = &f->conn[i].unpacker;
	msgpack_unpacked message;
	ssize_t n;

	msgpack_unpacker_reserve_buffer(u, 65536);
	n = read(f->conn[i].fd, msgpack_unpacker_buffer(u), 65536);
	if (n <= 0)
		return false;
	msgpack_unpacker_buffer_consumed(u, (size_t)n);
	msgpack_unpacked_init(&message);
	for (;;) {
		msgpack_unpack_return got = msgpack_unpacker_next(u, &message);

		if (got == MSGPACK_UNPACK_PARSE_ERROR)
			die("not MessagePack");
		if (got != MSGPACK_UNPACK_SUCCESS)
			break;
		keep(f, f->conn[i].number, &message);
	}
	msgpack_unpacked_destroy(&message);
	return true;
}

static void
end(struct peer *f, int i)
{
	unsigned cut;

	close(f->conn[i].fd);
	f->conn[i].fd = -1;
	cut = msgpack_unpacker_message_size(&f->conn[i].unpacker) != 0;
	msgpack_unpacker_destroy(&f->conn[i].unpacker);
	pthread_mutex_lock(&f->lock);
	f->ended++;
	f->cut += cut;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void
accept_one(struct peer *f)
{
	int fd = accept(f->listener, NULL, NULL), i = 0;

	while (i < CONNECTIONS && f->conn[i].fd >= 0)
		i++;
	if (fd < 0 || i == CONNECTIONS)
		die("accept");
	f->conn[i].fd = fd;
	msgpack_unpacker_init(&f->conn[i].unpacker, 65536);
	pthread_mutex_lock(&f->lock);
	f->conn[i].number = f->accepted++;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void
hang_up_all(struct peer *f, bool drained)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		if (f->conn[i].fd < 0)
			continue;
		if (drained) {
			shutdown(f->conn[i].fd, SHUT_RD);
			while (serve(f, i))
				continue;
		}
		end(f, i);
	}
}

static void *
run(void *arg)
{
	struct peer *f = arg;

	for (;;) {
		struct pollfd fds[2 + CONNECTIONS];
		bool paused, stopping;
		int hang_up;
		char byte[16];

		pthread_mutex_lock(&f->lock);
		paused = f->paused;
		stopping = f->stopping;
		hang_up = f->hang_up;
		f->hang_up = STAY;
		pthread_cond_broadcast(&f->changed);
		pthread_mutex_unlock(&f->lock);
		if (hang_up != STAY)
			hang_up_all(f, hang_up == DRAIN);
		if (stopping) {
			hang_up_all(f, false);
			return NULL;
		}
		fds[0] = (struct pollfd){ .fd = f->control[0], .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = f->listener, .events = POLLIN };
		for (int i = 0; i < CONNECTIONS; i++)
			fds[2 + i] =
			    (struct pollfd){ .fd = paused ? -1 : f->conn[i].fd, .events = POLLIN };
		if (poll(fds, 2 + CONNECTIONS, -1) < 0 && errno != EINTR)
			die("poll");
		if (fds[0].revents != 0 && read(f->control[0], byte, sizeof(byte)) < 0)
			die("read");
		for (int i = 0; i < CONNECTIONS; i++)
			if (fds[2 + i].revents != 0 && !serve(f, i))
				end(f, i);
		if (fds[1].revents != 0)
			accept_one(f);
	}
}

struct peer *
peer_start(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct peer *f = calloc(1, sizeof(*f));
	pthread_condattr_t attr;

	f->own_path = path == NULL;
	f->path = path == NULL ? peer_new_path() : strdup(path);
	for (int i = 0; i < CONNECTIONS; i++)
		f->conn[i].fd = -1;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", f->path);
	unlink(f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(f->listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(f->listener, CONNECTIONS) != 0 || pipe2(f->control, O_CLOEXEC) != 0)
		die(f->path);
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&f->thread, NULL, run, f) != 0)
		die("pthread_create");
	return f;
}

const char *
peer_path(const struct peer *f)
{
	return f->path;
}

static void
nudge(struct peer *f)
{
	if (write(f->control[1], "", 1) != 1)
		die("write");
}

void
peer_stop(struct peer *f)
{
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_mutex_unlock(&f->lock);
	nudge(f);
	pthread_join(f->thread, NULL);
	close(f->listener);
	close(f->control[0]);
	close(f->control[1]);
	for (size_t i = 0; i < f->count; i++) {
		msgpack_unpacked_destroy(&f->events[i]->message);
		free(f->events[i]);
	}
	free(f->events);
	unlink(f->path);
	if (f->own_path)
		peer_remove_path(f->path);
	else
		free(f->path);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* Under the lock, which is given back when it is time to look again. */
static void
wait_change(struct peer *f, const struct timespec *until, const char *what)
{
	if (pthread_cond_timedwait(&f->changed, &f->lock, until) == ETIMEDOUT) {
		fprintf(stderr, "peer: waited in vain for %s (%zu events, %u accepted)\n", what,
		    f->count, f->accepted);
		abort();
	}
}

static struct timespec
deadline(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += DEADLINE;
	return t;
}

void
peer_pause(struct peer *f, bool paused)
{
	pthread_mutex_lock(&f->lock);
	f->paused = paused;
	pthread_mutex_unlock(&f->lock);
	nudge(f);
}

void
peer_hang_up(struct peer *f, bool drained)
{
	struct timespec until = deadline();
	unsigned ended;

	pthread_mutex_lock(&f->lock);
	ended = f->ended;
	f->hang_up = drained ? DRAIN : KILL;
	nudge(f);
	while (f->ended == ended)
		wait_change(f, &until, "the end of a connection");
	pthread_mutex_unlock(&f->lock);
}

size_t
peer_count(struct peer *f)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = f->count;
	pthread_mutex_unlock(&f->lock);
	return n;
}

const struct event *
peer_event(struct peer *f, size_t i)
{
	const struct event *e;

	pthread_mutex_lock(&f->lock);
	e = f->events[i];
	pthread_mutex_unlock(&f->lock);
	return e;
}

size_t
peer_count_type(struct peer *f, enum wire_type type)
{
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->count; i++)
		n += f->events[i]->type == (unsigned)type;
	pthread_mutex_unlock(&f->lock);
	return n;
}

const struct event *
peer_wait_type(struct peer *f, enum wire_type type, size_t nth)
{
	struct timespec until = deadline();
	const struct event *e = NULL;
	char what[64];
	size_t seen = 0;

	snprintf(what, sizeof(what), "event %zu of type %d", nth, (int)type);
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; e == NULL; i++) {
		while (i == f->count)
			wait_change(f, &until, what);
		if (f->events[i]->type == (unsigned)type && seen++ == nth)
			e = f->events[i];
	}
	pthread_mutex_unlock(&f->lock);
	return e;
}

void
peer_wait_accepted(struct peer *f, unsigned n)
{
	struct timespec until = deadline();

	pthread_mutex_lock(&f->lock);
	while (f->accepted < n)
		wait_change(f, &until, "a connection");
	pthread_mutex_unlock(&f->lock);
}

void
peer_wait_ended(struct peer *f, unsigned n)
{
	struct timespec until = deadline();

	pthread_mutex_lock(&f->lock);
	while (f->ended < n)
		wait_change(f, &until, "the end of a connection");
	pthread_mutex_unlock(&f->lock);
}

unsigned
peer_cut(struct peer *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->cut;
	pthread_mutex_unlock(&f->lock);
	return n;
}
