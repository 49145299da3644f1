#include "unix_socket.h"

#include "systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Many processes of a pod may start at once. */
enum { BACKLOG = 1024 };

/* How long to wait for others that make their sockets in the same folder. */
enum { LOCK_MS = 1000 };

/* A descriptor to give up when there is none left: see unix_socket_accept(). */
static int spare = -1;

static int
open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int
fail(struct unix_socket *l, char *error, size_t errlen, const char *why)
{
	snprintf(error, errlen, "%s: %s", l->path, why);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	return -1;
}

/* Whoever listens at the path: 1 somebody, 0 nobody (a stale file, or none), -1 it cannot be told
 * or is no socket. */
static int
alive(const struct sockaddr_un *at)
{
	struct stat st;
	int fd, rc;

	if (lstat(at->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	rc = connect(fd, (const struct sockaddr *)at, sizeof(*at));
	if (rc == 0 || errno == EAGAIN)
		rc = 1; /* EAGAIN: its backlog is full, so it lives */
	else
		rc = errno == ECONNREFUSED ? 0 : -1;
	close(fd);
	return rc;
}

/* The folder of the socket, made if only its last part is missing, and locked: a descriptor that
 * holds the lock until it is closed, or -1. Of daemons that start together each would otherwise
 * find that nobody listens, and put its socket in the place of another's. Who locks the folder for
 * longer than that takes does so for reasons of his own, and is not waited for. */
static int
take_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
	int fd;

	if (slash != NULL)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path + 1), path);
	mkdir(folder, 0755); /* bind() tells when it is not there after all */
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int ms = 0; fd >= 0 && ms < LOCK_MS; ms++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			break;
		usleep(1000);
	}
	return fd;
}

/* Under the folder's lock. */
static int
claim(
    struct unix_socket *l, const struct sockaddr_un *at, unsigned mode, char *error, size_t errlen)
{
	struct stat st;
	mode_t old;
	int rc;

	switch (alive(at)) {
	case 1: return fail(l, error, errlen, "another daemon listens there");
	case -1:
		return fail(l, error, errlen,
		    errno == EEXIST ? "exists and is not a socket" : strerror(errno));
	}
	if (unlink(l->path) != 0 && errno != ENOENT)
		return fail(l, error, errlen, strerror(errno));
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return fail(l, error, errlen, strerror(errno));
	old = umask(~mode & 0777);
	rc = bind(l->fd, (const struct sockaddr *)at, sizeof(*at));
	umask(old);
	if (rc != 0 || listen(l->fd, BACKLOG) != 0 || stat(l->path, &st) != 0)
		return fail(l, error, errlen, strerror(errno));
	l->made = true;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

static int
make(struct unix_socket *l, unsigned mode, char *error, size_t errlen)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int folder, rc;

	if (strlen(l->path) >= sizeof(at.sun_path))
		return fail(l, error, errlen, "path is too long for a socket");
	memcpy(at.sun_path, l->path, strlen(l->path));
	folder = take_folder(l->path);
	rc = claim(l, &at, mode, error, errlen);
	if (folder >= 0)
		close(folder);
	return rc;
}

int
unix_socket_open(struct unix_socket *l, const char *path, unsigned mode, char *error, size_t errlen)
{
	const char *why;

	*l = (struct unix_socket){ .path = path };
	l->fd = systemd_socket(&why);
	if (why != NULL) {
		snprintf(error, errlen, "socket passed by systemd: %s", why);
		return -1;
	}
	spare = open_spare();
	return l->fd >= 0 ? 0 : make(l, mode, error, errlen);
}

int
unix_socket_accept(const struct unix_socket *l)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
		return fd;
	if (spare >= 0)
		close(spare);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	spare = open_spare();
	/* Without a descriptor accept() says EMFILE before it looks whether anybody waits. */
	errno = fd >= 0 ? EMFILE : EAGAIN;
	return -1;
}

void
unix_socket_close(struct unix_socket *l)
{
	struct stat st;

	if (l->fd < 0)
		return;
	close(l->fd);
	l->fd = -1;
	if (l->made && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
}
