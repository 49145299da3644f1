/*
 * unix_socket.h -- the listening socket: passed by systemd, or made at a path and removed at the
 * end.
 */
#ifndef UNIX_SOCKET_H
#define UNIX_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct unix_socket {
	int fd; /* -1: none */
	const char *path;
	bool made; /* by us: the file is ours to remove */
	dev_t dev;
	ino_t ino;
};

/* path is borrowed. 0, or -1 and *error names the path and the reason. */
int
unix_socket_open(struct unix_socket *, const char *path, unsigned mode, char *error, size_t errlen);

/* Accept one, non-blocking and close-on-exec; -1: errno. Out of descriptors (EMFILE, ENFILE), the
 * waiting connection is accepted and closed, so that its peer learns of it and the loop does not
 * spin. */
int unix_socket_accept(const struct unix_socket *);

/* Stop listening and remove the file, unless another has taken its place. */
void unix_socket_close(struct unix_socket *);

#endif
