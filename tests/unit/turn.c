#include "turn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ev_loop *loop;
struct http *http;
int asked;

void
turn_handle(const struct http_request *r, struct http_reply *reply, void *arg)
{
	const char *path = http_path(r), *agent = http_header(r, "user-agent");

	assert_ptr_equal(arg, &asked);
	asked++;
	if (strcmp(path, "/big") == 0) {
		reply->body = calloc(1, BIG);
		reply->len = BIG;
	} else if (strcmp(path, "/typed") == 0) {
		http_text(reply, 500, "thrown away");
		http_text(reply, 200, "body");
		reply->type = "a/b";
		reply->encoding = "x";
	} else if (strcmp(path, "/empty") != 0) {
		http_text(reply, strcmp(path, "/") == 0 ? 200 : 404, "%s %s %s %zu %s %d",
		    http_method(r), path, agent != NULL ? agent : "-",
		    http_header_count(r, "traceparent"), http_client(r), http_client_port(r) > 0);
	}
}

void
open_server(const char *address, unsigned connections, double deadline, double patience)
{
	struct http_limits limits = {
		.connections = connections, .deadline = deadline, .patience = patience
	};
	char error[256];

	asked = 0;
	loop = ev_loop_new(EVFLAG_AUTO);
	http = http_open_limits(loop, address, &limits, turn_handle, &asked, error, sizeof(error));
	if (http == NULL)
		fail_msg("%s", error);
}

void
close_server(void)
{
	http_close(http);
	ev_loop_destroy(loop);
}

void
on_limit(struct ev_loop *l, ev_timer *w, int events)
{
	(void)l;
	(void)events;
	*(bool *)w->data = true;
}

void
turn_for(double seconds)
{
	bool over = false;
	ev_timer timer;

	ev_timer_init(&timer, on_limit, seconds, 0);
	timer.data = &over;
	ev_now_update(loop);
	ev_timer_start(loop, &timer);
	while (!over)
		ev_run(loop, EVRUN_ONCE);
}

static void
on_readable(struct ev_loop *l, ev_io *w, int events)
{
	struct client *c = w->data;
	char bytes[65536];
	ssize_t n = recv(c->fd, bytes, c->deaf ? 1 : sizeof(bytes), MSG_DONTWAIT);

	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		c->ended = true;
		c->reset = n < 0;
		ev_io_stop(l, w);
		return;
	}
	for (ssize_t i = 0; i < n && c->len < sizeof(c->text) - 1; i++)
		c->text[c->len++] = bytes[i];
	c->total += n > 0 ? (size_t)n : 0;
}

void
client_open(struct client *c)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_port(http)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	*c = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_true(c->fd >= 0);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ev_io_init(&c->io, on_readable, c->fd, EV_READ);
	c->io.data = c;
	ev_io_start(loop, &c->io);
}

void
client_send(struct client *c, const char *text)
{
	ssize_t n = send(c->fd, text, strlen(text), MSG_NOSIGNAL);

	assert_int_equal(n, strlen(text));
}

void
client_close(struct client *c)
{
	ev_io_stop(loop, &c->io);
	close(c->fd);
}

const char *
ask(const char *method, const char *path, const char *headers)
{
	static struct client c;
	char request[1024];

	client_open(&c);
	snprintf(request, sizeof(request),
	    "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", method, path, headers);
	client_send(&c, request);
	TURN_UNTIL(c.ended);
	client_close(&c);
	return c.text;
}

void
assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("'%s' without '%s'", text, part);
}
