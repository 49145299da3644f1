/*
 * link.h -- the socket to the sidecar, and when to try again.
 */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "random.h"

enum {
	LINK_RETRY_MIN = 50,  /* ms */
	LINK_RETRY_MAX = 800, /* so that a sidecar that is back is found within a second */
	LINK_STEADY = 1000,   /* a connection that held this long starts the waits from the first */
};

struct link {
	int fd;            /* -1: down */
	uint64_t retry_at; /* CLOCK_MONOTONIC, ns: not before */
	uint64_t since;    /* when it came up */
	uint32_t wait_ms;  /* the next wait; half of it is random */
	struct random random;
};

void link_init(struct link *);
/* If it is time, try to connect, without waiting. Return whether the link is up now. */
bool link_connect(struct link *, const char *path, uint64_t now);
/* Bytes taken; 0: none just now; -1: broken. Never raises SIGPIPE. */
ssize_t link_send(struct link *, const void *, size_t);
void link_close(struct link *, uint64_t now);

#endif
