/*
 * turn.h -- an HTTP server and raw clients of it on one loop, which a test turns until what it
 * waits for is there.
 */
#ifndef TURN_H
#define TURN_H

#include "base/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ev.h>
#include <stdbool.h>

extern struct ev_loop *loop;
extern struct http *http;
extern int asked; /* calls of the handler */

enum { BIG = 16 << 20 };

/* Answers /big with BIG bytes, /empty with nothing, /typed with a type and an encoding, and else
 * with what it was asked. arg: &asked. */
void turn_handle(const struct http_request *, struct http_reply *, void *arg);
/* The server, with that handler, and the loop. */
void open_server(const char *address, unsigned connections, double deadline, double patience);
void close_server(void);

void on_limit(struct ev_loop *, ev_timer *, int events);
/* Turn the loop while the condition is false; a test that takes 10 s has failed. */
#define TURN_UNTIL(condition)                                           \
	do {                                                            \
		bool turn_late = false;                                 \
		ev_timer limit;                                         \
		ev_timer_init(&limit, on_limit, 10, 0);                 \
		limit.data = &turn_late;                                \
		ev_now_update(loop);                                    \
		ev_timer_start(loop, &limit);                           \
		while (!(condition) && !turn_late)                      \
			ev_run(loop, EVRUN_ONCE);                       \
		ev_timer_stop(loop, &limit);                            \
		if (turn_late)                                          \
			fail_msg("waited too long for %s", #condition); \
	} while (0)

void turn_for(double seconds);

struct client {
	ev_io io;
	int fd;
	bool ended; /* the server closed it */
	bool reset; /* and threw away what it had not sent */
	bool deaf;  /* takes one byte at a time */
	size_t total, len;
	char text[4096]; /* what came, as far as there is room */
};

void client_open(struct client *);
void client_send(struct client *, const char *text);
void client_close(struct client *);

/* Ask on a connection of its own, which the server is told to close. */
const char *ask(const char *method, const char *path, const char *headers);
void assert_has(const char *text, const char *part);

#endif
