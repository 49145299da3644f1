/*
 * OTLP requests: resources, a data point byte for byte, sums that are there or not, and room.
 */
#include "otlp_metering.h"

/* A service's own names win over ours, and stand first. The daemon's resource is ours alone. */
static void
test_resources(void **state)
{
	static const char *const wanted[3][3] = { { "service.name=svc", "service.instance.id=i",
						      NULL },
		{ "service.namespace=shop", "service.name=cart", "service.instance.id=i" },
		{ "service.instance.id=i", "service.name=own", NULL } };
	struct otlp_metric o = begin(OTLP_METRIC_SCRATCH_BYTES);
	Otlp__MetricsRequest *q;
	uint64_t points;
	struct buf out;

	(void)state;
	buf_init(&out, bytes, OTLP_METRIC_REQUEST_BYTES);
	assert_true(otlp_metric_next(&o, &out, &points));
	q = otlp__metrics_request__unpack(NULL, out.len, bytes);
	assert_int_equal(q->n_resource_metrics, 3);
	for (size_t i = 0; i < 3; i++) {
		Otlp__Resource *r = q->resource_metrics[i]->resource;
		char text[100];

		assert_int_equal(r->n_attributes, i == 1 ? 3 : 2);
		for (size_t k = 0; k < r->n_attributes; k++) {
			snprintf(text, sizeof(text), "%s=%s", r->attributes[k]->key,
			    r->attributes[k]->value->string_value);
			assert_string_equal(text, wanted[i][k]);
		}
	}
	otlp__metrics_request__free_unpacked(q, NULL);
}

static void
put_fixed(struct buf *out, uint8_t tag, uint64_t v)
{
	buf_put_u8(out, tag);
	buf_put(out, &v, 8);
}

/* A histogram's data point byte for byte, put together by the field numbers of the
 * specification. */
static void
test_golden(void **state)
{
	static const double bounds[] = { 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000 };
	static const uint64_t counts[13] = { [0] = 1, [12] = 2 };
	struct topic *topic = meter_topic(t.meter, svc, TEXT("t"));
	struct otlp_metric o = begin(OTLP_METRIC_SCRATCH_BYTES);
	uint8_t golden[400];
	struct buf want, out;
	uint64_t points;
	double sum = 20000000.000001;

	(void)state;
	meter_consumed(t.meter, topic, WALL, WALL);
	meter_consumed(t.meter, topic, WALL, WALL + 10000 * CLOCK_SECOND);
	meter_consumed(t.meter, topic, WALL, WALL + 10000 * CLOCK_SECOND + 1);
	buf_init(&want, golden, sizeof(golden));
	buf_put(&want, "\x0a\xfe\x01", 3); /* data_points: 254 bytes */
	put_fixed(&want, 0x11, WALL - 5);  /* start, time, count */
	put_fixed(&want, 0x19, WALL);
	put_fixed(&want, 0x21, 3);
	buf_put_u8(&want, 0x29);
	buf_put(&want, &sum, 8);
	buf_put(&want, "\x32\x68", 2); /* packed: 13 counts, 12 bounds */
	buf_put(&want, counts, sizeof(counts));
	buf_put(&want, "\x3a\x60", 2);
	buf_put(&want, bounds, sizeof(bounds));
	buf_put(&want, "\x4a\x0c\x0a\x05topic\x12\x03\x0a\x01t", 14);
	assert_int_equal(want.len, 3 + 254);
	buf_put(&want, "\x10\x02", 2); /* cumulative */

	buf_init(&out, bytes, OTLP_METRIC_REQUEST_BYTES);
	assert_true(otlp_metric_next(&o, &out, &points));
	assert_non_null(memmem(bytes, out.len, want.base, want.len));
}

/* A sum of 0 is there; none is where samples below 0 would make it fall. */
static void
test_sums(void **state)
{
	struct otlp_metric o = begin(OTLP_METRIC_SCRATCH_BYTES);
	Otlp__MetricsRequest *q;
	uint64_t points;
	struct buf out;
	unsigned seen = 0;

	(void)state;
	measure(svc, WIRE_HISTOGRAM, "zero", "", 0, &(struct attribute_spec){ 0 });
	measure(svc, WIRE_HISTOGRAM, "below", "", -1, &(struct attribute_spec){ 0 });
	buf_init(&out, bytes, OTLP_METRIC_REQUEST_BYTES);
	assert_true(otlp_metric_next(&o, &out, &points));
	q = otlp__metrics_request__unpack(NULL, out.len, bytes);
	for (size_t i = 0; i < q->resource_metrics[0]->scope_metrics[0]->n_metrics; i++) {
		Otlp__Metric *m = q->resource_metrics[0]->scope_metrics[0]->metrics[i];
		bool zero = strcmp(m->name, "zero") == 0;

		if (m->data_case != OTLP__METRIC__DATA_HISTOGRAM)
			continue;
		assert_int_equal(m->histogram->data_points[0]->opt_sum_case,
		    zero ? OTLP__HISTOGRAM_DATA_POINT__OPT_SUM_SUM
			 : OTLP__HISTOGRAM_DATA_POINT__OPT_SUM__NOT_SET);
		seen++;
	}
	assert_int_equal(seen, 2);
	otlp__metrics_request__free_unpacked(q, NULL);
}

/* With less room than a request may need, it says so and the caller can tell. */
static void
test_no_room(void **state)
{
	struct otlp_metric o = begin(OTLP_METRIC_SCRATCH_BYTES);
	uint64_t points;
	struct buf out;

	(void)state;
	buf_init(&out, bytes, 100);
	assert_true(otlp_metric_next(&o, &out, &points));
	assert_true(out.failed);
	assert_int_equal(out.len, 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(test_resources),
		T(test_golden),
		T(test_sums),
		T(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
