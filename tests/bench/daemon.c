#include "daemon.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;
static char folder[] = "/tmp/bench-sidecard-XXXXXX";
static char socket_path[64];
static unsigned http_port, sink_port;
static pid_t pid;
static clockid_t cpu_clock;

void
die(const char *what)
{
	perror(what);
	exit(1);
}

double
seconds_of(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		die("clock_gettime");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the Collector */

static void *
serve(void *arg)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
				     "Content-Length: 0\r\n\r\n";
	int fd = (int)(intptr_t)arg;
	static _Thread_local char bytes[1 << 20];
	size_t have = 0;
	ssize_t n;

	while ((n = recv(fd, bytes + have, sizeof(bytes) - 1 - have, 0)) > 0) {
		char *body, *length;
		long left;

		have += (size_t)n;
		bytes[have] = '\0';
		body = strstr(bytes, "\r\n\r\n");
		if (body == NULL)
			continue;
		length = strcasestr(bytes, "content-length:");
		left = strtol(length + 15, NULL, 10) - (bytes + have - body - 4);
		while (left > 0 && (n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
			left -= n;
		if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
			break;
		have = 0;
	}
	close(fd);
	return NULL;
}

static void *
accept_all(void *arg)
{
	int listener = (int)(intptr_t)arg, fd;
	pthread_t thread;

	while ((fd = accept(listener, NULL, NULL)) >= 0)
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
			pthread_detach(thread);
	return NULL;
}

static void
start_sink(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 16) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0 ||
	    pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)fd) != 0)
		die("sink");
	sink_port = ntohs(at.sin_port);
}

/* ---- the daemon */

/* GET path; the answer's body, or NULL. */
static char *
get(const char *path)
{
	static char page[1 << 20];
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t have = 0;
	ssize_t n;
	char *body;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect to /metrics");
	dprintf(fd, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	while (
	    have < sizeof(page) - 1 && (n = recv(fd, page + have, sizeof(page) - 1 - have, 0)) > 0)
		have += (size_t)n;
	close(fd);
	page[have] = '\0';
	body = strstr(page, "\r\n\r\n");
	return body != NULL ? body + 4 : NULL;
}

static double
metric(const char *name)
{
	const char *at = get("/metrics");

	for (; at != NULL && *at != '\0'; at = strchr(at, '\n'), at += at != NULL)
		if (strncmp(at, name, strlen(name)) == 0)
			return strtod(strchr(at, ' ') + 1, NULL);
	return 0;
}

void
daemon_wait(const char *name, double value)
{
	double until = seconds_of(CLOCK_MONOTONIC) + 60;

	while (metric(name) < value) {
		if (seconds_of(CLOCK_MONOTONIC) > until) {
			fprintf(stderr, "%s never reached %.0f\n", name, value);
			exit(1);
		}
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
}

void
daemon_start(bool export)
{
	char http[64], sock[96], endpoint[96], line[512];
	int log[2];
	FILE *f;

	snprintf(socket_path, sizeof(socket_path), "%s/s", folder);
	snprintf(sock, sizeof(sock), "--socket=%s", socket_path);
	snprintf(http, sizeof(http), "--http=127.0.0.1:0");
	snprintf(endpoint, sizeof(endpoint), "--otlp-endpoint=http://127.0.0.1:%u", sink_port);
	if (pipe2(log, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		die("fork");
	if (pid == 0) {
		dup2(log[1], STDERR_FILENO);
		execl(program, program, sock, http, "--otlp-protocol=http/protobuf",
		    export ? endpoint : NULL, (char *)NULL);
		_exit(127);
	}
	close(log[1]);
	f = fdopen(log[0], "r");
	http_port = 0;
	while (f != NULL && http_port == 0 && fgets(line, sizeof(line), f) != NULL) {
		char *at = strstr(line, "http_port=");

		if (at != NULL)
			http_port = (unsigned)strtoul(at + 10, NULL, 10);
	}
	if (http_port == 0 || clock_getcpuclockid(pid, &cpu_clock) != 0)
		die(program);
	/* The pipe stays open: what the daemon logs later fits its buffer. */
}

void
daemon_stop(void)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

long
daemon_memory(const char *field)
{
	char path[64], line[256];
	FILE *f;
	long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, field, strlen(field)) == 0)
			kib = strtol(line + strlen(field) + 1, NULL, 10);
	if (f != NULL)
		fclose(f);
	return kib;
}

const char *
daemon_socket(void)
{
	return socket_path;
}

double
daemon_cpu(void)
{
	return seconds_of(cpu_clock);
}

void
daemon_prepare(const char *path)
{
	program = path;
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(folder) == NULL)
		die("mkdtemp");
	snprintf(socket_path, sizeof(socket_path), "%s/s", folder);
	start_sink();
}

void
daemon_clean(void)
{
	rmdir(folder);
}
