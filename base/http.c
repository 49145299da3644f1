#include "http.h"

#include "door.h"
#include "log.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * door.c accepts and keeps the deadlines, the library does the rest. Its own timeout is an idle
 * one, which a byte a second puts off for ever; its limit per address locks out the one honest
 * scraper behind a proxy; and out of descriptors it spins. So it gets no listening socket, no
 * timeout and no limit that door.c would not reach first.
 */

/* For one connection's request line and headers: what other servers take. More is answered with
 * 431 or 414. */
enum { MEMORY = 16 * 1024 };

struct http {
	struct ev_loop *loop;
	struct door *door;
	struct MHD_Daemon *daemon;
	http_handler *handler;
	void *arg;
	struct guest *adding; /* while the library takes it over */
	ev_io io;
	ev_timer again; /* the library has more to do without new bytes */
};

struct http_request {
	struct MHD_Connection *connection;
	const char *method, *path, *version;
	char client[DOOR_TEXT];
	unsigned client_port;
};

const char *
http_method(const struct http_request *r)
{
	return r->method;
}

const char *
http_version(const struct http_request *r)
{
	return strncmp(r->version, "HTTP/", 5) == 0 ? r->version + 5 : r->version;
}

const char *
http_path(const struct http_request *r)
{
	return r->path;
}

const char *
http_client(const struct http_request *r)
{
	return r->client;
}

unsigned
http_client_port(const struct http_request *r)
{
	return r->client_port;
}

const char *
http_header(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

struct tally {
	const char *name;
	size_t n;
};

static enum MHD_Result
tally_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct tally *t = arg;

	(void)kind;
	(void)value;
	t->n += strcasecmp(name, t->name) == 0;
	return MHD_YES;
}

size_t
http_header_count(const struct http_request *r, const char *name)
{
	struct tally t = { .name = name };

	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, tally_header, &t);
	return t.n;
}

void
http_text(struct http_reply *reply, unsigned status, const char *fmt, ...)
{
	char *body;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&body, fmt, args);
	va_end(args);
	free(reply->body);
	*reply = (struct http_reply){ .status = status };
	if (n >= 0) {
		reply->body = body;
		reply->len = (size_t)n;
	}
}

static bool
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	return value == NULL || MHD_add_response_header(response, name, value) == MHD_YES;
}

/* MHD_NO: the library closes the connection. */
static enum MHD_Result
send_reply(struct MHD_Connection *c, struct http_reply *reply, const char *allow)
{
	static char empty[1];
	const char *type = reply->type != NULL ? reply->type : "text/plain; charset=utf-8";
	enum MHD_Result sent = MHD_NO;
	struct MHD_Response *response;

	if (reply->body == NULL)
		response = MHD_create_response_from_buffer(0, empty, MHD_RESPMEM_PERSISTENT);
	else
		response =
		    MHD_create_response_from_buffer(reply->len, reply->body, MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		free(reply->body);
		return MHD_NO;
	}
	if (add_header(response, "Content-Type", type) &&
	    add_header(response, "Content-Encoding", reply->encoding) &&
	    add_header(response, "Allow", allow))
		sent = MHD_queue_response(c, reply->status, response);
	MHD_destroy_response(response);
	return sent;
}

static struct guest *
guest_of(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* The library calls once with the headers, then for each piece of a body, then at the request's
 * end. */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *path, const char *method,
    const char *version, const char *body, size_t *len, void **seen)
{
	struct http_request request = {
		.connection = c, .method = method, .path = path, .version = version
	};
	struct http_reply reply = { .status = 200 };
	struct guest *guest = guest_of(c);
	struct http *h = arg;

	(void)body;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		/* At once: nobody waits for the body of a request that is refused anyway. */
		door_enter(guest, DOOR_SERVED);
		http_text(&reply, 405, "Only GET and HEAD are allowed here.\n");
		return send_reply(c, &reply, "GET, HEAD");
	}
	if (*seen == NULL) {
		*seen = guest;
		return MHD_YES;
	}
	if (*len > 0) {
		*len = 0;
		return MHD_YES;
	}
	door_enter(guest, DOOR_SERVED);
	request.client_port = door_peer(guest, request.client);
	h->handler(&request, &reply, h->arg);
	return send_reply(c, &reply, NULL);
}

static void
on_completed(void *arg, struct MHD_Connection *c, void **seen, enum MHD_RequestTerminationCode why)
{
	(void)arg;
	(void)why;
	*seen = NULL;
	door_enter(guest_of(c), DOOR_RESTING);
}

static void
on_connection(
    void *arg, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct http *h = arg;

	(void)c;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*context = h->adding;
	else
		door_leave(*context);
}

static void
on_library_log(void *arg, const char *fmt, va_list args)
{
	char text[256];
	int n;

	(void)arg;
	if (!log_on(LOG_DEBUG))
		return;
	n = vsnprintf(text, sizeof(text), fmt, args);
	if (n <= 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	log_debug("http_library", "text=%s", log_quote(text));
}

static void
serve_again_after(struct http *h, double seconds)
{
	ev_timer_stop(h->loop, &h->again);
	ev_timer_set(&h->again, seconds, 0);
	ev_timer_start(h->loop, &h->again);
}

static void
serve(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(h->daemon);
	if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
		serve_again_after(h, (double)ms / 1000);
	else
		ev_timer_stop(h->loop, &h->again);
}

static void
on_io(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	serve(w->data);
}

static void
on_again(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	serve(w->data);
}

static bool
take(struct guest *g, void *arg)
{
	struct http *h = arg;

	h->adding = g;
	if (MHD_add_connection(
		h->daemon, g->fd, (struct sockaddr *)&g->address, sizeof(g->address)) != MHD_YES)
		return false; /* and closed */
	serve_again_after(h, 0);
	return true;
}

static bool
start_library(struct http *h, unsigned connections)
{
	const union MHD_DaemonInfo *info;

	h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG,
	    0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL,
	    MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT, 0U,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_NOTIFY_CONNECTION,
	    on_connection, h, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
	if (h->daemon == NULL)
		return false;
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	ev_io_init(&h->io, on_io, info->epoll_fd, EV_READ);
	h->io.data = h;
	ev_io_start(h->loop, &h->io);
	return true;
}

struct http *
http_open(struct ev_loop *loop, const char *address, http_handler *handler, void *arg, char *error,
    size_t errlen)
{
	static const struct http_limits limits = { .connections = HTTP_CONNECTIONS,
		.deadline = HTTP_DEADLINE,
		.patience = HTTP_PATIENCE };

	return http_open_limits(loop, address, &limits, handler, arg, error, errlen);
}

struct http *
http_open_limits(struct ev_loop *loop, const char *address, const struct http_limits *limits,
    http_handler *handler, void *arg, char *error, size_t errlen)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		snprintf(error, errlen, "cannot listen on %s: out of memory", address);
		return NULL;
	}
	h->loop = loop;
	h->handler = handler;
	h->arg = arg;
	ev_init(&h->again, on_again);
	h->again.data = h;
	h->door = door_open(loop, address, limits, take, h, error, errlen);
	if (h->door != NULL && start_library(h, limits->connections))
		return h;
	if (h->door != NULL)
		snprintf(error, errlen, "cannot serve %s: libmicrohttpd did not start", address);
	http_close(h);
	return NULL;
}

unsigned
http_port(const struct http *h)
{
	return door_port(h->door);
}

const struct http_counts *
http_counts(const struct http *h)
{
	return door_counts(h->door);
}

void
http_close(struct http *h)
{
	if (h == NULL)
		return;
	if (h->daemon != NULL) {
		ev_io_stop(h->loop, &h->io);
		MHD_stop_daemon(h->daemon); /* says of each connection that it is closed */
	}
	ev_timer_stop(h->loop, &h->again);
	door_close(h->door);
	free(h);
}
