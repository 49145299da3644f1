#include "listener.h"

#include "address.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How often a port that the kernel chose for the first address may be taken on the next one. */
enum { ATTEMPTS = 16 };

static void
set_port(struct sockaddr_storage *a, unsigned port)
{
	if (a->ss_family == AF_INET6)
		((struct sockaddr_in6 *)a)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)a)->sin_port = htons((uint16_t)port);
}

static unsigned
port_of(int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
					     : ((struct sockaddr_in *)&a)->sin_port);
}

/* -1 and errno. */
static int
open_one(const struct sockaddr *where, socklen_t len, unsigned port, int v6only)
{
	struct sockaddr_storage a;
	int fd = socket(where->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, saved;

	if (fd < 0)
		return -1;
	memcpy(&a, where, len);
	set_port(&a, port);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (where->sa_family != AF_INET6 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) == 0) &&
	    bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* One socket for both families or, where there is no IPv6, for IPv4. */
static size_t
open_all_addresses(unsigned port, int fds[LISTENER_MAX])
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	fds[0] = open_one((struct sockaddr *)&v6, sizeof(v6), port, 0);
	if (fds[0] < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fds[0] = open_one((struct sockaddr *)&v4, sizeof(v4), port, 0);
	return fds[0] >= 0;
}

/* A socket for each address, all or (errno) none. */
static size_t
open_each(const struct addrinfo *list, unsigned port, int fds[LISTENER_MAX])
{
	int saved = EADDRNOTAVAIL;
	size_t n = 0;

	for (const struct addrinfo *a = list; a != NULL && n < LISTENER_MAX; a = a->ai_next) {
		fds[n] = open_one(a->ai_addr, a->ai_addrlen, port, 1);
		if (fds[n] >= 0) {
			port = port_of(fds[n++]);
			continue;
		}
		saved = errno;
		if (saved == EAFNOSUPPORT || saved == EADDRNOTAVAIL)
			continue;
		while (n > 0)
			close(fds[--n]);
		break;
	}
	errno = saved;
	return n;
}

static size_t
open_host(const struct address *at, int fds[LISTENER_MAX], const char **why)
{
	struct addrinfo hints = { .ai_family = at->v6 ? AF_INET6 : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = at->v6 ? AI_NUMERICHOST : 0 };
	struct addrinfo *list;
	size_t n = 0;
	int error = getaddrinfo(at->host, NULL, &hints, &list);

	if (error != 0) {
		*why = error == EAI_SYSTEM ? NULL : gai_strerror(error);
		return 0;
	}
	for (int i = 0; i < ATTEMPTS && n == 0; i++) {
		n = open_each(list, at->port, fds);
		if (n == 0 && (errno != EADDRINUSE || at->port != 0))
			break;
	}
	int saved = errno;
	freeaddrinfo(list);
	errno = saved;
	return n;
}

size_t
listener_open(
    const char *address, int fds[LISTENER_MAX], unsigned *port, char *error, size_t errlen)
{
	const char *why = NULL;
	struct address at;
	size_t n;

	if (!address_parse(address, &at)) {
		snprintf(error, errlen, "cannot listen on '%s': not host:port, [v6]:port or :port",
		    address);
		return 0;
	}
	if (at.host[0] == '\0')
		n = open_all_addresses(at.port, fds);
	else
		n = open_host(&at, fds, &why);
	if (n == 0) {
		if (why == NULL)
			why = strerror(errno);
		/* "Address already in use" goes on after a colon, in the middle of a line. */
		snprintf(error, errlen, "cannot listen on %s: %c%s", address,
		    tolower((unsigned char)why[0]), why + 1);
		return 0;
	}
	*port = port_of(fds[0]);
	return n;
}
