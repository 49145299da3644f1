/*
 * Attributes into labels: names made fit, values as text, one form for Prometheus and one for OTLP.
 */
#include "sidecar/labels.h"

#include "guard.h"
#include "sidecar/number.h"
#include "sidecar/promname.h"

#include "attributes.h"

#include <math.h>
#include <stdio.h>

#include <cmocka.h>

/* A key as "name=value,name=value"; a few are kept. */
static const char *
show(struct text key)
{
	static char text[2 * LABELS_BYTES];
	struct text name, value;
	struct buf out;

	buf_init(&out, text, sizeof(text));
	while (labels_next(&key, &name, &value))
		buf_printf(&out, "%s%.*s=%.*s", out.len != 0 ? "," : "", (int)name.len, name.s,
		    (int)value.len, value.s);
	text[out.len] = '\0';
	return text;
}

static struct text
key_of(const struct labels *l)
{
	return labels_form(&l->key);
}

static struct labels labels;

static const char *
make(const struct attributes *a)
{
	struct span_list list = attributes_list(a);
	uint8_t *copy = guard_copy(list.bytes, list.len);

	list.bytes = copy;
	labels_begin(&labels);
	labels_put_attributes(&labels, &list);
	guard_free(copy, list.len);
	return show(key_of(&labels));
}

#define ATTRS(...) make(attributes_make((struct attribute_spec[]){ __VA_ARGS__, { 0 } }))

static void
test_values(void **state)
{
	(void)state;
	assert_string_equal(ATTRS({ "b", 's', .s = "x" }, { "a", 's', .s = "y" }), "a=y,b=x");
	assert_string_equal(ATTRS({ "i", 'i', .i = INT64_MIN }), "i=-9223372036854775808");
	assert_string_equal(ATTRS({ "t", 'b', .i = 1 }, { "f", 'b', .i = 0 }), "f=false,t=true");
	assert_string_equal(ATTRS({ "d", 'd', .d = 0.1 }), "d=0.1");
	assert_string_equal(
	    ATTRS({ "a", 'a', .s = "x\"y\\\n" }), "a=[\"x\\\"y\\\\\\u000a\",1,true,0.5]");
	assert_string_equal(ATTRS({ "none", 's', .s = "" }, { "void", 'e', .s = NULL }), "");
	assert_int_equal(labels.attrs.len, 0);
	assert_false(labels_failed(&labels));
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(ATTRS({ "a.b--c", 's', .s = "x" }), "a_b_c=x");
	assert_string_equal(ATTRS({ "1st", 's', .s = "x" }), "key_1st=x");
	assert_string_equal(ATTRS({ "__name__", 's', .s = "x" }), "_name_=x");
	assert_string_equal(ATTRS({ "caf\xc3\xa9", 's', .s = "x" }), "caf_=x");
	assert_string_equal(ATTRS({ "le", 's', .s = "x" }), "exported_le=x");
	assert_string_equal(ATTRS({ "lo", 's', .s = "x" }), "lo=x");
	assert_string_equal(ATTRS({ "l", 's', .s = "x" }), "l=x");
	assert_string_equal(ATTRS({ "service.name", 's', .s = "x" }), "exported_service_name=x");
	assert_string_equal(
	    ATTRS({ "otel.metric.overflow", 'b', .i = 1 }), "exported_otel_metric_overflow=true");
}

/* Names that have become equal are one label, values in the order of the keys; of one key's values
 * the last stands. */
static void
test_collisions(void **state)
{
	(void)state;
	assert_string_equal(ATTRS({ "a_b", 's', .s = "2" }, { "a.b", 's', .s = "1" }), "a_b=1;2");
	assert_string_equal(
	    ATTRS({ "a_b", 's', .s = "" }, { "a.b", 's', .s = "1" }, { "a-b", 'i', .i = 0 }),
	    "a_b=0;1");
	assert_string_equal(ATTRS({ "k", 's', .s = "old" }, { "k", 's', .s = "new" }), "k=new");
	assert_string_equal(
	    ATTRS({ "service.name", 's', .s = "1" }, { "exported.service.name", 's', .s = "2" }),
	    "exported_service_name=2;1");
}

/* The OTLP form: the same attributes, sorted likewise, byte for byte as they came. */
static void
test_attrs(void **state)
{
	static const char wanted[] = "\x08\x0a\x01"
				     "a\x12\x03\x0a\x01y"
				     "\x07\x0a\x01"
				     "b\x12\x02\x18\x07";
	struct text rest, whole;

	(void)state;
	ATTRS({ "b", 'i', .i = 7 }, { "a", 's', .s = "y" });
	assert_int_equal(labels.attrs.len, sizeof(wanted) - 1);
	assert_memory_equal(labels.attrs.base, wanted, sizeof(wanted) - 1);
	rest = labels_form(&labels.attrs);
	assert_true(labels_next_attr(&rest, &whole));
	assert_int_equal(whole.len, 9);
	assert_true(labels_next_attr(&rest, &whole));
	assert_int_equal(whole.len, 8);
	assert_false(labels_next_attr(&rest, &whole));

	labels_begin(&labels);
	labels_put_text(&labels, TEXT("a"), TEXT("a"), TEXT("y"));
	labels_put_uint(&labels, TEXT("b"), 7);
	assert_memory_equal(labels.attrs.base, wanted, sizeof(wanted) - 1);
	assert_string_equal(show(key_of(&labels)), "a=y,b=7");
}

/* A set that just fits, and one that is a byte larger. */
static void
test_limit(void **state)
{
	static char value[LABELS_BYTES];
	struct text text = { .s = value, .len = LABELS_BYTES - 4 - 1 };

	(void)state;
	memset(value, 'v', sizeof(value));
	labels_begin(&labels);
	labels_put(&labels, TEXT("a"), text, TEXT("\0"));
	assert_false(labels_failed(&labels));
	assert_int_equal(labels.key.len, LABELS_BYTES);
	text.len++;
	labels_begin(&labels);
	labels_put(&labels, TEXT("a"), text, TEXT("\0"));
	assert_true(labels_failed(&labels));
	text.len =
	    LABELS_BYTES - 20; /* with its KeyValue's heads: more than the other form holds */
	labels_begin(&labels);
	labels_put_text(&labels, TEXT("a"), TEXT("a-long-attribute"), text);
	assert_true(labels_failed(&labels));
}

/* Every truncation of good bytes, up against an unreadable page. */
static void
test_truncated(void **state)
{
	const struct attributes *a = attributes_make((struct attribute_spec[]){
	    { "b", 'i', .i = 300 }, { "a", 'a', .s = "y" }, { "d", 'd', .d = 1 }, { 0 } });
	struct span_list list = attributes_list(a);

	(void)state;
	for (uint32_t n = 0; n <= list.len; n++) {
		uint8_t *copy = guard_copy(list.bytes, n);
		struct span_list cut = { .bytes = copy, .len = n };

		labels_begin(&labels);
		labels_put_attributes(&labels, &cut);
		assert_false(labels_failed(&labels));
		guard_free(copy, n);
	}
	assert_string_equal(show(key_of(&labels)), "a=[\"y\",1,true,0.5],b=300,d=1");
}

static const char *
number(double v)
{
	static char text[40];
	struct buf out;

	buf_init(&out, text, sizeof(text));
	number_put_double(&out, v);
	text[out.len] = '\0';
	return text;
}

static void
test_numbers(void **state)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = { { 0, "0" }, { 1, "1" }, { -1, "-1" }, { 2.5, "2.5" }, { 0.1, "0.1" },
		{ 0.005, "0.005" }, { 10000, "10000" }, { 1e15, "1000000000000000" },
		{ 9007199254740991, "9007199254740991" }, { 0x1p53, "9007199254740992" },
		{ 1e300, "1e+300" }, { 5e-324, "5e-324" }, { 1.0 / 3, "0.3333333333333333" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" }, { (double)INFINITY, "+Inf" },
		{ (double)-INFINITY, "-Inf" }, { (double)NAN, "NaN" } };
	uint64_t x = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(number(rows[i].v), rows[i].text);
	for (int i = 0; i < 100000; i++) { /* any bits */
		double v;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		memcpy(&v, &x, sizeof(v));
		if (isfinite(v))
			assert_true(strtod(number(v), NULL) == v);
	}
}

static void
test_metric_names(void **state)
{
	static const struct {
		const char *name, *gauge, *counter;
	} rows[] = { { "a.b", "a_b", "a_b_total" }, { "a.total", "a_total", "a_total" },
		{ "a:b", "a:b", "a:b_total" }, { "9a", "_9a", "_9a_total" }, { "", "_", "_total" },
		{ "a..b__c", "a_b_c", "a_b_c_total" }, { "a.", "a_", "a_total" },
		{ "total", "total", "total_total" }, { "\xc3\xa9", "_", "_total" } };
	char text[80];
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int counter = 0; counter < 2; counter++) {
			const char *want = counter ? rows[i].counter : rows[i].gauge;

			buf_init(&out, text, sizeof(text));
			promname_metric(&out,
			    (struct text){ rows[i].name, (uint32_t)strlen(rows[i].name) },
			    counter != 0);
			text[out.len] = '\0';
			assert_string_equal(text, want);
		}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_attrs),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_metric_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
