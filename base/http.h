/*
 * http.h -- a small HTTP/1.1 server: libmicrohttpd inside the program's libev loop, no threads.
 *
 * GET and HEAD only (405 with Allow otherwise), no bodies. At most HTTP_CONNECTIONS at a time; a connection that
 * has not sent a whole request HTTP_DEADLINE seconds after it connected, or after its last reply, is closed (an absolute
 * deadline: a byte a second does not hold it). The handler answers in one call, on the loop's thread.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>

struct ev_loop;
struct http;
struct http_request;

enum { HTTP_CONNECTIONS = 256, HTTP_DEADLINE = 10 };

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
const char *http_header(const struct http_request *, const char *name); /* borrowed; NULL: absent */
/* Every value of a header given more than once is refused by some standards: how many there are. */
size_t http_header_count(const struct http_request *, const char *name);

/* Convenience: a copied text reply. */
void http_text(struct http_reply *, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Listen on "host:port" ("[v6]:port", ":port" = all addresses). NULL: *error (errlen bytes) says why, with the
 * address. */
struct http *http_open(
    struct ev_loop *, const char *address, http_handler *, void *arg, char *error, size_t errlen);
unsigned http_port(const struct http *); /* the real one, for port 0 */
void http_close(struct http *);          /* NULL is a no-op */

#endif
