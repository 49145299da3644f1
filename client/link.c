#include "link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const uint64_t MILLI = 1000000;

void
link_init(struct link *l)
{
	*l = (struct link){ .fd = -1, .wait_ms = LINK_RETRY_MIN };
	random_seed(&l->random);
}

/* Half of the wait is random, so that services do not come back in step. */
static void
schedule(struct link *l, uint64_t now)
{
	uint64_t half = l->wait_ms * MILLI / 2;

	l->retry_at = now + half + random_next(&l->random) % half;
	l->wait_ms = l->wait_ms * 2 > LINK_RETRY_MAX ? LINK_RETRY_MAX : l->wait_ms * 2;
}

bool
link_connect(struct link *l, const char *path, uint64_t now)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (l->fd >= 0)
		return true;
	if (now < l->retry_at)
		return false;
	memcpy(to.sun_path, path, strlen(path)); /* fits: checked when the handle was opened */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		if (fd >= 0)
			close(fd);
		schedule(l, now);
		return false;
	}
	l->fd = fd;
	l->since = now;
	return true;
}

ssize_t
link_send(struct link *l, const void *bytes, size_t n)
{
	ssize_t sent;

	do
		sent = send(l->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
		return 0;
	return sent;
}

void
link_close(struct link *l, uint64_t now)
{
	if (l->fd < 0)
		return;
	close(l->fd);
	l->fd = -1;
	if (now - l->since >= LINK_STEADY * MILLI)
		l->wait_ms = LINK_RETRY_MIN;
	schedule(l, now);
}
