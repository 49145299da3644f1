/*
 * Spans into the four histograms: which one, with which labels.
 */
#include "attributes.h"
#include "metering.h"

#include "sidecar/red.h"

static struct metering t;
static struct service *svc;

static int
setup(void **state)
{
	(void)state;
	metering_open(&t);
	svc = metering_service(&t, "", "svc");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	metering_close(&t);
	return 0;
}

static void
feed(enum wire_kind kind, enum wire_status status, uint64_t took, const struct attribute_spec *spec)
{
	struct span span = { .kind = (uint8_t)kind,
		.status = (uint8_t)status,
		.start = WALL,
		.end = WALL + took,
		.attrs = attributes_list(attributes_make(spec)) };

	red_span(t.meter, svc, &span);
}

static unsigned
durations(const char *page)
{
	unsigned n = 0;

	while ((page = strstr(page, "_duration_count{")) != NULL)
		n++, page++;
	return n;
}

#define HTTP                                                                              \
	{ "http.request.method", 's', "GET", 0, 0 }, { "url.scheme", 's', "http", 0, 0 }, \
	    { "http.route", 's', "/r", 0, 0 },                                            \
	{                                                                                 \
		"http.response.status_code", 'i', NULL, 200, 0                            \
	}
#define RPC                                                                             \
	{ "rpc.system.name", 's', "grpc", 0, 0 }, { "rpc.method", 's', "s.S/M", 0, 0 }, \
	{                                                                               \
		"rpc.response.status_code", 's', "OK", 0, 0                             \
	}
#define KAFKA                                                    \
	{ "messaging.system", 's', "kafka", 0, 0 },              \
	    { "messaging.destination.name", 's', "sums", 0, 0 }, \
	    { "messaging.operation.name", 's', "send", 0, 0 },   \
	    { "messaging.operation.type", 's', "send", 0, 0 },   \
	{                                                        \
		"messaging.consumer.group.name", 's', "g", 0, 0  \
	}
#define NOISE                                              \
	{ "url.path", 's', "/r?user=1", 0, 0 },            \
	{                                                  \
		"messaging.kafka.offset", 'i', NULL, 17, 0 \
	}

#define HTTP_LABELS                                                          \
	"http_request_method=\"GET\",url_scheme=\"http\",http_route=\"/r\"," \
	"http_response_status_code=\"200\""
#define RPC_LABELS "rpc_system_name=\"grpc\",rpc_method=\"s.S/M\",rpc_response_status_code=\"OK\""
#define KAFKA_LABELS                                                             \
	"messaging_destination_name=\"sums\",messaging_operation_name=\"send\"," \
	"messaging_operation_type=\"send\",messaging_consumer_group_name=\"g\""

#define ALL 24

static void
test_choice(void **state)
{
	static const struct {
		enum wire_kind kind;
		enum wire_status status;
		const char *count; /* the one series there must be; NULL: none */
		struct attribute_spec attrs[ALL];
	} rows[] = {
		{ WIRE_KIND_SERVER, WIRE_STATUS_UNSET,
		    "http_server_request_duration_count{service_name=\"svc\"," HTTP_LABELS "}",
		    { NOISE, HTTP } },
		/* HTTP first, for what is both */
		{ WIRE_KIND_SERVER, WIRE_STATUS_OK,
		    "http_server_request_duration_count{service_name=\"svc\"," HTTP_LABELS "}",
		    { RPC, HTTP, KAFKA } },
		{ WIRE_KIND_SERVER, WIRE_STATUS_UNSET,
		    "rpc_server_call_duration_count{service_name=\"svc\"," RPC_LABELS "}",
		    { RPC, NOISE } },
		{ WIRE_KIND_PRODUCER, WIRE_STATUS_UNSET,
		    "messaging_client_operation_duration_count{service_name=\"svc\"," KAFKA_LABELS
		    "}",
		    { KAFKA, NOISE } },
		{ WIRE_KIND_PRODUCER, WIRE_STATUS_UNSET,
		    "messaging_client_operation_duration_count{service_name=\"svc\"}", { NOISE } },
		{ WIRE_KIND_CLIENT, WIRE_STATUS_UNSET,
		    "messaging_client_operation_duration_count{service_name=\"svc\"," KAFKA_LABELS
		    "}",
		    { KAFKA, HTTP } },
		{ WIRE_KIND_CONSUMER, WIRE_STATUS_UNSET,
		    "messaging_process_duration_count{service_name=\"svc\"," KAFKA_LABELS "}",
		    { KAFKA, RPC } },
		/* errors */
		{ WIRE_KIND_SERVER, WIRE_STATUS_ERROR,
		    "http_server_request_duration_count{service_name=\"svc\"," HTTP_LABELS
		    ",error_type=\"500\"}",
		    { HTTP, { "error.type", 's', "500", 0, 0 } } },
		{ WIRE_KIND_SERVER, WIRE_STATUS_ERROR,
		    "http_server_request_duration_count{service_name=\"svc\"," HTTP_LABELS
		    ",error_type=\"_OTHER\"}",
		    { HTTP } },
		{ WIRE_KIND_SERVER, WIRE_STATUS_ERROR,
		    "rpc_server_call_duration_count{service_name=\"svc\"," RPC_LABELS
		    ",error_type=\"_OTHER\"}",
		    { { "error.type", 's', "", 0, 0 }, RPC } },
		{ WIRE_KIND_SERVER, WIRE_STATUS_OK,
		    "rpc_server_call_duration_count{service_name=\"svc\"," RPC_LABELS
		    ",error_type=\"X\"}",
		    { { "error.type", 's', "X", 0, 0 }, RPC } },
		/* a method nobody knows, and of equal keys the last */
		{ WIRE_KIND_SERVER, WIRE_STATUS_UNSET,
		    "http_server_request_duration_count{service_name=\"svc\",http_request_method="
		    "\"BREW\"}",
		    { { "http.request.method", 's', "GET", 0, 0 },
			{ "http.request.method", 's', "BREW", 0, 0 } } },
		/* no histogram */
		{ WIRE_KIND_INTERNAL, WIRE_STATUS_UNSET, NULL, { HTTP, RPC, KAFKA } },
		{ WIRE_KIND_CLIENT, WIRE_STATUS_UNSET, NULL, { HTTP, RPC } },
		{ WIRE_KIND_SERVER, WIRE_STATUS_UNSET, NULL, { KAFKA } },
		{ WIRE_KIND_SERVER, WIRE_STATUS_UNSET, NULL, { NOISE } },
		{ WIRE_KIND_CONSUMER, WIRE_STATUS_ERROR, NULL, { HTTP } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *page;

		print_message("row %zu\n", i);
		setup(state);
		feed(rows[i].kind, rows[i].status, 30 * CLOCK_MILLI, rows[i].attrs);
		page = metering_page(&t);
		assert_int_equal(durations(page), rows[i].count != NULL ? 1 : 0);
		if (rows[i].count != NULL)
			ASSERT_VALUE(page, rows[i].count, 1);
		teardown(state);
	}
}

/* The bound belongs to its bucket, in whole nanoseconds; the sum becomes seconds once. */
static void
test_buckets(void **state)
{
	static const struct attribute_spec http[] = { HTTP, { 0 } };
	const char *page;

	(void)state;
	feed(WIRE_KIND_SERVER, WIRE_STATUS_UNSET, 5 * CLOCK_MILLI, http);
	feed(WIRE_KIND_SERVER, WIRE_STATUS_UNSET, 5 * CLOCK_MILLI + 1, http);
	feed(WIRE_KIND_SERVER, WIRE_STATUS_UNSET, 10 * CLOCK_SECOND, http);
	feed(WIRE_KIND_SERVER, WIRE_STATUS_UNSET, 10 * CLOCK_SECOND + 1, http);
	page = metering_page(&t);
#define S(suffix, le) \
	"http_server_request_duration" suffix "{service_name=\"svc\"," HTTP_LABELS le "}"
	ASSERT_VALUE(page, S("_bucket", ",le=\"0.005\""), 1);
	ASSERT_VALUE(page, S("_bucket", ",le=\"0.01\""), 2);
	ASSERT_VALUE(page, S("_bucket", ",le=\"7.5\""), 2);
	ASSERT_VALUE(page, S("_bucket", ",le=\"10\""), 3);
	ASSERT_VALUE(page, S("_bucket", ",le=\"+Inf\""), 4);
	ASSERT_VALUE(page, S("_sum", ""), 20.010000002);
	ASSERT_VALUE(page, S("_count", ""), 4);
}

/* What looks the same to Prometheus is one series: 200 and "200". */
static void
test_same_look(void **state)
{
	static const struct attribute_spec number[] = { { "http.request.method", 's', "GET", 0, 0 },
		{ "http.response.status_code", 'i', NULL, 200, 0 }, { 0 } };
	static const struct attribute_spec text[] = { { "http.response.status_code", 's', "200", 0,
							  0 },
		{ "http.request.method", 's', "GET", 0, 0 }, { 0 } };

	(void)state;
	feed(WIRE_KIND_SERVER, WIRE_STATUS_UNSET, 1, number);
	feed(WIRE_KIND_SERVER, WIRE_STATUS_UNSET, 1, text);
	assert_int_equal(stats.series, hist_lines(HIST_SECONDS));
	ASSERT_VALUE(metering_page(&t),
	    "http_server_request_duration_count{service_name=\"svc\",http_request_method=\"GET\","
	    "http_response_status_code=\"200\"}",
	    2);
}

static void
test_reserved(void **state)
{
	static const char *const ours[] = { "kafka.x", "kafka.", "sidecar.build.info",
		"process.cpu", "kafka_x", "kafka/x", "sidecar__x", "process x",
		"http.server.request.duration", "http_server_request_duration",
		"rpc.server.call.duration", "messaging.client.operation.duration",
		"messaging.process.duration" };
	static const char *const theirs[] = { "kafka", "kafkaesque.x", "my.kafka.x", "",
		"http.server.request", "http.server.request.duration.x", "Kafka.x", "processor.x" };
	char name[WIRE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert_true(red_reserved(text_of(ours[i])));
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		assert_false(red_reserved(text_of(theirs[i])));
	memset(name, 'x', sizeof(name));
	assert_false(red_reserved((struct text){ .s = name, .len = sizeof(name) }));
	memcpy(name, "kafka.", 6);
	assert_true(red_reserved((struct text){ .s = name, .len = sizeof(name) }));
}

/* LIMIT_LABEL_SETS label sets, and one more: totals are kept, and another service has room of its
 * own. */
static void
test_label_sets_at_the_limit(void **state)
{
	char route[20];
	struct attribute_spec attrs[] = { { "http.request.method", 's', "GET", 0, 0 },
		{ "http.route", 's', route, 0, 0 }, { 0 } };
	const char *page;

	(void)state;
	for (unsigned i = 0; i < LIMIT_LABEL_SETS; i++) {
		snprintf(route, sizeof(route), "/%u", i);
		feed(WIRE_KIND_SERVER, WIRE_STATUS_UNSET, CLOCK_SECOND, attrs);
	}
	assert_int_equal(stats.overflowed, 0);
	assert_int_equal(stats.series, LIMIT_LABEL_SETS * hist_lines(HIST_SECONDS));
	for (unsigned i = 0; i < 2; i++) {
		snprintf(route, sizeof(route), "/more%u", i);
		feed(WIRE_KIND_SERVER, WIRE_STATUS_UNSET, CLOCK_SECOND, attrs);
	}
	snprintf(route, sizeof(route), "/7");
	feed(WIRE_KIND_SERVER, WIRE_STATUS_UNSET, CLOCK_SECOND, attrs);
	svc = metering_service(&t, "ns", "svc");
	snprintf(route, sizeof(route), "/more0");
	feed(WIRE_KIND_SERVER, WIRE_STATUS_UNSET, CLOCK_SECOND, attrs);
	page = metering_page(&t);
	assert_int_equal(stats.overflowed, 2);
	ASSERT_VALUE(page,
	    "http_server_request_duration_count{service_name=\"svc\",otel_metric_overflow="
	    "\"true\"}",
	    2);
	ASSERT_VALUE(page,
	    "http_server_request_duration_count{service_name=\"svc\",http_request_method=\"GET\","
	    "http_route=\"/7\"}",
	    2);
	ASSERT_VALUE(page,
	    "http_server_request_duration_count{service_name=\"svc\",service_namespace=\"ns\","
	    "http_request_method=\"GET\",http_route=\"/more0\"}",
	    1);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		T(test_buckets),
		T(test_same_look),
		cmocka_unit_test(test_reserved),
		T(test_label_sets_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
