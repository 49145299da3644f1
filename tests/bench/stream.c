#include "stream.h"

#include "daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
put(struct stream *s, const void *bytes, size_t n)
{
	memcpy(s->bytes + s->len, bytes, n);
	s->len += n;
}

static void
put_be(struct stream *s, uint8_t head, uint64_t v, int n)
{
	s->bytes[s->len++] = head;
	for (int i = n - 1; i >= 0; i--)
		s->bytes[s->len++] = (uint8_t)(v >> 8 * i);
}

static void
put_ids(struct stream *s, uint64_t i)
{
	uint64_t trace[2] = { i + 1, ~i }, parent = i + 7;

	put(s, "\xc4\x10", 2);
	put(s, trace, 16);
	put_be(s, 0xc4, 8, 1);
	put(s, &trace[0], 8);
	put(s, "\xc4\x08", 2);
	put(s, &parent, 8);
}

static void
put_hello(struct stream *s)
{
	put(s,
	    "\x93\x00\x01\x81\xacservice.name\xa5"
	    "bench",
	    23);
	for (int id = 0; id < 16; id++) {
		char text[] = "\x93\x01\x00\xa9operation0";

		text[2] = (char)id;
		text[3] = (char)0xaa;
		text[13] = (char)('a' + id);
		put(s, text, 14);
	}
}

static void
put_start(struct stream *s, uint64_t i)
{
	put(s, "\x9a\x03", 2);
	put_ids(s, i);
	s->bytes[s->len++] = (uint8_t)(i % 16);
	put(s, "\x02", 1);
	put_be(s, 0xcf, UINT64_C(1700000000000000000) + i, 8);
	put(s, "\x01\xc0\xc0", 3);
}

static void
put_end(struct stream *s, uint64_t i)
{
	uint64_t span = i + 1;

	put(s, "\x96\x04\xc4\x08", 4);
	put(s, &span, 8);
	put_be(s, 0xcf, UINT64_C(1700000000000001000) + i, 8);
	put(s, "\x00\xc0\xc0", 3);
}

static void
put_whole(struct stream *s, uint64_t i)
{
	put(s, "\x9d\x02", 2);
	put_ids(s, i);
	s->bytes[s->len++] = (uint8_t)(i % 16);
	put(s, "\x02", 1);
	put_be(s, 0xcf, UINT64_C(1700000000000000000) + i, 8);
	put(s, "\x01", 1);
	put_be(s, 0xcf, UINT64_C(1700000000000001000) + i, 8);
	put(s, "\x00\xc0\xc0\xc0", 4);
}

static struct stream
begin(uint64_t n)
{
	struct stream s = { malloc((size_t)n * 128 + 4096), 0 };

	if (s.bytes == NULL)
		die("malloc");
	put_hello(&s);
	return s;
}

struct stream
stream_whole(uint64_t n)
{
	struct stream s = begin(n);

	for (uint64_t i = 0; i < n; i++)
		put_whole(&s, i);
	return s;
}

struct stream
stream_pairs(uint64_t n, uint64_t open)
{
	struct stream s = begin(n);

	for (uint64_t i = 0; i < n + open; i++) {
		if (i < n)
			put_start(&s, i);
		if (i >= open)
			put_end(&s, i - open);
	}
	return s;
}

struct stream
stream_starts(uint64_t n)
{
	struct stream s = begin(n);

	for (uint64_t i = 0; i < n; i++)
		put_start(&s, i);
	return s;
}

int
stream_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect");
	return fd;
}

void
stream_write(int fd, const struct stream *s)
{
	for (size_t at = 0; at < s->len;) {
		size_t left = s->len - at;
		ssize_t n = write(fd, s->bytes + at, left < 65536 ? left : 65536);

		if (n < 0)
			die("write");
		at += (size_t)n;
	}
}
