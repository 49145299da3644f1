/* pages.h: status, JSON and span of each route, over requests made up here. */
#include "totalizer/pages.h"

#include "guard.h"
#include "sidecar_spy.h"

#include "base/clock.h"

#include <cmocka.h>

/* base/http.h's side, as far as a handler sees it. */
struct http_request {
	const char *path, *traceparent;
	size_t times; /* the header stands there */
};

const char *
http_method(const struct http_request *r)
{
	(void)r;
	return "GET";
}

const char *
http_path(const struct http_request *r)
{
	return r->path;
}

const char *
http_version(const struct http_request *r)
{
	(void)r;
	return "1.1";
}

const char *
http_client(const struct http_request *r)
{
	(void)r;
	return "::1";
}

const char *
http_header(const struct http_request *r, const char *name)
{
	return strcmp(name, "traceparent") == 0 ? r->traceparent : NULL;
}

size_t
http_header_count(const struct http_request *r, const char *name)
{
	return strcmp(name, "traceparent") == 0 ? r->times : 0;
}

void
http_text(struct http_reply *reply, unsigned status, const char *fmt, ...)
{
	va_list ap;

	reply->status = status;
	va_start(ap, fmt);
	reply->len = (size_t)vasprintf(&reply->body, fmt, ap);
	va_end(ap);
}

static struct pages pages;
static struct results_view view;
static char body[4096];

static int
fresh(void **unused)
{
	(void)unused;
	memset(&spy, 0, sizeof(spy));
	pages = (struct pages){ .results = results_new() };
	assert_non_null(pages.results);
	view = (struct results_view){ .known = true,
		.total = { INT64_MIN, 0 },
		.count = 7,
		.partitions = 4,
		.as_of = { 1795428000123456789 },
		.fresh = clock_mono(),
		.joined = true,
		.assigned = 2,
		.owned = 2 };
	return 0;
}

static int
gone(void **unused)
{
	(void)unused;
	results_free(pages.results);
	return 0;
}

static unsigned
ask(const struct http_request *request)
{
	struct http_reply reply = { .status = 200 };

	results_publish(pages.results, &view);
	pages_answer(request, &reply, &pages);
	assert_true(reply.len < sizeof(body));
	memcpy(body, reply.body, reply.len);
	body[reply.len] = '\0';
	free(reply.body);
	return reply.status;
}

static unsigned
get(const char *path)
{
	return ask(&(struct http_request){ .path = path });
}

static void
test_results(void **unused)
{
	(void)unused;
	assert_int_equal(get("/v1/results"), 200);
	assert_string_equal(body, "{\"result\": -170141183460469231731687303715884105728, "
				  "\"count\": 7, \"partitions\": 4, "
				  "\"as_of\": \"2026-11-23T10:00:00.123456789Z\"}\n");
	assert_string_equal(spy.name, "GET /v1/results");
	assert_int_equal(spy.kind, SIDECAR_SERVER);
	assert_string_equal(spy.attrs,
	    "http.request.method=GET;url.path=/v1/"
	    "results;url.scheme=http;network.protocol.version=1.1;"
	    "client.address=::1;http.route=/v1/results;http.response.status_code=200;");
	assert_int_equal(spy.status, SIDECAR_UNSET);
}

static void
test_results_not_known(void **unused)
{
	(void)unused;
	view.known = false;
	assert_int_equal(get("/v1/results"), 503);
	assert_string_equal(body, "{\"error\": \"total_unknown\", \"reason\": \"the committed "
				  "totals are not read yet\"}\n");
	assert_int_equal(spy.status, SIDECAR_FAILED);
	assert_non_null(strstr(spy.attrs, "http.response.status_code=503;error.type=503;"));
	strcpy(view.reason, "_TRANSPORT: \"a\\b\"\n\xc3\xa4");
	assert_int_equal(get("/v1/results"), 503);
	assert_non_null(strstr(body, "\"reason\": \"_TRANSPORT: \\\"a\\\\b\\\"\\u000a??\"}"));
	/* The longest reason, all of it escaped, fits. */
	memset(view.reason, 1, sizeof(view.reason) - 1);
	assert_int_equal(get("/v1/results"), 503);
	assert_int_equal(
	    strlen(body), strlen("{\"error\": \"total_unknown\", \"reason\": \"\"}\n") +
			      6 * (RESULTS_REASON - 1));
}

static void
test_stale(void **unused)
{
	const uint64_t limit = RESULTS_STALE_S * CLOCK_SECOND;
	struct mono then = { 1000 };

	(void)unused;
	view.fresh = then;
	assert_null(results_unknown(&view, (struct mono){ then.ns + limit }));
	assert_string_equal(results_unknown(&view, (struct mono){ then.ns + limit + 1 }),
	    "the broker does not confirm the total");
	assert_non_null(results_unhealthy(&view, (struct mono){ then.ns + limit + 1 }));
	strcpy(view.reason, "_TIMED_OUT");
	assert_null(results_unknown(&view, then)); /* a trouble that has not made it stale yet */
	assert_string_equal(
	    results_unknown(&view, (struct mono){ then.ns + limit + 1 }), "_TIMED_OUT");
}

static void
test_health(void **unused)
{
	static const struct {
		bool known, joined;
		int32_t assigned, owned;
		unsigned status;
	} rows[] = {
		{ true, true, 2, 2, 200 },
		{ true, true, 0, 0, 200 }, /* more replicas than partitions */
		{ true, true, 2, 1, 503 },
		{ true, false, 0, 0, 503 },
		{ false, true, 2, 2, 503 },
	};
	static const char *const paths[] = { "/v1/healthcheck", "/readyz" };

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		view.known = rows[i].known;
		view.joined = rows[i].joined;
		view.assigned = rows[i].assigned;
		view.owned = rows[i].owned;
		for (size_t k = 0; k < 2; k++) {
			assert_int_equal(get(paths[k]), rows[i].status);
			assert_non_null(
			    strstr(body, rows[i].status == 200 ? "{\"status\": \"ok\""
							       : "{\"error\": \"not_ready\""));
		}
	}
}

static void
test_other_paths(void **unused)
{
	(void)unused;
	assert_int_equal(get("/healthz"), 200);
	assert_int_equal(get("/readyz"), 200);
	assert_int_equal(spy.started, 0); /* probes make no spans */
	assert_int_equal(get("/v1/results/"), 404);
	assert_non_null(strstr(body, "/v1/results"));
	assert_string_equal(spy.name, "GET");
	assert_null(strstr(spy.attrs, "http.route"));
	assert_int_equal(spy.status, SIDECAR_UNSET); /* a 404 is no error of the server */
	assert_int_equal(spy.ended, 1);
}

static void
test_parent(void **unused)
{
	static const char header[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	struct http_request request = { .path = "/v1/results", .traceparent = header, .times = 1 };

	(void)unused;
	ask(&request);
	assert_int_equal(spy.parent.span_id[0], 0xb7);
	request.times = 2;
	ask(&request);
	assert_int_equal(spy.parent.span_id[0], 0);
	request = (struct http_request){ .path = "/v1/results", .traceparent = "x", .times = 1 };
	ask(&request);
	assert_int_equal(spy.parent.trace_id[0], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_results, fresh, gone),
		cmocka_unit_test_setup_teardown(test_results_not_known, fresh, gone),
		cmocka_unit_test_setup_teardown(test_stale, fresh, gone),
		cmocka_unit_test_setup_teardown(test_health, fresh, gone),
		cmocka_unit_test_setup_teardown(test_other_paths, fresh, gone),
		cmocka_unit_test_setup_teardown(test_parent, fresh, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
