#include "unix_socket.h"

#include "systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Many processes of a pod may start at once. */
enum { BACKLOG = 1024 };

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

/* The folder of the socket, if only its last part is missing. */
static void
make_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];

	if (slash == NULL || slash == path)
		return;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	mkdir(folder, 0755); /* bind() tells when it is not there after all */
}

static int
make(struct unix_socket *l, unsigned mode, char *error, size_t errlen)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t old;
	int rc;

	if (strlen(l->path) >= sizeof(at.sun_path))
		return fail(l, error, errlen, "path is too long for a socket");
	memcpy(at.sun_path, l->path, strlen(l->path));
	make_folder(l->path);
	switch (alive(&at)) {
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
	rc = bind(l->fd, (struct sockaddr *)&at, sizeof(at));
	umask(old);
	if (rc != 0 || listen(l->fd, BACKLOG) != 0 || stat(l->path, &st) != 0)
		return fail(l, error, errlen, strerror(errno));
	l->made = true;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
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
