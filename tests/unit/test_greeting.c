/* Who a connection is: HELLO's attributes over our own, services told apart, and their bound. */
#include "rig.h"

#include "packer.h"
#include "sidecar/resource.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Our own: KeyValues with the tag of Resource.attributes. */
#define OWN(key, value, pair, k, any, v) "\x0a" pair "\x0a" k key "\x12" any "\x0a" v value
static const char own[] = OWN("host.name", "ours", "\x13", "\x09", "\x06", "\x04")
    OWN("service.namespace", "shop", "\x1b", "\x11", "\x06", "\x04");

struct pair {
	const char *key, *value; /* value NULL: nil */
};

/* A connection that says HELLO with these, and starts one span. */
static struct session *
greet(struct rig *r, const struct pair *pairs, unsigned n)
{
	struct session *s = session_open(r->core);
	struct packer p = packer_new();

	packer_array(&p, 3);
	packer_uint(&p, WIRE_HELLO);
	packer_uint(&p, WIRE_VERSION);
	packer_map(&p, n);
	for (unsigned i = 0; i < n; i++) {
		packer_text(&p, pairs[i].key);
		if (pairs[i].value != NULL)
			packer_text(&p, pairs[i].value);
		else
			packer_nil(&p);
	}
	packer_array(&p, 8);
	packer_uint(&p, WIRE_START);
	packer_bin(&p, "0123456789abcdef", 16);
	packer_bin(&p, "01234567", 8);
	packer_nil(&p);
	packer_text(&p, "op");
	packer_uint(&p, WIRE_KIND_SERVER);
	packer_nil(&p);
	packer_uint(&p, WIRE_FLAG_SAMPLED);
	assert_int_equal(rig_feed(r, s, p.bytes, p.n, 0), SESSION_OPEN);
	free(p.bytes);
	return s;
}

/* End it; the resource of its span, as protobuf-c reads it. */
static Otlp__Resource *
resource_of(struct rig *r, struct session *s)
{
	const struct rig_span *last;
	Otlp__Resource *resource;

	rig_end(r, s);
	last = &rig_spans[rig_nspans - 1];
	/* Given back, its bytes lie there until the next one is made. */
	resource = otlp__resource__unpack(NULL, last->resource->len, last->resource->bytes);
	assert_non_null(resource);
	return resource;
}

static void
assert_attr(const Otlp__Resource *r, const char *key, const char *value)
{
	const char *got = rig_attr(r->attributes, r->n_attributes, key);

	if (value == NULL)
		assert_null(got);
	else
		assert_string_equal(got, value);
}

static void
test_own_attributes(void **state)
{
	static const struct pair pairs[] = { { "service.name", "adder" },
		{ "host.name", "theirs" } };
	static const struct pair spaced[] = { { "service.name", "adder" },
		{ "service.namespace", "bank" } };
	struct core_parts parts = { .attributes = { own, sizeof(own) - 1 } };
	Otlp__Resource *got;
	struct rig r;

	(void)state;
	rig_open(&r, &parts);
	got = resource_of(&r, greet(&r, pairs, 2));
	assert_int_equal(got->n_attributes, 3);
	assert_attr(got, "service.name", "str:adder");
	assert_attr(got, "host.name", "str:theirs");
	assert_attr(got, "service.namespace", "str:shop");
	assert_true(text_same(rig_spans[0].service->space, TEXT("shop")));
	otlp__resource__free_unpacked(got, NULL);
	got = resource_of(&r, greet(&r, spaced, 2));
	assert_int_equal(got->n_attributes, 3);
	assert_attr(got, "host.name", "str:ours");
	assert_attr(got, "service.namespace", "str:bank");
	assert_true(text_same(rig_spans[1].service->space, TEXT("bank")));
	/* The same name in another namespace is another service. */
	assert_ptr_not_equal(rig_spans[0].service, rig_spans[1].service);
	assert_int_equal(stats.services, 2);
	otlp__resource__free_unpacked(got, NULL);
	rig_close(&r);
}

/* Traces say what metrics say: a service without a name is unknown_service in both. */
static void
test_unnamed(void **state)
{
	static const struct pair rows[][1] = { { { "x", "y" } }, { { "service.name", "" } },
		{ { "service.name", NULL } } };
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	for (unsigned i = 0; i < 3; i++) {
		Otlp__Resource *got = resource_of(&r, greet(&r, rows[i], 1));

		assert_attr(got, "service.name", "str:unknown_service");
		assert_int_equal(got->n_attributes, i == 0 ? 2 : 1);
		assert_true(text_same(rig_spans[i].service->name, TEXT("unknown_service")));
		otlp__resource__free_unpacked(got, NULL);
	}
	assert_int_equal(stats.hello_unnamed, 3);
	assert_int_equal(stats.services, 1);
	rig_close(&r);
}

static void
test_most_services(void **state)
{
	struct session *s;
	char name[16];
	struct pair pair = { "service.name", name };
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	for (unsigned i = 0; i < LIMIT_SERVICES; i++) {
		snprintf(name, sizeof(name), "svc%u", i);
		rig_end(&r, greet(&r, &pair, 1));
	}
	assert_int_equal(stats.refused_services_full, 0);
	snprintf(name, sizeof(name), "one more");
	s = greet(&r, &pair, 1);
	assert_int_equal(stats.refused_services_full, 2); /* HELLO and START */
	assert_true(session_greeted(s));
	assert_int_equal(session_open_spans(s), 0);
	assert_int_equal(session_feed(s, "\x92\x09\x02", 3, r.now), SESSION_OPEN);
	assert_int_equal(stats.ledger_checks, 1);
	assert_int_equal(stats.ledger_gaps, 0);
	rig_end(&r, s);
	/* Those that are known still are. */
	snprintf(name, sizeof(name), "svc7");
	rig_end(&r, greet(&r, &pair, 1));
	assert_int_equal(stats.refused_services_full, 2);
	assert_int_equal(r.services.at[7].ledger.started, 2);
	assert_int_equal(r.services.at[7].sessions, 0);
	rig_close(&r);
}

/* Equal processes share a resource; it is forgotten with the last of them. */
static void
test_shared_resource(void **state)
{
	static const struct pair pairs[] = { { "service.name", "adder" } };
	struct session *a, *b;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	a = greet(&r, pairs, 1);
	b = greet(&r, pairs, 1);
	assert_int_equal(r.services.at[0].sessions, 2);
	assert_int_equal(stats.resources, 1);
	rig_end(&r, a);
	assert_int_equal(stats.resources, 1);
	rig_end(&r, b);
	assert_int_equal(stats.resources, 0);
	assert_int_equal(r.services.at[0].sessions, 0);
	rig_close(&r);
}

/* HELLO with an array that takes 4 bytes an item in the resource, and a name behind it. */
static struct session *
greet_large(struct rig *r, unsigned items, const char *name)
{
	struct session *s = session_open(r->core);
	struct packer p = packer_new();

	packer_array(&p, 3);
	packer_uint(&p, WIRE_HELLO);
	packer_uint(&p, WIRE_VERSION);
	packer_map(&p, 2);
	packer_text(&p, "huge");
	packer_array(&p, items);
	for (unsigned i = 0; i < items; i++)
		packer_bool(&p, 1);
	packer_text(&p, "service.name");
	packer_text(&p, name);
	assert_int_equal(rig_feed(r, s, p.bytes, p.n, 0), SESSION_OPEN);
	free(p.bytes);
	return s;
}

/* A resource has room for so much: what does not fit is dropped, the rest stands. */
static void
test_large_resource(void **state)
{
	struct session *s;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	s = greet_large(&r, 10000, "adder");
	assert_int_equal(stats.attr_store_full, 1);
	assert_int_equal(stats.resources, 1);
	assert_true(text_same(session_name(s), TEXT("adder")));
	rig_end(&r, s);
	rig_close(&r);
}

/* Whatever the size of what fits, there is a resource: without one every span would be dropped. */
static void
test_fullest_resource(void **state)
{
	static const char *const names[] = { "a", "ab", "abc", "abcd" };
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	for (unsigned items = LIMIT_RESOURCE_BYTES / 4 - 50; items < LIMIT_RESOURCE_BYTES / 4;
	     items++)
		for (unsigned i = 0; i < 4; i++) {
			struct session *s = greet_large(&r, items, names[i]);

			assert_int_equal(stats.resources, 1);
			rig_end(&r, s);
		}
	assert_true(stats.attr_store_full > 0);
	rig_close(&r);
}

/* What clients say of their drops adds up to at most what OTLP carries, and never begins anew. */
static void
test_most_drops(void **state)
{
	struct packer p = packer_new();
	struct session *s;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	packer_array(&p, 3);
	packer_uint(&p, WIRE_STATS);
	packer_uint(&p, INT64_MAX);
	packer_map(&p, 2);
	packer_text(&p, "full");
	packer_uint(&p, INT64_MAX);
	packer_text(&p, "full");
	packer_uint(&p, INT64_MAX - 1);
	for (int i = 0; i < 3; i++) {
		s = rig_hello(&r, false);
		assert_int_equal(rig_feed(&r, s, p.bytes, p.n, 0), SESSION_OPEN);
		assert_int_equal(
		    r.services.at[0].ledger.client_full, i == 0 ? INT64_MAX - 1 : INT64_MAX);
		assert_int_equal(stats.ledger_gaps, i == 0 ? INT64_MAX - 1 : INT64_MAX);
		rig_end(&r, s);
	}
	free(p.bytes);
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_attributes),
		cmocka_unit_test(test_unnamed),
		cmocka_unit_test(test_most_services),
		cmocka_unit_test(test_shared_resource),
		cmocka_unit_test(test_large_resource),
		cmocka_unit_test(test_fullest_resource),
		cmocka_unit_test(test_most_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
