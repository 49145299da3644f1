/*
 * What bounds the page: its lines, their text and the services' names, each reached and passed by
 * one; then the largest page there can be.
 */
#include "attributes.h"
#include "metering.h"

#include "sidecar/registry.h"

#include <float.h>

enum { HOUR = 3600 };

static struct metering t;
static char names[LIMIT_SERVICE_TEXT];

static int
setup(void **state)
{
	(void)state;
	metering_open(&t);
	services_init(&t.services, t.services.at, names);
	services_get(&t.services, TEXT("shop"), TEXT("svc"));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	metering_close(&t);
	return 0;
}

/* False: it went to the overflow series. */
static bool
measure(enum wire_instrument kind, const char *name, double v, const char *label)
{
	struct span_list attrs = attributes_list(
	    attributes_make((struct attribute_spec[]){ { "k", 's', label, 0, 0 }, { 0 } }));
	uint64_t before = stats.overflowed;

	assert_int_equal(
	    meter_measure(t.meter, t.services.at, 1, kind, text_of(name), TEXT("By"), v, &attrs),
	    METER_OK);
	return stats.overflowed == before;
}

/* As many series of one line as are wanted, in several counters. */
static void
fill_lines(unsigned n)
{
	char name[20], label[20];

	for (unsigned i = 0; n > 0; i++) {
		snprintf(name, sizeof(name), "fill%u", i);
		n--; /* set aside for its overflow series */
		for (unsigned k = 0; n > 0 && k < LIMIT_LABEL_SETS; k++, n--) {
			snprintf(label, sizeof(label), "%u", k);
			assert_true(measure(WIRE_COUNTER, name, 1, label));
		}
	}
}

/* A histogram goes in whole or not at all. */
static void
test_lines(void **state)
{
	unsigned lines = hist_lines(HIST_DEFAULT);

	(void)state;
	assert_true(measure(WIRE_COUNTER, "c", 1, "a"));
	assert_true(measure(WIRE_HISTOGRAM, "h", 1, "a"));
	fill_lines(LIMIT_SERIES - 2 - 2 * lines - 2 * lines + 1);
	assert_true(measure(WIRE_HISTOGRAM, "h", 1, "b"));
	assert_false(measure(WIRE_HISTOGRAM, "h", 1, "c")); /* one short */
	assert_false(measure(WIRE_HISTOGRAM, "h", 1, "c"));
	for (unsigned i = 0; i < lines - 1; i++)
		assert_true(measure(WIRE_COUNTER, "c", 1, (char[]){ (char)('b' + (char)i), '\0' }));
	assert_false(measure(WIRE_COUNTER, "c", 7, "z"));
	ASSERT_VALUE(metering_page(&t),
	    "h_count{service_name=\"svc\",service_namespace=\"shop\",otel_metric_overflow="
	    "\"true\"}",
	    2);
	ASSERT_VALUE(metering_page(&t),
	    "c_total{service_name=\"svc\",service_namespace=\"shop\",otel_metric_overflow="
	    "\"true\"}",
	    7);
}

/* Histograms, their labels len bytes and a number, until one does not go in. */
static void
fill_text(const char *name, unsigned len)
{
	char label[1024];
	unsigned i = 0;

	memset(label, 'x', len);
	do
		snprintf(label + len, sizeof(label) - len, "%u", i++);
	while (measure(WIRE_HISTOGRAM, name, 1, label));
}

/* A gauge whose text fits exactly, or is one byte too long. */
static void
test_text(void **state)
{
	struct series_store *store = &t.meter->series;
	char label[4000];
	uint32_t left, line;

	(void)state;
	assert_true(measure(WIRE_GAUGE, "g", 1, ""));
	assert_true(measure(WIRE_HISTOGRAM, "small", 1, ""));
	line = store->text;
	assert_true(measure(WIRE_GAUGE, "g", 1, "x"));
	line = store->text - line - 1; /* with k="" */
	assert_true(line > strlen("g{service_name=\"svc\",k=\"\"} 1\n"));
	fill_text("large", 1000);
	fill_text("small", 0);
	left = LIMIT_SERIES_TEXT - store->text;
	assert_in_range(left, line + 2, sizeof(label));
	memset(label, '"', sizeof(label)); /* two bytes each */
	memset(label + (left - line) / 2, 'x', 2);
	label[(left - line) / 2 + (left - line) % 2 + 1] = '\0';
	assert_false(measure(WIRE_GAUGE, "g", 5, label));
	assert_int_equal(LIMIT_SERIES_TEXT - store->text, left);
	label[(left - line) / 2 + (left - line) % 2] = '\0';
	assert_true(measure(WIRE_GAUGE, "g", 1, label));
	assert_int_equal(LIMIT_SERIES_TEXT, store->text);
	ASSERT_VALUE(metering_page(&t),
	    "g{service_name=\"svc\",service_namespace=\"shop\",otel_metric_overflow=\"true\"}", 5);
	/* What goes makes room, all of it. */
	meter_owner_gone(t.meter, 1, false, t.now);
	assert_int_equal(
	    LIMIT_SERIES_TEXT - store->text, left + line + 1 + line - strlen("k=\"\","));
	assert_true(measure(WIRE_GAUGE, "g", 1, label));
}

/* Instrument i, of a service that has LIMIT_INSTRUMENTS of them; its texts as long as can be. */
static enum meter_outcome
measure_long(unsigned i, const char *label)
{
	char name[WIRE_TEXT_MAX + 1], unit[WIRE_TEXT_MAX], of[16];
	struct span_list attrs = attributes_list(
	    attributes_make((struct attribute_spec[]){ { "k", 's', label, 0, 0 }, { 0 } }));

	memset(name, 'n', sizeof(name));
	memset(unit, '\\', sizeof(unit));
	snprintf(name + 250, 6, "%05u", i);
	snprintf(of, sizeof(of), "%u", i / LIMIT_INSTRUMENTS);
	return meter_measure(t.meter, services_get(&t.services, TEXT(""), text_of(of)), 1,
	    WIRE_COUNTER, text_of(name), (struct text){ unit, sizeof(unit) }, 1, &attrs);
}

/* Nothing but instruments, each with two lines above its series and that for the rest. */
static void
test_headers(void **state)
{
	unsigned n = 0;

	(void)state;
	while (measure_long(n, "") == METER_OK)
		n++;
	assert_int_equal(stats.overflowed, 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(measure_long(i, "v"), METER_OK);
	assert_in_range(stats.overflowed, n - 5, n);
	assert_in_range(strlen(metering_page(&t)), LIMIT_SERIES_TEXT / 10 * 9, LIMIT_SERIES_TEXT);
}

static void
test_names_of_services(void **state)
{
	static char name[LIMIT_SERVICE_TEXT];
	uint32_t left = LIMIT_SERVICE_TEXT - (uint32_t)strlen("svcshop");
	struct text quotes = { .s = name, .len = left / 2 };

	(void)state;
	memset(name, '"', sizeof(name));
	assert_non_null(services_get(&t.services, TEXT(""), quotes)); /* two bytes each */
	assert_int_equal(left % 2, 1);
	assert_null(services_get(&t.services, TEXT("a"), TEXT("b")));
	assert_null(services_get(&t.services, TEXT(""), TEXT("\"")));
	assert_non_null(services_get(&t.services, TEXT(""), TEXT("b")));
	assert_null(services_get(&t.services, TEXT(""), TEXT("c")));
	assert_ptr_equal(services_get(&t.services, TEXT("shop"), TEXT("svc")), t.services.at);
}

/* A large service meets no bound: 300 routes with 6 status codes each, and 256 topics of 12
 * partitions. */
static void
test_ordinary(void **state)
{
	char text[80];

	(void)state;
	for (unsigned i = 0; i < 300 * 6; i++) {
		struct labels labels;

		snprintf(text, sizeof(text), "/api/v1/customers/{customer}/orders/{order}/items/%u",
		    i % 300);
		labels_begin(&labels);
		labels_put_text(
		    &labels, TEXT("http_request_method"), TEXT("http.request.method"), TEXT("GET"));
		labels_put_text(&labels, TEXT("http_route"), TEXT("http.route"), text_of(text));
		labels_put_uint(&labels, TEXT("http_response_status_code"), 200 + i / 300);
		meter_duration(t.meter, t.services.at, METRIC_HTTP_SERVER, &labels, CLOCK_SECOND);
	}
	for (unsigned i = 0; i < LIMIT_TOPICS; i++) {
		struct topic *topic;

		snprintf(text, sizeof(text), "customers.orders.created.v%u", i);
		topic = meter_topic(t.meter, t.services.at, text_of(text));
		meter_produced(t.meter, topic, 1);
		for (uint32_t p = 0; p < 12; p++)
			assert_int_equal(
			    meter_lag(t.meter, topic, p, 1, 0, 1, (struct wall){ WALL }, t.now),
			    METER_OK);
	}
	assert_int_equal(stats.overflowed, 0);
}

/* Every line that a service has when no series is left for it. */
static void
overflow_everything(struct service *s)
{
	struct topic *topic = meter_topic(t.meter, s, TEXT("t"));
	struct labels labels;

	assert_true(topic->overflow);
	meter_produced(t.meter, topic, INT64_MAX);
	meter_consumed(t.meter, topic, WALL, 0);
	meter_consumed(t.meter, topic, WALL, WALL + HOUR * CLOCK_SECOND + 1);
	meter_error(t.meter, s, WIRE_SIDE_PRODUCER, TEXT("t"), TEXT("E"), INT64_MAX);
	meter_error(t.meter, s, WIRE_SIDE_CONSUMER, TEXT("t"), TEXT("E"), INT64_MAX);
	labels_begin(&labels);
	labels_put_text(&labels, TEXT("k"), TEXT("k"), TEXT("v"));
	for (unsigned metric = METRIC_RED; metric < METRIC_FIXED; metric++)
		meter_duration(t.meter, s, metric, &labels, HOUR * CLOCK_SECOND + 1);
	memset(&s->ledger, 0xff, sizeof(s->ledger));
}

/* How many lines have this text; their bytes. Line by line, as a sanitizer's strstr() measures the
 * whole page each time. */
static unsigned
lines_with(const char *page, const char *text, size_t *bytes)
{
	unsigned n = 0;
	size_t len;

	*bytes = 0;
	for (; *page != '\0'; page += len) {
		len = (size_t)(strchr(page, '\n') + 1 - page);
		if (memmem(page, len, text, strlen(text)) == NULL)
			continue;
		*bytes += len;
		n++;
	}
	return n;
}

/* As many digits as a count can have. */
static void
long_counts(void)
{
	for (uint32_t i = 1; i < t.meter->series.hists.fresh; i++)
		((struct hist *)pool_at(&t.meter->series.hists, i))->counts[0] =
		    UINT64_C(10000000000000000000);
	for (uint32_t i = 0; i < t.services.n; i++)
		t.meter->topics.of[i].overflow.latency.counts[0] = UINT64_C(10000000000000000000);
}

/* One service fills all of the text with histograms of long names and of labels that need escapes;
 * every other service, its name needing them too, has all the lines that are its own. */
static void
test_largest(void **state)
{
	char name[64 / 2 + 3], instrument[256], label[40];
	struct text text = { .s = name, .len = 4 + (64 - 4) / 2 };
	size_t bytes;

	(void)state;
	memset(name, '"', sizeof(name));
	for (unsigned i = 1; i < LIMIT_SERVICES; i++) {
		snprintf(name, 5, "%04u", i);
		name[4] = '"';
		assert_non_null(services_get(&t.services, TEXT(""), text));
	}
	measure(WIRE_HISTOGRAM, "n", -DBL_MAX, "");
	memset(instrument, 'n', sizeof(instrument));
	memset(label, '"', sizeof(label));
	for (unsigned i = 0; stats.overflowed == 0; i++) {
		snprintf(instrument + 250, 6, "%05u", i);
		for (unsigned k = 0; k < LIMIT_LABEL_SETS && stats.overflowed == 0; k++) {
			snprintf(label + 30, 10, "%u", k);
			measure(WIRE_HISTOGRAM, instrument, -DBL_MAX, label);
		}
	}
	for (unsigned i = 0; measure(WIRE_HISTOGRAM, "n", -DBL_MAX, label); i++)
		snprintf(label, sizeof(label), "%u", i);
	long_counts();
	lines_with(metering_page(&t), "service_name=\"svc\",service_namespace=\"shop\"", &bytes);
	assert_in_range(bytes, LIMIT_SERIES_TEXT / 20 * 19, LIMIT_SERIES_TEXT);
	for (uint32_t i = 0; i < t.services.n; i++)
		overflow_everything(&t.services.at[i]);
	long_counts();
	bytes = strlen(metering_page(&t));
	print_message("%zu bytes of %u\n", bytes, (unsigned)LIMIT_PAGE_BYTES);
	assert_in_range(bytes, LIMIT_PAGE_BYTES / 5 * 4, LIMIT_PAGE_BYTES);
	assert_int_equal(lines_with(t.page, "service_name=\"0007", &bytes), LIMIT_SERVICE_LINES);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(test_lines),
		T(test_text),
		T(test_headers),
		T(test_names_of_services),
		T(test_ordinary),
		T(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
