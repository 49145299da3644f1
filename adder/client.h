/*
 * client.h -- SumNumbers from the caller's side: many calls at a time from one thread. gRPC Core
 * enters adder-call here.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "status.h"

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;

struct client_options {
	const char *address;    /* "host:port" */
	const char *ca;         /* PEM file to trust: TLS; NULL: plain text */
	const char *cert, *key; /* PEM files to show; NULL: none */
};

struct client_call {
	int64_t x, y;
	const char *traceparent; /* copied; NULL: none */
	uint64_t deadline;       /* ns from now */
	struct mono due;         /* comes back in the reply */
};

struct client_reply {
	enum status code;
	char text[256]; /* the status's, cut */
	int64_t sum;    /* when OK */
	struct mono due;
};

/* NULL: error (errlen bytes) says why. Does not connect yet. */
struct client *client_open(const struct client_options *, char *error, size_t errlen);
/* Start a call. False: out of memory, nothing was sent and no reply follows. */
bool client_start(struct client *, const struct client_call *);
/* The next reply, waiting for it until then; false: none came. */
bool client_next(struct client *, struct mono until, struct client_reply *);
/* Every reply must have been taken. NULL is a no-op. */
void client_close(struct client *);

#endif
