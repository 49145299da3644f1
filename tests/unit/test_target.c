#include "sidecar/identity.h"
#include "sidecar/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct target t;
static struct target_error e;
static char error[512];

static int
resolve(const struct config *c, enum target_signal signal)
{
	e = (struct target_error){ 0 };
	return target_resolve(&t, c, signal, &e);
}

static void
test_endpoints(void **state)
{
	enum { GRPC = PROTOCOL_GRPC, HTTP = PROTOCOL_HTTP };
#define GRPC_PATH "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
	static const struct {
		const char *general, *own;
		int64_t protocol;
		bool insecure;
		const char *url; /* NULL: refused */
	} rows[] = {
		{ "http://c:4317", NULL, GRPC, false, "http://c:4317" GRPC_PATH },
		{ "https://c:4317/ignored", NULL, GRPC, true, "https://c:4317" GRPC_PATH },
		{ "c:4317", NULL, GRPC, false, "https://c:4317" GRPC_PATH },
		{ "c:4317", NULL, GRPC, true, "http://c:4317" GRPC_PATH },
		{ "http://a", "http://b:1/x", GRPC, false, "http://b:1" GRPC_PATH },
		{ "http://c:4318", NULL, HTTP, false, "http://c:4318/v1/traces" },
		{ "http://c:4318/", NULL, HTTP, false, "http://c:4318/v1/traces" },
		{ "http://c/otlp", NULL, HTTP, false, "http://c/otlp/v1/traces" },
		{ "http://a", "http://b/own", HTTP, false, "http://b/own" },
		{ "http://a", "http://b", HTTP, false, "http://b/" },
		{ "ftp://c", NULL, HTTP, false, NULL },
		{ "unix:///x", NULL, GRPC, false, NULL },
		{ "http://", NULL, HTTP, false, NULL },
		{ "http://a b", NULL, HTTP, false, NULL },
		{ "", NULL, GRPC, false, NULL },
		{ "http://[::1]:4317", NULL, GRPC, false, "http://[::1]:4317" GRPC_PATH },
		{ "http://[fe80::1%25eth0]", NULL, GRPC, false,
		    "http://[fe80::1%25eth0]" GRPC_PATH },
		{ "http://me:se@cret@c:1", NULL, GRPC, false, "http://me:se@cret@c:1" GRPC_PATH },
		{ "http://c:65535", NULL, GRPC, false, "http://c:65535" GRPC_PATH },
		{ "http://c:65536", NULL, GRPC, false, NULL },
		{ "http://c:0", NULL, GRPC, false, NULL },
		{ "http://c:", NULL, GRPC, false, NULL },
		{ "http://c:otlp", NULL, GRPC, false, NULL },
		{ "http://:4317", NULL, GRPC, false, NULL },
		{ "http://me@", NULL, GRPC, false, NULL },
		{ "http://::1:4317", NULL, GRPC, false, NULL },
		{ "http://[::1", NULL, GRPC, false, NULL },
		{ "http://[]", NULL, GRPC, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config c = { .otlp = { .endpoint = rows[i].general,
					.protocol = rows[i].protocol },
			.traces = { .endpoint = rows[i].own },
			.insecure = rows[i].insecure };
		int rc = resolve(&c, TARGET_TRACES);

		assert_int_equal(rc, rows[i].url != NULL ? 0 : -1);
		if (rows[i].url != NULL)
			assert_string_equal(t.url, rows[i].url);
		else
			assert_string_not_equal(e.why, "");
	}
}

static void
test_a_signal_beats_the_general_option(void **state)
{
	struct config c = { .otlp = { .endpoint = "http://c", .timeout = 10000000000 },
		.metrics = { .protocol = 2, .compression = 2, .timeout = 500000000 } };

	(void)state;
	assert_int_equal(resolve(&c, TARGET_TRACES), 0);
	assert_true(t.on && t.grpc && t.gzip);
	assert_int_equal(t.timeout, 10000);
	assert_int_equal(resolve(&c, TARGET_METRICS), 0);
	assert_true(t.on && !t.grpc && !t.gzip);
	assert_int_equal(t.timeout, 500);
	c.metrics.timeout = 1;
	assert_int_equal(resolve(&c, TARGET_METRICS), 0);
	assert_int_equal(t.timeout, 1);
	assert_string_equal(t.url, "http://c/v1/metrics");
	c.metrics_exporter = 1;
	assert_int_equal(resolve(&c, TARGET_METRICS), 0);
	assert_false(t.on);
	c.otlp.endpoint = NULL;
	assert_int_equal(resolve(&c, TARGET_TRACES), 0);
	assert_false(t.on);
}

/* The password goes to the Collector, and into no log. */
static void
test_password(void **state)
{
	struct config c = { .otlp = { .endpoint = "http://me:p@ss@c:1/a@b", .protocol = 1 } };

	(void)state;
	assert_int_equal(resolve(&c, TARGET_TRACES), 0);
	assert_string_equal(t.url, "http://me:p@ss@c:1/a@b/v1/traces");
	assert_string_equal(t.shown, "http://c:1/a@b/v1/traces");
	c.otlp.endpoint = "http://c:1/a@b";
	assert_int_equal(resolve(&c, TARGET_TRACES), 0);
	assert_string_equal(t.shown, t.url);
}

static void
test_headers(void **state)
{
	struct config c = { .otlp = { .endpoint = "http://c",
				.headers = " Api-Key = a%20b%2C , ,x-tenant=1=2,empty=" } };
	static const char *const bad[] = { "novalue", "na me=x", "=x", "a=b%0ac", "\xc3\xa4=x" };

	(void)state;
	assert_int_equal(resolve(&c, TARGET_TRACES), 0);
	assert_int_equal(t.nheaders, 3);
	assert_string_equal(t.headers[0], "api-key: a b,");
	assert_string_equal(t.headers[1], "x-tenant: 1=2");
	assert_string_equal(t.headers[2], "empty: ");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		c.otlp.headers = bad[i];
		assert_int_equal(resolve(&c, TARGET_TRACES), -1);
		assert_string_equal(e.option, "otlp-headers");
	}
	c.metrics.headers = "none";
	assert_int_equal(resolve(&c, TARGET_METRICS), -1);
	assert_string_equal(e.option, "otlp-metrics-headers");
}

static void
test_as_many_headers_as_the_limit(void **state)
{
	char list[8192] = "";
	struct config c = { .otlp = { .endpoint = "http://c", .headers = list } };

	(void)state;
	for (int i = 0; i < TARGET_HEADERS; i++)
		strcat(list, "a=b,");
	assert_int_equal(resolve(&c, TARGET_TRACES), 0);
	assert_int_equal(t.nheaders, TARGET_HEADERS);
	strcat(list, "a=b");
	assert_int_equal(resolve(&c, TARGET_TRACES), -1);
	memset(list, 'a', TARGET_HEADER_BYTES);
	list[1] = '=';
	list[TARGET_HEADER_BYTES - 2] = '\0'; /* "a: " and the value and its NUL: exactly full */
	assert_int_equal(resolve(&c, TARGET_TRACES), 0);
	list[TARGET_HEADER_BYTES - 2] = 'a';
	list[TARGET_HEADER_BYTES - 1] = '\0';
	assert_int_equal(resolve(&c, TARGET_TRACES), -1);
}

static void
test_files(void **state)
{
	struct config c = { .otlp = { .endpoint = "https://c", .certificate = "/nowhere/ca.pem" } };

	(void)state;
	assert_int_equal(resolve(&c, TARGET_TRACES), -1);
	assert_string_equal(e.option, "otlp-certificate");
	assert_non_null(strstr(e.why, "/nowhere/ca.pem"));
	c.otlp.certificate = NULL;
	c.otlp.client_key = "/dev/null";
	assert_int_equal(resolve(&c, TARGET_TRACES), -1);
	c.otlp.client_certificate = "/dev/null";
	assert_int_equal(resolve(&c, TARGET_TRACES), 0);
}

static void
test_identity(void **state)
{
	static struct identity id;
	static const uint8_t random[16] = { 0xff, 1, 2, 3, 4, 5, 0xff, 7, 0xff, 9 };
	static const char pod[] = "\x0a\x0f\x0a\x08k8s.pod \x12\x03\x0a\x01,";
	static const char *const bad[] = { "novalue", "a=%zz", "a=%4", "=b", "a=%ff", "a=\xff",
		"%c3=b", "good=1,a=%ed%a0%80" };
	static const char instance[] = "service.instance.id\x12\x26\x0a\x24"
				       "ff010203-0405-4f07-bf09-000000000000";

	(void)state;
	assert_int_equal(
	    identity_make(&id, " k8s.pod%20 = %2c ,service.name=x", random, error, sizeof(error)),
	    0);
	assert_memory_equal(id.traces.s, pod, sizeof(pod) - 1);
	assert_true(id.traces.len > sizeof(pod) - 1); /* and service.name */
	assert_memory_equal(id.metrics.s, pod, sizeof(pod) - 1);
	assert_int_equal(id.metrics.len, sizeof(pod) - 1 + 4 + sizeof(instance) - 1);
	assert_memory_equal(id.metrics.s + sizeof(pod) - 1 + 4, instance, sizeof(instance) - 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(identity_make(&id, bad[i], random, error, sizeof(error)), -1);
		assert_int_equal(id.traces.len, 0);
		assert_int_equal(id.metrics.len, 4 + sizeof(instance) - 1);
	}
	assert_int_equal(identity_make(&id, NULL, random, error, sizeof(error)), 0);
	assert_int_equal(id.traces.len, 0);
}

static void
test_a_key_given_twice_has_its_last_value(void **state)
{
	static struct identity twice, once;
	static const uint8_t random[16];

	(void)state;
	assert_int_equal(
	    identity_make(&twice, "a=1,b=2,%61=%33,b", random, error, sizeof(error)), -1);
	assert_int_equal(identity_make(&twice, "a=1,b=2,%61=%33", random, error, sizeof(error)), 0);
	assert_int_equal(identity_make(&once, "b=2,a=3", random, error, sizeof(error)), 0);
	assert_int_equal(twice.traces.len, once.traces.len);
	assert_memory_equal(twice.traces.s, once.traces.s, once.traces.len);
	assert_int_equal(twice.metrics.len, once.metrics.len);
	assert_memory_equal(twice.metrics.s, once.metrics.s, once.metrics.len);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_a_signal_beats_the_general_option),
		cmocka_unit_test(test_password),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_as_many_headers_as_the_limit),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_a_key_given_twice_has_its_last_value),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
