/*
 * load.h -- an open loop of calls: due at a steady rate whether or not earlier ones have come back.
 *
 * A call's latency counts from when it was due, so that waiting for a place among the outstanding
 * ones is part of it.
 */
#ifndef LOAD_H
#define LOAD_H

#include <signal.h>
#include <stdint.h>

struct client;
struct summary;

enum { LOAD_NUMBER_MAX = 1000000 }; /* x and y are random in [-max, max] */

struct load {
	uint64_t rate;                     /* calls a second, at least 1 */
	uint64_t seconds;                  /* how long calls become due */
	uint64_t outstanding;              /* calls at a time, at most */
	uint64_t deadline;                 /* ns, of each call */
	const char *traceparent;           /* of each call; NULL: one is made for each */
	const volatile sig_atomic_t *stop; /* when it is set no further call is due */
};

enum { TRACEPARENT_SIZE = 56 }; /* with its NUL */

/* A fresh root context, sampled. */
void load_traceparent(char out[TRACEPARENT_SIZE]);
/* Make the calls and wait for all of them. Returns the seconds that it took. */
double load_run(struct client *, const struct load *, struct summary *);

#endif
