/*
 * door.h -- the connections of a TCP server: accepted, bounded in number, each with an absolute
 * deadline.
 *
 * The server says in which phase each guest is; every phase starts the deadline anew, nothing else
 * does:
 *
 *	              whole request            reply sent
 *	DOOR_ASKING ---------------> DOOR_SERVED ----------> DOOR_RESTING
 *	                                  ^   whole request       |
 *	                                  `-----------------------'
 *
 * A guest that is late is shut down: the server reads its end, closes the descriptor and calls
 * door_leave(). When all places are taken, the guest that has rested longest goes or, when it has
 * asked nothing in limits.patience, the one that has been asking longest; while there is neither,
 * new ones wait in the backlog. Out of descriptors, the door waits a little and tries again.
 */
#ifndef DOOR_H
#define DOOR_H

#include "http.h"

#include <ev.h>
#include <stdbool.h>
#include <sys/socket.h>

enum door_phase { DOOR_ASKING, DOOR_SERVED, DOOR_RESTING };

struct guest {
	struct door *door;
	struct guest *next_free;
	ev_timer deadline;
	double since; /* loop time at which the phase began */
	int fd;       /* the server's from door_take on */
	enum door_phase phase;
	bool used;
	bool leaving; /* shut down */
	struct sockaddr_storage address;
};

/* A new guest, in DOOR_ASKING. The server owns guest->fd from now on. False: it could not, and
 * closed it. It may have called door_leave() already. */
typedef bool door_take(struct guest *, void *arg);

/* NULL: *error (errlen bytes) says why. */
struct door *door_open(struct ev_loop *, const char *address, const struct http_limits *,
    door_take *, void *arg, char *error, size_t errlen);
void door_close(struct door *); /* once no guest is left; NULL is a no-op */
unsigned door_port(const struct door *);
const struct http_counts *door_counts(const struct door *);

void door_enter(struct guest *, enum door_phase);
void door_leave(struct guest *); /* its place is free */

enum { DOOR_TEXT = 46 }; /* INET6_ADDRSTRLEN */
/* The guest's address as text, and its port. IPv4 is printed as such whatever the socket's
 * family. */
unsigned door_peer(const struct guest *, char text[DOOR_TEXT]);

#endif
