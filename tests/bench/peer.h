/*
 * peer.h -- a sidecar for bench_client that reads and forgets, and who runs on which core.
 */
#ifndef PEER_H
#define PEER_H

#include <pthread.h>
#include <stdbool.h>

struct peer {
	char folder[32], path[64];
	int listener, stop[2];
	pthread_t thread;
};

enum peer_core { PEER_CALLER, PEER_OTHERS };

/* The calling thread, and those it will start, run on the last core or on all the others. false:
 * there is one core only. */
bool peer_pin(enum peer_core);
/* Accept and read, in a thread of its own, until peer_stop(). Exits on failure. */
void peer_start(struct peer *);
void peer_stop(struct peer *);

#endif
