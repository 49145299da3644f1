/* resource: HELLO as an independent decoder reads it, from every mix of sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/resource.h"

static struct resource resource;
static msgpack_unpacked hello;

static const msgpack_object *
make(const struct resource_sources *from)
{
	size_t used = 0;
	const msgpack_object *fields;

	assert_int_equal(resource_init(&resource, from), 0);
	msgpack_unpacked_destroy(&hello);
	msgpack_unpacked_init(&hello);
	assert_int_equal(
	    msgpack_unpack_next(&hello, (const char *)resource.hello, resource.size, &used),
	    MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(used, resource.size);
	assert_int_equal(hello.data.via.array.size, 4);
	fields = hello.data.via.array.ptr;
	assert_int_equal(fields[0].via.u64, WIRE_HELLO);
	assert_int_equal(fields[1].via.u64, WIRE_VERSION);
	assert_int_equal(fields[3].via.array.size, 1);
	assert_memory_equal(fields[3].via.array.ptr[0].via.str.ptr, "resume", 6);
	return &fields[2];
}

static const char *
get(const msgpack_object *map, const char *key)
{
	static char value[5000];

	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object_kv *kv = &map->via.map.ptr[i];

		if (kv->key.via.str.size != strlen(key) ||
		    memcmp(kv->key.via.str.ptr, key, strlen(key)) != 0)
			continue;
		assert_int_equal(kv->val.type, MSGPACK_OBJECT_STR);
		memcpy(value, kv->val.via.str.ptr, kv->val.via.str.size);
		value[kv->val.via.str.size] = '\0';
		return value;
	}
	return "(none)";
}

static void
name_of_the_service(void **state)
{
	static const struct {
		const char *service, *attributes, *env_service, *env_attributes, *by_default,
		    *program, *expect;
	} rows[] = {
		{ NULL, NULL, NULL, NULL, NULL, "adder", "unknown_service:adder" },
		{ NULL, NULL, NULL, NULL, NULL, NULL, "unknown_service" },
		{ NULL, NULL, NULL, NULL, "d", "p", "d" },
		{ NULL, NULL, NULL, NULL, "", "p", "unknown_service:p" },
		{ NULL, NULL, NULL, "service.name=e", "d", "p", "e" },
		{ NULL, NULL, "s", "service.name=e", "d", "p", "s" },
		{ NULL, "service.name=a", "s", "service.name=e", "d", "p", "a" },
		{ "o", "service.name=a", "s", "service.name=e", "d", "p", "o" },
		{ "", "", "s", NULL, "d", "p", "s" },
		{ NULL, NULL, NULL, "service.name=", "d", "p", "d" },
		{ NULL, NULL, NULL, "service.name=", NULL, "p", "unknown_service:p" },
		{ NULL, NULL, NULL, "service.name=one,service.name=two", "d", "p", "two" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const msgpack_object *map = make(&(struct resource_sources){ rows[i].service,
		    rows[i].attributes, rows[i].env_service, rows[i].env_attributes,
		    rows[i].by_default, rows[i].program });

		assert_string_equal(get(map, "service.name"), rows[i].expect);
		assert_string_equal(resource.service, rows[i].expect);
		assert_string_equal(get(map, "telemetry.sdk.language"), "c");
		assert_int_equal(resource.ignored, 0);
	}
}

/* One list; "a" and "b" as they come out, and how much was ignored. */
static void
lists(void **state)
{
	static const struct {
		const char *list, *a, *b;
		unsigned ignored;
	} rows[] = {
		{ "a=1,b=2", "1", "2", 0 },
		{ " a = 1 ,\tb=2\t", "1", "2", 0 },
		{ "a=1,b=2,", "1", "2", 0 },
		{ ",,a=1, ,b=2", "1", "2", 0 },
		{ "a=%31%2C%3d,b=%c3%A9", "1,=", "\xc3\xa9", 0 },
		{ "%61=x", "x", "(none)", 0 },
		{ "a=x=y,b=", "x=y", "", 0 },
		{ "a=1,a=2", "2", "(none)", 0 },
		{ "a=%20x%20", " x ", "(none)", 0 },  /* encoded blanks are meant */
		{ "a=1,b=%", "(none)", "(none)", 1 }, /* one bad member: all of it goes */
		{ "a=1,b=%4", "(none)", "(none)", 1 },
		{ "a=1,b=%zz", "(none)", "(none)", 1 },
		{ "b=%4g,a=1", "(none)", "(none)", 1 },
		{ "a=1,b", "(none)", "(none)", 1 },
		{ "a=1,=2", "(none)", "(none)", 1 },
		{ "=", "(none)", "(none)", 1 },
		{ "", "(none)", "(none)", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int env = 0; env <= 1; env++) {
			struct resource_sources from = { .service = "s" };
			const msgpack_object *map;

			if (env)
				from.env_attributes = rows[i].list;
			else
				from.attributes = rows[i].list;
			map = make(&from);
			assert_string_equal(get(map, "a"), rows[i].a);
			assert_string_equal(get(map, "b"), rows[i].b);
			assert_int_equal(resource.ignored, rows[i].ignored);
		}
	}
}

static void
options_before_environment(void **state)
{
	const msgpack_object *map = make(&(struct resource_sources){ .service = "s",
	    .attributes = "service.version=2,telemetry.sdk.name=mine",
	    .env_attributes = "service.version=1,host.name=h" });

	(void)state;
	assert_string_equal(get(map, "service.version"), "2");
	assert_string_equal(get(map, "host.name"), "h");
	assert_string_equal(get(map, "telemetry.sdk.name"), "mine");
	map = make(&(struct resource_sources){ .attributes = "bad", .env_attributes = "a=1" });
	assert_string_equal(get(map, "a"), "1"); /* a bad list spoils no other */
}

/* Whatever is given, HELLO is one legal event with the name in it, and what was left out is counted. */
static void
never_too_large(void **state)
{
	static char list[60000], name[6000];
	char *p = list;
	const msgpack_object *map;

	(void)state;
	for (int i = 0; i < 300; i++)
		p += sprintf(p, "key.%d=%0*d,", i, 100 + i % 50, i);
	map = make(&(struct resource_sources){ .service = "s", .attributes = list });
	assert_string_equal(get(map, "service.name"), "s");
	assert_in_range(resource.size, WIRE_EVENT_MAX - 400, WIRE_EVENT_MAX);
	assert_int_equal(map->via.map.size + resource.ignored, 300 + 1 + 3);

	memset(name, 'n', sizeof(name) - 1);
	map = make(&(struct resource_sources){ .service = name });
	assert_int_equal(strlen(get(map, "service.name")), WIRE_VALUE_MAX);
	assert_int_equal(strlen(resource.service), WIRE_VALUE_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_of_the_service),
		cmocka_unit_test(lists),
		cmocka_unit_test(options_before_environment),
		cmocka_unit_test(never_too_large),
	};
	int failed;

	msgpack_unpacked_init(&hello);
	failed = cmocka_run_group_tests_name("client_resource", tests, NULL, NULL);
	msgpack_unpacked_destroy(&hello);
	return failed;
}
