/*
 * The requests say what the page says, point by point, each read by a decoder that is not ours; and
 * their bytes are those that protobuf-c writes for what they mean.
 */
#include "otlp_metering.h"

enum { LINES = 400000 };

static char *page_lines[LINES], *otlp_lines[LINES];

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* name, labels in order, value: in one form for both sides. labels: n of them, changed. */
static char *
line_of(const char *name, char **labels, size_t n, double value)
{
	static char line[16384];
	int at = snprintf(line, sizeof(line), "%s", name);

	qsort(labels, n, sizeof(*labels), compare);
	for (size_t i = 0; i < n; i++)
		at += snprintf(line + at, sizeof(line) - (size_t)at, "|%s", labels[i]);
	snprintf(line + at, sizeof(line) - (size_t)at, "|%.17g", value);
	return strdup(line);
}

/* The page's lines; labels here hold neither a quote nor a comma. */
static size_t
read_page(void)
{
	char *page = strdup(metering_page(&t)), *rest = page, *line, *labels[40];
	size_t n = 0;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char *value = strrchr(line, ' '), *open = strchr(line, '{'), *label;
		size_t count = 0;

		if (*line == '#' || value == NULL)
			continue;
		*value = '\0';
		if (open != NULL) {
			*open++ = '\0';
			while ((label = strsep(&open, ",")) != NULL)
				labels[count++] = label;
			labels[count - 1][strlen(labels[count - 1]) - 1] = '\0'; /* the brace */
		}
		page_lines[n++] = line_of(line, labels, count, strtod(value + 1, NULL));
		assert_true(n < LINES);
	}
	free(page);
	qsort(page_lines, n, sizeof(*page_lines), compare);
	return n;
}

static char *
label_of(const Otlp__KeyValue *kv)
{
	static char label[10000];
	const Otlp__AnyValue *v = kv->value;
	char key[300];

	snprintf(key, sizeof(key), "%s", kv->key);
	for (char *c = key; *c != '\0'; c++)
		if (*c == '.')
			*c = '_';
	if (v->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE)
		snprintf(label, sizeof(label), "%s=\"%s\"", key, v->string_value);
	else if (v->value_case == OTLP__ANY_VALUE__VALUE_INT_VALUE)
		snprintf(label, sizeof(label), "%s=\"%lld\"", key, (long long)v->int_value);
	else if (v->value_case == OTLP__ANY_VALUE__VALUE_BOOL_VALUE)
		snprintf(label, sizeof(label), "%s=\"%s\"", key, v->bool_value ? "true" : "false");
	else
		fail_msg("%s: a value of kind %d", key, v->value_case);
	return strdup(label);
}

/* One sample as the page would have it. le: NULL for none. */
static void
put_sample(size_t *n, const Otlp__Resource *r, Otlp__KeyValue *const *attrs, size_t nattrs,
    const char *name, const char *le, double value)
{
	char *labels[40], bound[40];
	size_t count = 0;
	bool daemon = strcmp(r->attributes[r->n_attributes - 1]->value->string_value, "own") == 0;

	for (size_t i = 0; !daemon && i < r->n_attributes; i++)
		if (strcmp(r->attributes[i]->key, "service.instance.id") != 0)
			labels[count++] = label_of(r->attributes[i]);
	for (size_t i = 0; i < nattrs; i++)
		labels[count++] = label_of(attrs[i]);
	if (le != NULL) {
		snprintf(bound, sizeof(bound), "le=\"%s\"", le);
		labels[count++] = strdup(bound);
	}
	otlp_lines[(*n)++] = line_of(name, labels, count, value);
	while (count > 0)
		free(labels[--count]);
	assert_true(*n < LINES);
}

static void
put_histogram(
    size_t *n, const Otlp__Resource *r, const char *name, const Otlp__HistogramDataPoint *d)
{
	char part[320], le[40];
	uint64_t count = 0;

	assert_int_equal(d->start_time_unix_nano, WALL - 5);
	assert_int_equal(d->time_unix_nano, WALL);
	assert_int_equal(d->n_bucket_counts, d->n_explicit_bounds + 1);
	snprintf(part, sizeof(part), "%s_bucket", name);
	for (size_t i = 0; i < d->n_bucket_counts; i++) {
		count += d->bucket_counts[i];
		if (i < d->n_explicit_bounds)
			snprintf(le, sizeof(le), "%g", d->explicit_bounds[i]);
		put_sample(n, r, d->attributes, d->n_attributes, part,
		    i < d->n_explicit_bounds ? le : "+Inf", (double)count);
	}
	assert_int_equal(d->count, count);
	snprintf(part, sizeof(part), "%s_count", name);
	put_sample(n, r, d->attributes, d->n_attributes, part, NULL, (double)count);
	snprintf(part, sizeof(part), "%s_sum", name);
	assert_int_equal(d->opt_sum_case, OTLP__HISTOGRAM_DATA_POINT__OPT_SUM_SUM);
	put_sample(n, r, d->attributes, d->n_attributes, part, NULL, d->sum);
}

static bool
ends_with(const char *s, const char *end)
{
	return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

static uint64_t
put_metric(size_t *n, const Otlp__Resource *r, const Otlp__Metric *m)
{
	char name[300];
	Otlp__NumberDataPoint **points;
	size_t npoints;

	snprintf(name, sizeof(name), "%s", m->name);
	for (char *c = name; *c != '\0'; c++)
		if (*c == '.')
			*c = '_';
	assert_true(strlen(m->description) > 0);
	if (m->data_case == OTLP__METRIC__DATA_HISTOGRAM) {
		assert_int_equal(m->histogram->aggregation_temporality, 2);
		for (size_t i = 0; i < m->histogram->n_data_points; i++)
			put_histogram(n, r, name, m->histogram->data_points[i]);
		return m->histogram->n_data_points;
	}
	if (m->data_case == OTLP__METRIC__DATA_SUM) {
		assert_int_equal(m->sum->aggregation_temporality, 2);
		if (m->sum->is_monotonic && !ends_with(name, "_total"))
			strcat(name, "_total");
		points = m->sum->data_points;
		npoints = m->sum->n_data_points;
	} else {
		points = m->gauge->data_points;
		npoints = m->gauge->n_data_points;
	}
	for (size_t i = 0; i < npoints; i++) {
		Otlp__NumberDataPoint *d = points[i];

		assert_int_equal(d->start_time_unix_nano, WALL - 5);
		assert_int_equal(d->time_unix_nano, WALL);
		put_sample(n, r, d->attributes, d->n_attributes, name, NULL,
		    d->value_case == OTLP__NUMBER_DATA_POINT__VALUE_AS_INT ? (double)d->as_int
									   : d->as_double);
	}
	return npoints;
}

/* One request into lines; its bytes are what protobuf-c makes of what it read. */
static size_t
read_request(size_t n, const uint8_t *at, size_t len, uint64_t points)
{
	Otlp__MetricsRequest *q = otlp__metrics_request__unpack(NULL, len, at);
	uint8_t *again = malloc(len);
	uint64_t found = 0;

	assert_non_null(q);
	assert_true(q->n_resource_metrics > 0);
	assert_int_equal(otlp__metrics_request__get_packed_size(q), len);
	otlp__metrics_request__pack(q, again);
	assert_memory_equal(again, at, len);
	free(again);
	for (size_t i = 0; i < q->n_resource_metrics; i++) {
		Otlp__ResourceMetrics *rm = q->resource_metrics[i];

		assert_int_equal(rm->n_scope_metrics, 1);
		assert_string_equal(rm->scope_metrics[0]->scope->name, "sidecard");
		assert_string_equal(rm->scope_metrics[0]->scope->version, "1.2.3");
		assert_true(rm->scope_metrics[0]->n_metrics > 0);
		for (size_t k = 0; k < rm->scope_metrics[0]->n_metrics; k++)
			found += put_metric(&n, rm->resource, rm->scope_metrics[0]->metrics[k]);
	}
	assert_int_equal(found, points);
	assert_true(points > 0);
	otlp__metrics_request__free_unpacked(q, NULL);
	return n;
}

/* All requests of one instant against the page of that instant. Returns how many there were. */
static unsigned
check(size_t room, size_t least)
{
	struct otlp_metric o = begin(room);
	size_t wanted = read_page(), found = 0, before = LIMIT_BATCH_BYTES;
	unsigned requests = 0;
	uint64_t points;
	struct buf out;

	for (;; requests++) {
		buf_init(&out, bytes, OTLP_METRIC_REQUEST_BYTES);
		if (!otlp_metric_next(&o, &out, &points))
			break;
		assert_false(out.failed);
		assert_true(before >= least); /* all but the last are full */
		before = out.len;
		found = read_request(found, bytes, out.len, points);
	}
	assert_int_equal(out.len, 0);
	qsort(otlp_lines, found, sizeof(*otlp_lines), compare);
	for (size_t i = 0; i < wanted && i < found; i++)
		assert_string_equal(otlp_lines[i], page_lines[i]);
	assert_int_equal(found, wanted);
	for (size_t i = 0; i < found; i++) {
		free(otlp_lines[i]);
		free(page_lines[i]);
	}
	return requests;
}

static void
feed(void)
{
	static const struct attribute_spec labels[] = { { "shop.kind", 's', "a", 0, 0 },
		{ "n", 'i', NULL, -5, 0 }, { "ok", 'b', NULL, 1, 0 }, { 0 } };
	struct topic *topic = meter_topic(t.meter, svc, TEXT("sums"));

	meter_produced(t.meter, topic, 3);
	meter_consumed(t.meter, topic, WALL, WALL + 1500000);
	meter_consumed(t.meter, topic, WALL + 7, WALL);
	meter_error(t.meter, svc, WIRE_SIDE_CONSUMER, TEXT(""), TEXT("_TRANSPORT"), 2);
	meter_lag(t.meter, topic, 1, 4, WALL - CLOCK_SECOND / 3, 1, (struct wall){ WALL }, t.now);
	meter_lag(t.meter, topic, 2, 4, WALL - CLOCK_SECOND / 3, 2, (struct wall){ WALL }, t.now);
	meter_owner_gone(t.meter, 2, false, t.now);
	measure(svc, WIRE_COUNTER, "jobs", "", 2.5, labels);
	measure(other, WIRE_COUNTER, "jobs", "", 0.1, labels + 3);
	measure(svc, WIRE_UPDOWN, "open", "{x}", -3, labels);
	measure(svc, WIRE_GAUGE, "heat", "Cel", 1e300, labels + 3);
	measure(other, WIRE_HISTOGRAM, "wait", "s", 0.3, labels + 1);
	for (unsigned i = 0; i < LIMIT_TOPICS + 2; i++) {
		char name[20];

		snprintf(name, sizeof(name), "t%u", i);
		meter_produced(t.meter, meter_topic(t.meter, other, text_of(name)), i + 1);
	}
	other->ledger.started = 77;
	stats.events = UINT64_C(1) << 60;
}

static void
test_same_as_page(void **state)
{
	(void)state;
	assert_int_equal(check(OTLP_METRIC_SCRATCH_BYTES, 0), 1); /* nothing but zeros */
	feed();
	assert_int_equal(check(OTLP_METRIC_SCRATCH_BYTES, 0), 1);
}

/* Several MiB of points: every request but the last is full, every point stands in one of them,
 * once. */
static void
test_split(void **state)
{
	char value[20];
	unsigned small;

	(void)state;
	feed();
	for (unsigned i = 0; i < LIMIT_LABEL_SETS + 1; i++) {
		struct attribute_spec labels[] = { { "k", 's', value, 0, 0 }, { 0 } };

		snprintf(value, sizeof(value), "%u", i);
		measure(svc, WIRE_HISTOGRAM, "wait", "s", 1, labels);
		measure(other, WIRE_HISTOGRAM, "size", "By", 1, labels);
		measure(other, WIRE_COUNTER, "count", "", 1, labels);
	}
	assert_int_equal(check(OTLP_METRIC_SCRATCH_BYTES, LIMIT_BATCH_BYTES * 9 / 10), 2);
	small = check(OTLP_METRIC_SCRATCH_BYTES / 20, 0); /* the scratch decides */
	assert_true(small > 10);
}

/* As many services as there can be, none with a sample: the ledger of each is sent. */
static void
test_many_services(void **state)
{
	(void)state;
	while (t.services.n < LIMIT_SERVICES) {
		char *name = malloc(20);

		snprintf(name, 20, "s%u", t.services.n);
		metering_service(&t, "", name);
	}
	assert_true(check(OTLP_METRIC_SCRATCH_BYTES, 0) > 1);
	for (uint32_t i = 2; i < t.services.n; i++)
		free((char *)(uintptr_t)t.services.at[i].name.s);
}

/* Labels and names at their largest. */
static void
test_large(void **state)
{
	static char value[4001], name[256];
	struct attribute_spec labels[] = { { "k", 's', value, 0, 0 }, { 0 } };

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	memset(name, 'n', sizeof(name) - 1);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(value, sizeof(value), "%04000u", i);
		measure(svc, WIRE_COUNTER, name, "", i, labels);
	}
	assert_int_equal(check(OTLP_METRIC_SCRATCH_BYTES, LIMIT_BATCH_BYTES * 9 / 10), 2);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(test_same_as_page),
		T(test_split),
		T(test_many_services),
		T(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
