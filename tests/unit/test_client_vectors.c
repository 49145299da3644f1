/* protocol/vectors as the client writes them: each meaning that a public call has, to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/sidecar.h"
#include "client_canonical.h"
#include "client_say.h"
#include "vectors.h"

enum {
	COVERED = 79,   /* vectors whose meaning the client can say */
	IDENTICAL = 19, /* of these: that are in its own form already */
};

static struct sidecar *sidecar;
static int peer;
static uint8_t received[1 << 20];
static size_t received_size;

/* ---- the socket */

static void
receive(void)
{
	ssize_t n;

	received_size = 0;
	while ((n = recv(peer, received + received_size, sizeof(received) - received_size,
		    MSG_DONTWAIT)) > 0)
		received_size += (size_t)n;
}

/* The last event of that type among what was received; for STRING, of that id. */
static const uint8_t *
find(uint64_t type, uint64_t id, size_t *size)
{
	const uint8_t *found = NULL;
	msgpack_unpacked m;
	size_t at = 0, begun = 0;

	msgpack_unpacked_init(&m);
	while (msgpack_unpack_next(&m, (const char *)received, received_size, &at) > 0) {
		const msgpack_object *fields = m.data.via.array.ptr;

		if (fields[0].via.u64 == type && (type != WIRE_STRING || fields[1].via.u64 == id)) {
			found = received + begun;
			*size = at - begun;
		}
		begun = at;
	}
	msgpack_unpacked_destroy(&m);
	assert_int_equal(begun, received_size);
	return found;
}

static int
setup(void **state)
{
	char folder[] = "/tmp/client_vectors.XXXXXX";
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct sidecar_options options = { .socket_path = at.sun_path, .service_name = "svc" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", folder);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	sidecar = sidecar_open(&options);
	assert_non_null(sidecar);
	peer = accept(listener, NULL, NULL);
	assert_true(peer >= 0);
	close(listener);
	unlink(at.sun_path);
	rmdir(folder);
	client_say_strings(sidecar);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(peer);
	return 0;
}

/* What the client says by itself comes with the connection's first bytes, and its last. */
static const struct {
	const char *name;
	enum wire_type type;
} types[] = {
	{ "STRING", WIRE_STRING },
	{ "SPAN", WIRE_SPAN },
	{ "START", WIRE_START },
	{ "END", WIRE_END },
	{ "PRODUCED", WIRE_PRODUCED },
	{ "CONSUMED", WIRE_CONSUMED },
	{ "ERROR", WIRE_ERROR },
	{ "LAG", WIRE_LAG },
	{ "ATTR", WIRE_ATTR },
	{ "EVENT", WIRE_EVENT },
	{ "LINK", WIRE_LINK },
	{ "MEASURE", WIRE_MEASURE },
	{ "BYE", WIRE_BYE },
};

static unsigned covered, identical;

static void
compare(const struct vector *v, enum wire_type type)
{
	static uint8_t wanted[WIRE_EVENT_MAX];
	size_t wanted_size = client_canonical(v->bytes, v->n, wanted, sizeof(wanted)), size = 0;
	const json_t *string = json_object_get(json_object_get(v->json, "event"), "id");
	const uint8_t *got = find(type, (uint64_t)json_integer_value(string), &size);

	if (got == NULL || size != wanted_size || memcmp(got, wanted, size) != 0) {
		print_error("%s: other bytes\n", v->name);
		assert_non_null(got);
		assert_int_equal(size, wanted_size);
		assert_memory_equal(got, wanted, size);
	}
	covered++;
	identical += size == v->n && memcmp(got, v->bytes, size) == 0;
}

/* Say every vector of one type, by the call for it. */
static void
cover(const struct vector *vectors, size_t t)
{
	for (const struct vector *v = vectors; v->name != NULL; v++) {
		const json_t *e = json_object_get(v->json, "event");
		const char *type = json_string_value(json_object_get(e, "type"));

		if (type == NULL || strcmp(type, types[t].name) != 0)
			continue;
		if (types[t].type != WIRE_STRING && types[t].type != WIRE_BYE) {
			if (!client_say(sidecar, types[t].type, e))
				continue;
			receive();
		}
		compare(v, types[t].type);
	}
}

static void
every_vector(void **state)
{
	struct vector *vectors = vectors_read("decode");

	(void)state;
	assert_int_equal(sidecar_flush(sidecar, CLIENT_SAY_MS), 0);
	receive();
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		if (types[t].type == WIRE_BYE) {
			sidecar_close(sidecar, CLIENT_SAY_MS);
			receive();
		}
		cover(vectors, t);
	}
	print_message("%u vectors said, %u of them as they stand\n", covered, identical);
	assert_true(covered >= COVERED);
	assert_true(identical >= IDENTICAL);
	vectors_free(vectors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_vector) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
