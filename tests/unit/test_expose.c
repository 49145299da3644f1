/*
 * The page: one small one by heart, and what every page must be.
 */
#include "attributes.h"
#include "metering.h"

#include <locale.h>
#include <stdlib.h>

static struct metering t;
static struct service *svc, *other;

static int
setup(void **state)
{
	(void)state;
	metering_open(&t);
	svc = metering_service(&t, "", "svc");
	other = metering_service(&t, "shop", "cart");
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
measure(struct service *s, enum wire_instrument kind, const char *name, const char *unit, double v,
    const struct attribute_spec *spec)
{
	struct span_list attrs = attributes_list(attributes_make(spec));

	assert_int_equal(
	    meter_measure(t.meter, s, 1, kind, text_of(name), text_of(unit), v, &attrs), METER_OK);
}

static const struct attribute_spec none[] = { { 0 } };

/* Something of everything. */
static void
feed(void)
{
	struct topic *topic = meter_topic(t.meter, svc, TEXT("sums"));

	meter_produced(t.meter, topic, 3);
	meter_consumed(t.meter, topic, WALL, WALL + 1500000);
	meter_consumed(t.meter, topic, WALL + 7, WALL);
	meter_consumed(t.meter, topic, 0, WALL);
	meter_produced(t.meter, meter_topic(t.meter, other, TEXT("a\\b\"c\nd")), 1);
	meter_error(t.meter, svc, WIRE_SIDE_CONSUMER, TEXT(""), TEXT("_TRANSPORT"), 2);
	meter_lag(t.meter, topic, 1, 4, WALL - CLOCK_SECOND / 4, 1, (struct wall){ WALL }, t.now);
	measure(svc, WIRE_COUNTER, "jobs.done", "{job}", 2.5,
	    (struct attribute_spec[]){ { "queue", 's', "a", 0, 0 }, { 0 } });
	measure(other, WIRE_COUNTER, "jobs_done", "", 1, none);
	measure(svc, WIRE_GAUGE, "heat", "Cel\n", -0.1, none);
	measure(svc, WIRE_HISTOGRAM, "wait", "s", 0.3, none);
}

/* Without what the daemon says of itself, which changes with stat.def. */
static const char page_by_heart[] =
    "# HELP kafka_message_delivery_latency time from producing a message to consuming it (ms)\n"
    "# TYPE kafka_message_delivery_latency histogram\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"1\"} 1\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"5\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"10\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"25\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"50\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"100\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"250\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"500\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"1000\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"2500\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"5000\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"10000\"} 2\n"
    "kafka_message_delivery_latency_bucket{service_name=\"svc\",topic=\"sums\",le=\"+Inf\"} 2\n"
    "kafka_message_delivery_latency_sum{service_name=\"svc\",topic=\"sums\"} 1.5\n"
    "kafka_message_delivery_latency_count{service_name=\"svc\",topic=\"sums\"} 2\n"
    "# HELP kafka_messages_produced_total messages that the broker acknowledged\n"
    "# TYPE kafka_messages_produced_total counter\n"
    "kafka_messages_produced_total{service_name=\"svc\",topic=\"sums\"} 3\n"
    "kafka_messages_produced_total{service_name=\"cart\",service_namespace=\"shop\","
    "topic=\"a\\\\b\\\"c\\nd\"} 1\n"
    "# HELP kafka_messages_consumed_total messages that the service received\n"
    "# TYPE kafka_messages_consumed_total counter\n"
    "kafka_messages_consumed_total{service_name=\"svc\",topic=\"sums\"} 3\n"
    "# HELP kafka_message_clock_skew_total messages consumed before they were produced, by the "
    "clocks: "
    "latency counted as 0\n"
    "# TYPE kafka_message_clock_skew_total counter\n"
    "kafka_message_clock_skew_total{service_name=\"svc\",topic=\"sums\"} 1\n"
    "# HELP kafka_consumer_lag messages of the partition that the service has yet to consume\n"
    "# TYPE kafka_consumer_lag gauge\n"
    "kafka_consumer_lag{service_name=\"svc\",topic=\"sums\",partition=\"1\"} 4\n"
    "# HELP kafka_consumer_lag_age time since everything produced had been consumed (s)\n"
    "# TYPE kafka_consumer_lag_age gauge\n"
    "kafka_consumer_lag_age{service_name=\"svc\",topic=\"sums\",partition=\"1\"} 0.25\n"
    "# HELP kafka_consumer_errors_total errors while consuming\n"
    "# TYPE kafka_consumer_errors_total counter\n"
    "kafka_consumer_errors_total{service_name=\"svc\",error_type=\"_TRANSPORT\",topic=\"\"} 2\n"
    "# HELP process_cpu_seconds_total user and system CPU time of this daemon (s)\n"
    "# TYPE process_cpu_seconds_total counter\n"
    "process_cpu_seconds_total 0.75\n"
    "# HELP process_open_fds open file descriptors\n"
    "# TYPE process_open_fds gauge\n"
    "process_open_fds 17\n"
    "# HELP jobs_done_total measured by the service\n"
    "# TYPE jobs_done_total counter\n"
    "jobs_done_total{service_name=\"svc\",queue=\"a\"} 2.5\n"
    "jobs_done_total{service_name=\"cart\",service_namespace=\"shop\"} 1\n"
    "# HELP heat measured by the service (Cel\\n)\n"
    "# TYPE heat gauge\n"
    "heat{service_name=\"svc\"} -0.1\n"
    "# HELP wait measured by the service (s)\n"
    "# TYPE wait histogram\n"
    "wait_bucket{service_name=\"svc\",le=\"0.005\"} 0\n"
    "wait_bucket{service_name=\"svc\",le=\"0.01\"} 0\n"
    "wait_bucket{service_name=\"svc\",le=\"0.025\"} 0\n"
    "wait_bucket{service_name=\"svc\",le=\"0.05\"} 0\n"
    "wait_bucket{service_name=\"svc\",le=\"0.075\"} 0\n"
    "wait_bucket{service_name=\"svc\",le=\"0.1\"} 0\n"
    "wait_bucket{service_name=\"svc\",le=\"0.25\"} 0\n"
    "wait_bucket{service_name=\"svc\",le=\"0.5\"} 1\n"
    "wait_bucket{service_name=\"svc\",le=\"0.75\"} 1\n"
    "wait_bucket{service_name=\"svc\",le=\"1\"} 1\n"
    "wait_bucket{service_name=\"svc\",le=\"2.5\"} 1\n"
    "wait_bucket{service_name=\"svc\",le=\"5\"} 1\n"
    "wait_bucket{service_name=\"svc\",le=\"7.5\"} 1\n"
    "wait_bucket{service_name=\"svc\",le=\"10\"} 1\n"
    "wait_bucket{service_name=\"svc\",le=\"+Inf\"} 1\n"
    "wait_sum{service_name=\"svc\"} 0.3\n"
    "wait_count{service_name=\"svc\"} 1\n";

static bool
of_daemon(const char *line)
{
	return strncmp(line, "sidecar_", 8) == 0 || strncmp(line, "# HELP sidecar_", 15) == 0 ||
	       strncmp(line, "# TYPE sidecar_", 15) == 0;
}

static void
test_by_heart(void **state)
{
	char *rest = calloc(1, 1 << 16), *kept = rest;
	const char *page, *end;

	(void)state;
	feed();
	assert_int_equal(stats.series, 10 + 15 + 17); /* two histograms */
	t.process.cpu_seconds = 0.75;
	t.process.open_fds = 17;
	for (page = metering_page(&t); *page != '\0'; page = end + 1) {
		end = strchr(page, '\n');
		if (!of_daemon(page)) {
			memcpy(rest, page, (size_t)(end + 1 - page));
			rest += end + 1 - page;
		}
	}
	assert_string_equal(kept, page_by_heart);
	free(kept);
}

/* The daemon's own: every row of stat.def, from the start, at 0 too; the ledger once for each
 * service. */
static void
test_own_rows(void **state)
{
	char series[200], name[100];
	const char *page;

	(void)state;
	stats.scrapes = 7;
	other->ledger.started = 9;
	page = metering_page(&t);
	for (unsigned i = 0; i < stat_nrows + stat_nledger_rows; i++) {
		bool ledger = i >= stat_nrows;
		const struct stat_row *row =
		    ledger ? &stat_ledger_rows[i - stat_nrows] : &stat_rows[i];

		snprintf(name, sizeof(name), "%s", row->metric);
		for (char *dot = name; (dot = strchr(dot, '.')) != NULL;)
			*dot = '_';
		for (unsigned k = 0; k < (ledger ? 2 : 1); k++) {
			const char *labels =
			    !ledger  ? ""
			    : k == 0 ? "service_name=\"svc\""
				     : "service_name=\"cart\",service_namespace=\"shop\"";

			snprintf(series, sizeof(series), "%s%s%s%s%s%s", name,
			    *labels != '\0' || *row->labels != '\0' ? "{" : "", labels,
			    *labels != '\0' && *row->labels != '\0' ? "," : "", row->labels,
			    *labels != '\0' || *row->labels != '\0' ? "}" : "");
			if (strcmp(name, "sidecar_scrapes_total") == 0)
				ASSERT_VALUE(page, series, 7);
			else if (strcmp(name, "sidecar_spans_started_total") == 0)
				ASSERT_VALUE(page, series, k == 1 ? 9 : 0);
			else
				ASSERT_VALUE(page, series, 0);
		}
	}
	ASSERT_VALUE(page, "sidecar_build_info{version=\"1.2.3\"}", 1);
}

/* Whether this line is of the metric that the last TYPE line named. */
static bool
of_metric(const char *line, const char *metric, bool histogram)
{
	size_t n = strlen(metric);
	const char *end = line + n;

	if (strncmp(line, metric, n) != 0)
		return false;
	if (histogram)
		end += strncmp(end, "_bucket", 7) == 0  ? 7
		       : strncmp(end, "_count", 6) == 0 ? 6
		       : strncmp(end, "_sum", 4) == 0   ? 4
							: 1000;
	return end < line + n + 1000 && (*end == '{' || *end == ' ');
}

/* One block for each metric, HELP and TYPE before it, a counter's name with _total, no series
 * twice, each line ended. */
static void
test_shape(void **state)
{
	char metric[200] = "", type[20], *page, *line, *rest, *lines[4096];
	size_t n = 0, names = 0;

	(void)state;
	feed();
	page = rest = strdup(metering_page(&t));
	assert_int_equal(page[strlen(page) - 1], '\n');
	while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
		assert_true(n < 4096);
		lines[n++] = line;
		if (strncmp(line, "# HELP ", 7) == 0) {
			assert_int_equal(sscanf(line + 7, "%199s", metric), 1);
			assert_true(strlen(line) > 8 + strlen(metric));
			for (size_t i = 0; i + 1 < n; i++)
				assert_false(
				    strncmp(lines[i], "# HELP ", 7) == 0 &&
				    strncmp(lines[i] + 7, line + 7, strlen(metric) + 1) == 0);
			names++;
		} else if (*line == '#') {
			assert_memory_equal(line + 7, metric, strlen(metric));
			assert_int_equal(sscanf(line + 8 + strlen(metric), "%19s", type), 1);
			if (strcmp(type, "counter") == 0 && strlen(metric) > 6)
				assert_string_equal(metric + strlen(metric) - 6, "_total");
		} else {
			assert_true(of_metric(line, metric, strcmp(type, "histogram") == 0));
			*strrchr(line, ' ') = '\0';
			for (size_t i = 0; i + 1 < n; i++)
				assert_string_not_equal(lines[i], line);
		}
	}
	assert_true(names > 40);
	free(page);
}

/* With any less room than it needs the page says that it failed, and writes nothing past its
 * end. */
static void
test_room(void **state)
{
	size_t full;
	struct buf out;
	char *copy;

	(void)state;
	feed();
	full = strlen(metering_page(&t));
	copy = strdup(t.page);
	for (size_t n = 0; n <= full; n += n + 300 < full ? 61 : 1) {
		memset(t.page, '#', full + 1);
		buf_init(&out, t.page, n);
		expose_text(t.meter, &t.services, &t.process, t.now, &out);
		assert_int_equal(out.failed, n < full);
		assert_int_equal(t.page[n], '#');
	}
	assert_int_equal(out.len, full);
	assert_memory_equal(t.page, copy, full);
	free(copy);
}

/* A locale with a decimal comma, where the machine or TEST_LOCALES has one, must not reach the
 * page. */
static void
test_locale(void **state)
{
	static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR" };
	const char *folder = getenv("TEST_LOCALES"), *found = NULL;

	(void)state;
	feed();
	if (folder != NULL)
		setenv("LOCPATH", folder, 1);
	for (size_t i = 0; i < sizeof(locales) / sizeof(locales[0]) && found == NULL; i++)
		found = setlocale(LC_NUMERIC, locales[i]);
	if (found == NULL)
		skip();
	assert_non_null(strstr(metering_page(&t), "\nheat{service_name=\"svc\"} -0.1\n"));
	setlocale(LC_NUMERIC, "C");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(test_by_heart),
		T(test_own_rows),
		T(test_shape),
		T(test_room),
		T(test_locale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
