/*
 * Random samples of three services into the meter and into a naive list of what the page must then
 * show.
 */
#include "attributes.h"
#include "metering.h"

enum { OPS = 20000, CHECK_EVERY = 400, KEYS = 4096, KEY = 256, OWNERS = 5 };

static struct metering t;
static struct service *services[3];

/* The model: a series as the page writes it, and its value; for what connections own, a row for
 * each of them. */
static struct entry {
	char key[KEY];
	double value;
	uint64_t owner; /* 0: nobody's */
	uint64_t seq;   /* gauges: when it was written; 0: values of several owners add up */
} model[KEYS];
static size_t nmodel;
static uint64_t seq;

static uint64_t
draw(uint64_t below)
{
	static uint64_t x = 0x9e3779b97f4a7c15;

	x ^= x << 13, x ^= x >> 7, x ^= x << 17;
	return (x >> 11) % below;
}

static struct entry *
entry_of(const char *key, uint64_t owner)
{
	size_t i = 0;

	while (i < nmodel && (model[i].owner != owner || strcmp(model[i].key, key) != 0))
		i++;
	if (i == nmodel) {
		assert_true(nmodel < KEYS);
		model[nmodel++] = (struct entry){ .owner = owner };
		snprintf(model[i].key, KEY, "%s", key);
	}
	return &model[i];
}

static const char *
key_of(const struct service *s, const char *name, const char *labels)
{
	static char key[KEY];

	snprintf(key, sizeof(key), "%s{service_name=\"%.*s\"%s%.*s%s%s}", name, (int)s->name.len,
	    s->name.s, s->space.len != 0 ? ",service_namespace=\"" : "", (int)s->space.len,
	    s->space.s, s->space.len != 0 ? "\"" : "", labels);
	return key;
}

static void
add(const struct service *s, const char *name, const char *labels, double v)
{
	entry_of(key_of(s, name, labels), 0)->value += v;
}

/* bounds end with 0 */
static void
observe(const struct service *s, const char *name, const char *labels, const char *const *bounds,
    double v)
{
	char part[KEY], full[KEY];

	snprintf(part, sizeof(part), "%s_bucket", name);
	for (size_t i = 0; bounds[i] != NULL; i++) {
		snprintf(full, sizeof(full), "%s,le=\"%s\"", labels, bounds[i]);
		add(s, part, full, v <= strtod(bounds[i], NULL) ? 1 : 0);
	}
	snprintf(part, sizeof(part), "%s_sum", name);
	add(s, part, labels, v);
	snprintf(part, sizeof(part), "%s_count", name);
	add(s, part, labels, 1);
}

static const char *const latency_le[] = { "1", "5", "10", "25", "50", "100", "250", "500", "1000",
	"2500", "5000", "10000", "+Inf", NULL };
static const char *const seconds_le[] = { "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25",
	"0.5", "0.75", "1", "2.5", "5", "7.5", "10", "+Inf", NULL };
static const char *const default_le[] = { "0", "5", "10", "25", "50", "75", "100", "250", "500",
	"750", "1000", "2500", "5000", "7500", "10000", "+Inf", NULL };

static void
feed_kafka(struct service *s)
{
	char name[20], label[64];
	uint64_t count = draw(5) + 1;
	/* half of them on a bound */
	uint64_t latency = draw(2) ? draw(30000) * CLOCK_MILLI / 2 : 5 * draw(3) * CLOCK_MILLI;
	struct topic *topic;

	snprintf(name, sizeof(name), "t%u", (unsigned)draw(6));
	snprintf(label, sizeof(label), ",topic=\"%s\"", name);
	topic = meter_topic(t.meter, s, text_of(name));
	switch (draw(4)) {
	case 0:
		meter_produced(t.meter, topic, count);
		add(s, "kafka_messages_produced_total", label, (double)count);
		return;
	case 1: meter_consumed(t.meter, topic, 0, WALL); break;
	case 2:
		meter_consumed(t.meter, topic, WALL, WALL + latency);
		observe(
		    s, "kafka_message_delivery_latency", label, latency_le, (double)latency / 1e6);
		break;
	default:
		meter_consumed(t.meter, topic, WALL + 1 + latency, WALL);
		add(s, "kafka_message_clock_skew_total", label, 1);
		observe(s, "kafka_message_delivery_latency", label, latency_le, 0);
		break;
	}
	add(s, "kafka_messages_consumed_total", label, 1);
}

static void
feed_error(struct service *s)
{
	bool producer = draw(2) != 0, named = draw(2) != 0;
	char type[4], label[64];

	snprintf(type, sizeof(type), "E%u", (unsigned)draw(3));
	snprintf(label, sizeof(label), ",error_type=\"%s\",topic=\"%s\"", type, named ? "t1" : "");
	meter_error(t.meter, s, producer ? WIRE_SIDE_PRODUCER : WIRE_SIDE_CONSUMER,
	    named ? TEXT("t1") : TEXT(""), text_of(type), 2);
	add(s, producer ? "kafka_producer_errors_total" : "kafka_consumer_errors_total", label, 2);
}

static void
feed_measure(struct service *s)
{
	static const char *const names[WIRE_INSTRUMENTS][2] = { { "c.x", "c_x_total" },
		{ "u.x", "u_x" }, { "g.x", "g_x" }, { "h.x", "h_x" } };
	enum wire_instrument kind = (enum wire_instrument)draw(WIRE_INSTRUMENTS);
	uint64_t owner = draw(OWNERS) + 1;
	double v = kind == WIRE_COUNTER ? (double)draw(10) / 2 : (double)draw(40) / 2 - 10;
	char value[4] = { (char)('a' + draw(3)), '\0' }, label[64];
	bool seconds = draw(2) != 0;
	struct attribute_spec spec[] = { { draw(2) ? "k" : NULL, 's', value, 0, 0 }, { 0 } };
	struct span_list attrs = attributes_list(attributes_make(spec));
	char name[20], shown[20];
	struct entry *e;

	snprintf(label, sizeof(label), spec[0].key != NULL ? ",k=\"%s\"" : "", value);
	snprintf(name, sizeof(name), "%s%s", names[kind][0],
	    kind == WIRE_HISTOGRAM && seconds ? "s" : "");
	snprintf(shown, sizeof(shown), "%s%s", names[kind][1],
	    kind == WIRE_HISTOGRAM && seconds ? "s" : "");
	assert_int_equal(
	    meter_measure(t.meter, s, owner, kind, text_of(name),
		seconds && kind == WIRE_HISTOGRAM ? TEXT("s") : TEXT("{x}"), v, &attrs),
	    METER_OK);
	if (kind == WIRE_COUNTER) {
		add(s, shown, label, v);
	} else if (kind == WIRE_HISTOGRAM) {
		observe(s, shown, label, seconds ? seconds_le : default_le, v);
	} else {
		e = entry_of(key_of(s, shown, label), owner);
		e->value = kind == WIRE_GAUGE ? v : e->value + v;
		e->seq = kind == WIRE_GAUGE ? ++seq : 0;
	}
}

static void
end_owner(void)
{
	uint64_t owner = draw(OWNERS) + 1;

	meter_owner_gone(t.meter, owner, draw(2) != 0, t.now);
	for (size_t i = 0; i < nmodel;)
		if (model[i].owner == owner)
			model[i] = model[--nmodel];
		else
			i++;
}

/* What the model shows for a series: a sum over its rows, or the one that was written last. */
static double
wanted(const char *key, bool *found)
{
	double v = 0;
	uint64_t last = 0;

	*found = false;
	for (size_t i = 0; i < nmodel; i++) {
		if (strcmp(model[i].key, key) != 0 || model[i].seq < last)
			continue;
		*found = true;
		v = model[i].seq != 0 ? model[i].value : v + model[i].value;
		last = model[i].seq;
	}
	return v;
}

static size_t
distinct(void)
{
	size_t n = 0;

	for (size_t i = 0; i < nmodel; i++) {
		size_t k = 0;

		while (k < i && strcmp(model[k].key, model[i].key) != 0)
			k++;
		n += k == i;
	}
	return n;
}

static void
check(void)
{
	char *page = strdup(metering_page(&t)), *rest = page, *line;
	size_t lines = 0;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char *space = strrchr(line, ' ');
		bool found;

		if (*line == '#' || space == NULL || strncmp(line, "sidecar_", 8) == 0)
			continue;
		*space = '\0';
		assert_true(fabs(wanted(line, &found) - strtod(space + 1, NULL)) < 1e-6);
		if (!found)
			fail_msg("not in the model: %s", line);
		lines++;
	}
	assert_int_equal(lines, distinct());
	assert_int_equal(lines, stats.series);
	free(page);
}

static void
test_model(void **state)
{
	(void)state;
	metering_open(&t);
	services[0] = metering_service(&t, "", "a");
	services[1] = metering_service(&t, "n", "a");
	services[2] = metering_service(&t, "", "b");
	for (unsigned i = 0; i < OPS; i++) {
		struct service *s = services[draw(3)];

		switch (draw(10)) {
		case 0: feed_error(s); break;
		case 1: draw(8) == 0 ? end_owner() : (void)0; break;
		case 2:
		case 3:
		case 4:
		case 5: feed_kafka(s); break;
		default: feed_measure(s); break;
		}
		if (i % CHECK_EVERY == 0)
			check();
	}
	check();
	for (uint64_t owner = 1; owner <= OWNERS; owner++)
		meter_owner_gone(t.meter, owner, true, t.now);
	for (size_t i = 0; i < nmodel;)
		if (model[i].owner != 0)
			model[i] = model[--nmodel];
		else
			i++;
	check();
	metering_close(&t);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_model) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
