/*
 * server_call.h -- inside the gRPC server: what server.c (listening, threads, stop) and
 * server_call.c (one call) share. With these two gRPC Core enters adder.
 */
#ifndef SERVER_CALL_H
#define SERVER_CALL_H

#include "server.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
	SERVER_METHODS = 16, /* rows of the table, at most */
	SERVER_PENDING =
	    32 /* calls asked for ahead of their arrival, a queue: fewer cost latency in bursts */
};

/* What a completion queue hands back. */
struct server_tag {
	void (*run)(void *owner, bool ok);
	void *owner;
};

struct server {
	grpc_server *core;
	const struct server_method *methods;
	size_t n;
	void (*stopped)(void *arg);
	void *arg;
	int port;
	grpc_completion_queue *queues[SERVER_THREADS];
	pthread_t threads[SERVER_THREADS];
	unsigned nthreads;
	struct server_tag down;
	atomic_bool stopping;
	atomic_uint live[SERVER_METHODS]; /* calls, by method */
	atomic_uint brief;                /* calls that a stop waits for */
	pthread_mutex_t lock;             /* guards is_down, with its condition */
	pthread_cond_t changed;
	bool is_down;
};

/* Ask gRPC for one more call on this queue. */
void server_call_accept(struct server *, unsigned queue);

#endif
