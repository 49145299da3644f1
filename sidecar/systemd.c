#include "systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

void
systemd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract address has no NUL at its end */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

static long
number(const char *text)
{
	char *end;
	long n;

	if (text == NULL || *text == '\0')
		return -1;
	errno = 0;
	n = strtol(text, &end, 10);
	return errno == 0 && *end == '\0' ? n : -1;
}

static int
socket_option(int fd, int what)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, what, &value, &len) == 0 ? value : -1;
}

int
systemd_socket(const char **why)
{
	long pid = number(getenv("LISTEN_PID")), n = number(getenv("LISTEN_FDS"));

	*why = NULL;
	if (n < 0 || pid != (long)getpid())
		return -1;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (n != 1) {
		*why = "expected exactly one socket";
		return -1;
	}
	if (socket_option(FIRST_FD, SO_DOMAIN) != AF_UNIX ||
	    socket_option(FIRST_FD, SO_TYPE) != SOCK_STREAM ||
	    socket_option(FIRST_FD, SO_ACCEPTCONN) != 1) {
		*why = "it is not a listening stream socket of AF_UNIX";
		return -1;
	}
	if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(FIRST_FD, F_SETFL, fcntl(FIRST_FD, F_GETFL) | O_NONBLOCK) != 0) {
		*why = strerror(errno);
		return -1;
	}
	return FIRST_FD;
}
