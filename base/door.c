#include "door.h"

#include "listener.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Then those accepted are served, before more come in. */
enum { BATCH = 16 };

/* How long no one is let in when descriptors are short, or when all places are busy and none has
 * become free. */
static const double pause_s = 0.1;

struct door {
	struct ev_loop *loop;
	door_take *take;
	void *arg;
	struct http_limits limits;
	struct http_counts counts;
	struct guest *guests, *free;
	ev_io listeners[LISTENER_MAX];
	size_t nlisteners;
	unsigned port;
	ev_timer pause;
	bool short_of_fds; /* said once, until an accept() succeeds */
};

unsigned
door_port(const struct door *d)
{
	return d->port;
}

const struct http_counts *
door_counts(const struct door *d)
{
	return &d->counts;
}

unsigned
door_peer(const struct guest *g, char text[DOOR_TEXT])
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&g->address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&g->address;

	_Static_assert(DOOR_TEXT >= INET6_ADDRSTRLEN, "any address fits");
	if (g->address.ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text, DOOR_TEXT);
		return ntohs(v4->sin_port);
	}
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) /* came in through the socket for both families */
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, DOOR_TEXT);
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, text, DOOR_TEXT);
	return ntohs(v6->sin6_port);
}

void
door_enter(struct guest *g, enum door_phase phase)
{
	if (g->leaving)
		return;
	g->phase = phase;
	g->since = ev_now(g->door->loop);
	ev_timer_again(g->door->loop, &g->deadline);
}

static void
resume(struct door *d)
{
	ev_timer_stop(d->loop, &d->pause);
	for (size_t i = 0; i < d->nlisteners; i++)
		ev_io_start(d->loop, &d->listeners[i]);
}

static void
pause_accepting(struct door *d)
{
	for (size_t i = 0; i < d->nlisteners; i++)
		ev_io_stop(d->loop, &d->listeners[i]);
	ev_timer_again(d->loop, &d->pause);
}

void
door_leave(struct guest *g)
{
	struct door *d = g->door;

	ev_timer_stop(d->loop, &g->deadline);
	g->used = false;
	g->next_free = d->free;
	d->free = g;
	d->counts.open--;
	if (ev_is_active(&d->pause))
		resume(d); /* a place, and a descriptor */
}

static void
shut_down(struct guest *g)
{
	struct linger at_once = { .l_onoff = 1 };

	/* A reply that is not being taken would otherwise stay in the kernel for minutes. */
	if (g->phase == DOOR_SERVED)
		setsockopt(g->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	shutdown(g->fd, SHUT_RDWR);
	g->leaving = true;
	ev_timer_stop(g->door->loop, &g->deadline);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int events)
{
	struct guest *g = w->data;
	char peer[DOOR_TEXT];

	(void)loop;
	(void)events;
	if (g->phase == DOOR_RESTING) {
		g->door->counts.rested++;
	} else {
		unsigned port = door_peer(g, peer);

		g->door->counts.late++;
		log_debug("http_late", "client=%s port=%u phase=%s", peer, port,
		    g->phase == DOOR_ASKING ? "request" : "reply");
	}
	shut_down(g);
}

/* All places are taken: begin to free the one that has idled longest, unless one is about to be
 * free already. */
static void
make_room(struct door *d)
{
	double patience = ev_now(d->loop) - d->limits.patience;
	struct guest *oldest = NULL;

	for (unsigned i = 0; i < d->limits.connections; i++) {
		struct guest *g = &d->guests[i];

		if (g->leaving)
			return;
		if (g->phase == DOOR_SERVED || (g->phase == DOOR_ASKING && g->since > patience))
			continue;
		if (oldest == NULL || g->since < oldest->since)
			oldest = g;
	}
	if (oldest == NULL)
		return;
	d->counts.evicted++;
	shut_down(oldest);
}

static void
let_in(struct door *d, int fd, const struct sockaddr_storage *address)
{
	struct guest *g = d->free;

	d->free = g->next_free;
	d->counts.open++;
	d->counts.accepted++;
	g->fd = fd;
	g->address = *address;
	g->used = true;
	g->leaving = false;
	door_enter(g, DOOR_ASKING);
	if (d->take(g, d->arg))
		return;
	d->counts.refused++;
	if (g->used)
		door_leave(g);
}

static bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int events)
{
	struct door *d = w->data;

	(void)loop;
	(void)events;
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_storage address = { 0 };
		socklen_t len = sizeof(address);
		int fd;

		if (d->free == NULL && i > 0)
			return; /* whether another one waits, the loop will say */
		if (d->free == NULL) {
			make_room(d);
			pause_accepting(d);
			return;
		}
		fd =
		    accept4(w->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			d->short_of_fds = false;
			let_in(d, fd, &address);
			continue;
		}
		if (!is_shortage(errno))
			return; /* no one waits, or no longer */
		d->counts.refused++;
		if (!d->short_of_fds)
			log_warn(
			    "http_accept", "port=%u error=%s", d->port, log_quote(strerror(errno)));
		d->short_of_fds = true;
		pause_accepting(d);
		return;
	}
}

static void
on_pause_over(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	resume(w->data);
}

static void
furnish(struct door *d)
{
	for (unsigned i = d->limits.connections; i-- > 0;) {
		struct guest *g = &d->guests[i];

		g->door = d;
		g->next_free = d->free;
		d->free = g;
		ev_timer_init(&g->deadline, on_deadline, 0, d->limits.deadline);
		g->deadline.data = g;
	}
}

struct door *
door_open(struct ev_loop *loop, const char *address, const struct http_limits *limits,
    door_take *take, void *arg, char *error, size_t errlen)
{
	struct door *d = calloc(1, sizeof(*d));
	int fds[LISTENER_MAX];

	if (d != NULL)
		d->guests = calloc(limits->connections, sizeof(*d->guests));
	if (d == NULL || d->guests == NULL) {
		snprintf(error, errlen, "cannot listen on %s: out of memory", address);
		free(d);
		return NULL;
	}
	d->loop = loop;
	d->take = take;
	d->arg = arg;
	d->limits = *limits;
	ev_timer_init(&d->pause, on_pause_over, 0, pause_s);
	d->pause.data = d;
	furnish(d);
	d->nlisteners = listener_open(address, fds, &d->port, error, errlen);
	if (d->nlisteners == 0) {
		door_close(d);
		return NULL;
	}
	for (size_t i = 0; i < d->nlisteners; i++) {
		ev_io_init(&d->listeners[i], on_accept, fds[i], EV_READ);
		d->listeners[i].data = d;
	}
	resume(d);
	return d;
}

void
door_close(struct door *d)
{
	if (d == NULL)
		return;
	ev_timer_stop(d->loop, &d->pause);
	for (size_t i = 0; i < d->nlisteners; i++) {
		ev_io_stop(d->loop, &d->listeners[i]);
		close(d->listeners[i].fd);
	}
	free(d->guests);
	free(d);
}
