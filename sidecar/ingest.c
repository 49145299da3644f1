#include "ingest.h"

#include "unix_socket.h"

#include "base/log.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A read that brought less than this is followed by a rest: 10 ms of a client's events at 200,000
 * spans a second still fit its ring and the socket's buffer, and a client that writes span by span
 * costs 100 wake-ups a second, not 10,000. */
enum { REST_BELOW = 16384 };
#define REST 0.010 /* s */

/* Lines a second about connections that ended badly: a peer that does so in a loop must not fill
 * the disk. */
enum { END_LINES = 10 };

struct peer {
	ev_io io;
	struct ingest *ingest;
	struct session *session;
	uint64_t deadline; /* monotonic ns: HELLO by then */
	struct peer *prev, *next;
	struct peer *resting; /* next one that rests */
	bool rests;
};

struct ingest {
	struct ev_loop *loop;
	const struct config *config;
	struct core *core;
	struct meter *meter;
	struct export *export;
	struct unix_socket listener;
	ev_io accept;
	ev_timer tick, rest;
	struct peer *peers;   /* every connection */
	struct peer *resting; /* those not read for a moment */
	bool draining;
	unsigned lines; /* about ended connections, in this second */
	struct mono second;
	uint8_t bytes[LIMIT_READ_BYTES];
};

static struct now
now(void)
{
	return (struct now){ clock_wall(), clock_mono() };
}

static void
log_end(struct ingest *in, const struct session *s, enum span_end why, struct mono at)
{
	struct text who = session_name(s);
	char name[64];

	if (why != SPAN_PROTOCOL && session_open_spans(s) == 0)
		return;
	if (at.ns - in->second.ns >= CLOCK_SECOND) {
		in->second = at;
		in->lines = 0;
	}
	if (in->lines++ >= END_LINES)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)who.len, who.s);
	if (why == SPAN_PROTOCOL)
		log_warn("connection_refused", "cause=%s service=%s open_spans=%" PRIu32,
		    session_fault(s), log_quote(name), session_open_spans(s));
	else
		log_info("connection_ended", "cause=%s service=%s open_spans=%" PRIu32,
		    span_end_type[why], log_quote(name), session_open_spans(s));
}

/* End its session, sealing as it drains, and forget the peer. */
static void
end(struct peer *p, enum span_end why)
{
	struct ingest *in = p->ingest;
	struct now at = now();

	switch (why) {
	case SPAN_CLOSED: stats.closed_bye++; break;
	case SPAN_SHUTDOWN: stats.closed_shutdown++; break;
	case SPAN_PROTOCOL: break; /* counted by its cause, in session */
	default: stats.closed_lost++; break;
	}
	log_end(in, p->session, why, at.mono);
	while (session_close(p->session, why, at))
		export_now(in->export);
	export_now(in->export);
	ev_io_stop(in->loop, &p->io);
	close(p->io.fd);
	for (struct peer **link = &in->resting; p->rests; link = &(*link)->resting) {
		if (*link == p) {
			*link = p->resting;
			break;
		}
	}
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		in->peers = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	stats.connections--;
	free(p);
}

static void
rest(struct peer *p)
{
	struct ingest *in = p->ingest;

	ev_io_stop(in->loop, &p->io);
	p->resting = in->resting;
	in->resting = p;
	p->rests = true;
	if (!ev_is_active(&in->rest)) {
		ev_timer_set(&in->rest, REST, 0);
		ev_timer_start(in->loop, &in->rest);
	}
}

static void
on_rested(struct ev_loop *loop, ev_timer *w, int events)
{
	struct ingest *in = w->data;

	(void)events;
	while (in->resting != NULL) {
		struct peer *p = in->resting;

		in->resting = p->resting;
		p->rests = false;
		ev_io_start(loop, &p->io);
	}
}

/* One turn of one peer. False: it has ended and is gone. */
static bool
read_once(struct peer *p, size_t *got)
{
	struct ingest *in = p->ingest;
	ssize_t n = recv(p->io.fd, in->bytes, sizeof(in->bytes), 0);

	*got = n > 0 ? (size_t)n : 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		end(p, in->draining ? SPAN_SHUTDOWN : SPAN_CONNECTION_LOST);
		return false;
	}
	stats.bytes += (uint64_t)n;
	switch (session_feed(p->session, in->bytes, (size_t)n, now())) {
	case SESSION_OPEN: export_notice(in->export); return true;
	case SESSION_BYE: end(p, SPAN_CLOSED); return false;
	case SESSION_FAULT: end(p, SPAN_PROTOCOL); return false;
	}
	return true;
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct peer *p = w->data;
	size_t got;

	(void)loop;
	(void)events;
	if (read_once(p, &got) && got < REST_BELOW)
		rest(p);
}

/* False: nobody is waiting, or nobody can be let in for now. */
static bool
accept_one(struct ingest *in)
{
	int fd = unix_socket_accept(&in->listener);
	struct now at = now();
	struct peer *p;

	if (fd < 0) {
		if (errno == EMFILE)
			stats.refused_descriptors++;
		return errno == EINTR || errno == ECONNABORTED || errno == EMFILE;
	}
	stats.connections_accepted++;
	p = calloc(1, sizeof(*p));
	if (p == NULL || (p->session = session_open(in->core)) == NULL) {
		stats.refused_full++;
		free(p);
		close(fd);
		return true;
	}
	p->ingest = in;
	p->deadline = at.mono.ns + (uint64_t)in->config->hello_timeout;
	p->next = in->peers;
	if (in->peers != NULL)
		in->peers->prev = p;
	in->peers = p;
	stats.connections++;
	ev_io_init(&p->io, on_readable, fd, EV_READ);
	p->io.data = p;
	ev_io_start(in->loop, &p->io);
	return true;
}

static void
on_connection(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	while (accept_one(w->data))
		continue;
}

/* What time brings about: late HELLOs, spans open for too long, lag of the dead. */
static void
on_tick(struct ev_loop *loop, ev_timer *w, int events)
{
	struct ingest *in = w->data;
	struct now at = now();

	(void)loop;
	(void)events;
	for (struct peer *p = in->peers, *next; p != NULL; p = next) {
		next = p->next;
		if (at.mono.ns >= p->deadline && !session_greeted(p->session)) {
			session_late(p->session);
			end(p, SPAN_PROTOCOL);
		}
	}
	while (session_expire(in->core, at))
		export_now(in->export);
	export_now(in->export);
	meter_expire(in->meter, at.mono);
}

/* A quarter of the shortest time-out, so that none is late by more; at most once a second. */
static double
tick_seconds(const struct config *c)
{
	int64_t least = c->hello_timeout < c->span_timeout ? c->hello_timeout : c->span_timeout;
	double tick = (double)least / 4e9;

	return tick < 1 ? tick : 1;
}

struct ingest *
ingest_open(struct ev_loop *loop, const struct config *config, struct core *core,
    struct meter *meter, struct export *export, char *error, size_t errlen)
{
	struct ingest *in = calloc(1, sizeof(*in));

	if (in == NULL) {
		snprintf(error, errlen, "out of memory");
		return NULL;
	}
	*in = (struct ingest){
		.loop = loop, .config = config, .core = core, .meter = meter, .export = export
	};
	if (unix_socket_open(
		&in->listener, config->socket, (unsigned)config->socket_mode, error, errlen) != 0) {
		free(in);
		return NULL;
	}
	ev_io_init(&in->accept, on_connection, in->listener.fd, EV_READ);
	in->accept.data = in;
	ev_io_start(loop, &in->accept);
	ev_timer_init(&in->rest, on_rested, 0, 0);
	in->rest.data = in;
	ev_timer_init(&in->tick, on_tick, tick_seconds(config), tick_seconds(config));
	in->tick.data = in;
	ev_timer_start(loop, &in->tick);
	return in;
}

void
ingest_drain(struct ingest *in)
{
	size_t got;

	while (accept_one(in))
		continue;
	in->draining = true;
	ev_io_stop(in->loop, &in->accept);
	ev_timer_stop(in->loop, &in->tick);
	ev_timer_stop(in->loop, &in->rest);
	unix_socket_close(&in->listener);
	for (struct peer *p = in->peers, *next; p != NULL; p = next) {
		next = p->next;
		/* From here the peer's writes fail, and it keeps what it has; what it wrote before
		 * is still read. */
		shutdown(p->io.fd, SHUT_RD);
		while (read_once(p, &got))
			continue;
	}
}

void
ingest_close(struct ingest *in)
{
	if (in == NULL)
		return;
	unix_socket_close(&in->listener);
	free(in);
}
