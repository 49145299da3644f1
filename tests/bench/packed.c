#include "tests/bench/packed.h"

#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/random.h"

enum { SEND_AT = 8192 };

static msgpack_sbuffer buffer;
static msgpack_packer packer;
static struct random ids;
static int fd = -1;

static void
pack_bin(const void *bytes, size_t n)
{
	msgpack_pack_bin(&packer, n);
	msgpack_pack_bin_body(&packer, bytes, n);
}

static void
pack_str(const char *s, size_t len)
{
	msgpack_pack_str(&packer, len);
	msgpack_pack_str_body(&packer, s, len);
}

static void
pack_attrs(const struct sidecar_attr *attrs, size_t n)
{
	if (n == 0) {
		msgpack_pack_nil(&packer);
		return;
	}
	msgpack_pack_map(&packer, n);
	for (size_t i = 0; i < n; i++) {
		msgpack_pack_uint64(&packer, i + 1);
		if (attrs[i].type == SIDECAR_INT)
			msgpack_pack_int64(&packer, attrs[i].value.i);
		else
			pack_str(attrs[i].value.s, attrs[i].len);
	}
}

void
packed_span(const struct sidecar_attr *attrs, size_t n)
{
	uint64_t trace[2], id;

	if (buffer.data == NULL) {
		msgpack_sbuffer_init(&buffer);
		msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
		random_seed(&ids);
	}
	trace[0] = random_next(&ids);
	trace[1] = random_next(&ids);
	id = random_next(&ids);
	msgpack_pack_array(&packer, 10);
	msgpack_pack_uint8(&packer, 3);
	pack_bin(trace, sizeof(trace));
	pack_bin(&id, sizeof(id));
	msgpack_pack_nil(&packer);
	msgpack_pack_uint8(&packer, 0);
	msgpack_pack_uint8(&packer, SIDECAR_INTERNAL);
	msgpack_pack_uint64(&packer, clock_now_system());
	msgpack_pack_uint8(&packer, 3);
	pack_attrs(attrs, n);
	msgpack_pack_nil(&packer);

	msgpack_pack_array(&packer, 6);
	msgpack_pack_uint8(&packer, 4);
	pack_bin(&id, sizeof(id));
	msgpack_pack_uint64(&packer, clock_now_system());
	msgpack_pack_uint8(&packer, SIDECAR_OK);
	msgpack_pack_nil(&packer);
	msgpack_pack_nil(&packer);
}

void
packed_clear(void)
{
	if (buffer.data != NULL)
		msgpack_sbuffer_clear(&buffer);
}

void
packed_open(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror(path);
		exit(1);
	}
}

void
packed_send(void)
{
	size_t sent = 0;

	if (buffer.size < SEND_AT)
		return;
	while (fd >= 0 && sent < buffer.size) {
		ssize_t n = send(fd, buffer.data + sent, buffer.size - sent, MSG_NOSIGNAL);

		if (n < 0) {
			perror("send");
			exit(1);
		}
		sent += (size_t)n;
	}
	msgpack_sbuffer_clear(&buffer);
}

void
packed_close(void)
{
	close(fd);
	msgpack_sbuffer_destroy(&buffer);
}
