/*
 * http.h -- a small HTTP/1.1 server: libmicrohttpd inside the program's libev loop, no threads.
 *
 * GET and HEAD only (405 with Allow otherwise); a body that comes with them is read and ignored.
 * The handler answers in one call, on the loop's thread.
 *
 * A connection that has not sent a whole request HTTP_DEADLINE seconds after it connected or after
 * its last reply, or not taken a whole reply HTTP_DEADLINE seconds after it asked, is closed.
 * Bytes in between do not put that off: a byte a second holds nothing. With HTTP_CONNECTIONS open,
 * a new one takes the place of the one that has idled longest since its last reply or, when it has
 * sent no request for HTTP_PATIENCE seconds, since it connected; while there is none, the new one
 * waits in the backlog. Silent connections, however many, thus keep nobody out.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>
#include <stdint.h>

struct ev_loop;
struct http;
struct http_request;

enum { HTTP_CONNECTIONS = 256, HTTP_DEADLINE = 10, HTTP_PATIENCE = 1 };

struct http_reply {
	unsigned status;      /* 200 unless set */
	const char *type;     /* Content-Type, borrowed; default "text/plain; charset=utf-8" */
	const char *encoding; /* Content-Encoding, borrowed; NULL: none */
	char *body;           /* taken: freed with free(); NULL: empty */
	size_t len;
};

/* Fill *reply. Unknown paths: status 404 and a body that says what there is. */
typedef void http_handler(const struct http_request *, struct http_reply *, void *arg);

const char *http_method(const struct http_request *);                   /* "GET" */
const char *http_path(const struct http_request *);                     /* without the query */
const char *http_version(const struct http_request *);                  /* "1.1" */
const char *http_header(const struct http_request *, const char *name); /* borrowed; NULL: absent */
/* Every value of a header given more than once is refused by some standards: how many there are. */
size_t http_header_count(const struct http_request *, const char *name);
/* The peer: "127.0.0.1", "::1". Borrowed until the handler returns. */
const char *http_client(const struct http_request *);
unsigned http_client_port(const struct http_request *);

/* Convenience: a copied text reply. */
void http_text(struct http_reply *, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Listen on "host:port" ("[v6]:port", ":port" = all addresses; a name: each of its addresses).
 * NULL: *error (errlen bytes) says why, with the address. */
struct http *http_open(
    struct ev_loop *, const char *address, http_handler *, void *arg, char *error, size_t errlen);
unsigned http_port(const struct http *); /* the real one, for port 0 */
void http_close(struct http *);          /* not from the handler; NULL is a no-op */

struct http_limits {
	unsigned connections;      /* at least 1 */
	double deadline, patience; /* seconds */
};

/* http_open() with limits other than HTTP_CONNECTIONS, HTTP_DEADLINE, HTTP_PATIENCE: for tests. */
struct http *http_open_limits(struct ev_loop *, const char *address, const struct http_limits *,
    http_handler *, void *arg, char *error, size_t errlen);

struct http_counts {
	uint64_t accepted;
	uint64_t late;    /* closed at the deadline, with a request or a reply under way */
	uint64_t rested;  /* closed at the deadline, with none: ordinary */
	uint64_t evicted; /* closed to make room for a new one */
	uint64_t refused; /* want of descriptors (they wait, and are tried again) or memory */
	unsigned open;
};

const struct http_counts *http_counts(const struct http *);

#endif
