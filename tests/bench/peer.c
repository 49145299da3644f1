#include "tests/bench/peer.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS = 8 };

bool
peer_pin(enum peer_core core)
{
	static cpu_set_t all;
	cpu_set_t wanted;
	size_t last = CPU_SETSIZE - 1;

	if (CPU_COUNT(&all) == 0)
		sched_getaffinity(0, sizeof(all), &all);
	if (CPU_COUNT(&all) < 2)
		return false;
	while (!CPU_ISSET(last, &all))
		last--;
	wanted = all;
	if (core == PEER_OTHERS) {
		CPU_CLR(last, &wanted);
	} else {
		CPU_ZERO(&wanted);
		CPU_SET(last, &wanted);
	}
	return sched_setaffinity(0, sizeof(wanted), &wanted) == 0;
}

static void *
drain(void *arg)
{
	struct peer *peer = arg;
	struct pollfd fds[2 + CONNECTIONS] = {
		{ .fd = peer->stop[0], .events = POLLIN },
		{ .fd = peer->listener, .events = POLLIN },
	};
	static char bytes[65536];
	nfds_t n = 2;

	while (poll(fds, n, -1) >= 0 && fds[0].revents == 0) {
		if (fds[1].revents != 0 && n < 2 + CONNECTIONS)
			fds[n++] = (struct pollfd){ .fd = accept(peer->listener, NULL, NULL),
				.events = POLLIN };
		for (nfds_t i = 2; i < n; i++) {
			if (fds[i].revents == 0 || read(fds[i].fd, bytes, sizeof(bytes)) > 0)
				continue;
			close(fds[i].fd);
			fds[i--] = fds[--n];
		}
	}
	while (n > 2)
		close(fds[--n].fd);
	return NULL;
}

void
peer_start(struct peer *peer)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	strcpy(peer->folder, "/tmp/bench_client.XXXXXX");
	if (mkdtemp(peer->folder) == NULL || pipe(peer->stop) != 0) {
		perror("mkdtemp, pipe");
		exit(1);
	}
	snprintf(peer->path, sizeof(peer->path), "%s/s", peer->folder);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", peer->path);
	peer->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (peer->listener < 0 || bind(peer->listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(peer->listener, CONNECTIONS) != 0 ||
	    pthread_create(&peer->thread, NULL, drain, peer) != 0) {
		perror(peer->path);
		exit(1);
	}
}

void
peer_stop(struct peer *peer)
{
	close(peer->stop[1]);
	pthread_join(peer->thread, NULL);
	close(peer->stop[0]);
	close(peer->listener);
	unlink(peer->path);
	rmdir(peer->folder);
}
