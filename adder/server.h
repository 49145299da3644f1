/*
 * server.h -- a gRPC server: transport, TLS, deadlines, cancellation and a graceful stop, for
 * handlers that know nothing of gRPC Core. Messages are bytes here; the handlers give them their
 * meaning.
 *
 * A call's life, as its handler sees it (any callback but `message` may be NULL):
 *
 *	start -> message -> (server_send -> written [-> message ...])* -> server_finish
 *	                                                               \-> over
 *
 * All callbacks of one call run on one thread, one after another; different calls have different
 * threads. `over` comes exactly once, last, whatever happened: also before server_finish(), when
 * the caller cancelled, its deadline passed or its connection broke, and then perhaps without any
 * message. server_finish() is owed exactly once too, from any thread, and the call is freed when
 * both have been; inside `over` a second one is a no-op. A method without `over` answers inside
 * `message`, and owes nothing when none comes. server_send() and server_finish() of one call must
 * not overlap; after server_send() wait for `written`, or `over`.
 */
#ifndef SERVER_H
#define SERVER_H

#include "status.h"

#include <stddef.h>
#include <stdint.h>

struct server;
struct server_call;

enum {
	SERVER_MESSAGE_MAX = 65536, /* bytes of a request; gRPC refuses a larger one by itself */
	SERVER_THREADS = 2          /* each with its own completion queue and a share of calls */
};

struct server_method {
	const char *path; /* "/sum.SumNumbersService/SumNumbers" */
	/* Calls at a time, more are RESOURCE_EXHAUSTED; 0: the handler's own affair. */
	uint32_t limit;
	bool stream;  /* many requests, each read when the answer to the last is written */
	bool lasting; /* the client may hold it open for ever: a stop does not wait for it */
	void (*start)(struct server_call *);
	/* bytes: borrowed during the call; NULL: the client will send no (further) message. */
	void (*message)(struct server_call *, const uint8_t *bytes, size_t n);
	void (*written)(struct server_call *);
	void (*over)(struct server_call *);
	void *arg; /* for server_arg() */
};

struct server_options {
	const char *address; /* "host:port", port 0: the kernel's choice; ":port": all addresses */
	const char *cert, *key; /* PEM files; NULL: plain text */
	const char
	    *client_ca; /* PEM file: who signed the clients' certificates; NULL: any client */
	/* ns after which a client is told to connect anew, 10 % more or less; its calls finish on the
	 * old connection. 0: never. */
	int64_t max_connection_age;
	const struct server_method *methods; /* borrowed for the server's life */
	size_t n;
	void (*stopped)(void *arg); /* after server_stop(), on a server thread: no call is left */
	void *arg;
};

/* Listen. NULL: error (errlen bytes) says why, with the address or the file. */
struct server *server_open(const struct server_options *, char *error, size_t errlen);
unsigned server_port(const struct server *);
/* Take no new calls or connections and let those that are there finish; `stopped` follows. */
void server_stop(struct server *);
/* How many calls are under way that a stop should wait for. */
unsigned server_busy(const struct server *);
/* After server_stop(): cancel the calls that are left and close the connections. */
void server_cancel(struct server *);
/* After `stopped`, or instead of it. NULL is a no-op. No other call of this server's functions
 * may run or follow. */
void server_close(struct server *);

void *server_arg(const struct server_call *);
void *
server_data(const struct server_call *); /* what the handler set for this call; NULL at first */
void server_set_data(struct server_call *, void *);
/* The value of a request header (lower case), borrowed for the call's life, not NUL-terminated.
 * NULL: absent, or given more than once, which no header we read allows. */
const char *server_metadata(const struct server_call *, const char *key, size_t *len);
/* The name under which the caller reached us, copied and cut to size bytes with its NUL. */
void server_authority(const struct server_call *, char *out, size_t size);
bool server_expired(const struct server_call *); /* the caller's deadline has passed */
/* Of a call that is over: gRPC refused its request by itself, as larger than SERVER_MESSAGE_MAX, and
 * answered RESOURCE_EXHAUSTED (or, to a broken caller, that it cannot be decompressed). */
bool server_refused(const struct server_call *);
/* Of a call that is over: its caller waited until its deadline, rather than cancel before. */
bool server_timed_out(const struct server_call *);

/* Send one message, copied. */
void server_send(struct server_call *, const uint8_t *bytes, size_t n);
/* End the call: message (copied; NULL: none) and status with its text (copied). Nothing is sent
 * when the call is over. */
void server_finish(
    struct server_call *, enum status, const char *text, const uint8_t *message, size_t n);

#endif
