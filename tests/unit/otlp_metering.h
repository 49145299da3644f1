/*
 * otlp_metering.h -- a meter, and its requests on the way to a Collector, for tests.
 */
#ifndef OTLP_METERING_H
#define OTLP_METERING_H

#include "attributes.h"
#include "metering.h"

#include "sidecar/otlp_metric.h"

/* service.instance.id=i and service.name=own, as Resource.attributes */
static const char own[] = "\x0a\x1a\x0a\x13service.instance.id\x12\x03\x0a\x01i"
			  "\x0a\x15\x0a\x0cservice.name\x12\x05\x0a\x03own";

static struct metering t;
static struct service *svc, *other;
static void *scratch;
static uint8_t *bytes;

static int
setup(void **state)
{
	(void)state;
	metering_open(&t);
	svc = metering_service(&t, "", "svc");
	other = metering_service(&t, "shop", "cart");
	t.process.start_time = 1700000000.25;
	t.process.resident_bytes = 4096;
	scratch = metering_map(OTLP_METRIC_SCRATCH_BYTES);
	bytes = metering_map(OTLP_METRIC_REQUEST_BYTES);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	metering_close(&t);
	munmap(scratch, OTLP_METRIC_SCRATCH_BYTES);
	munmap(bytes, OTLP_METRIC_REQUEST_BYTES);
	return 0;
}

static struct otlp_metric
begin(size_t room)
{
	return (struct otlp_metric){ .meter = t.meter,
		.services = &t.services,
		.process = &t.process,
		.attributes = { .s = own, .len = sizeof(own) - 1 },
		.start = { WALL - 5 },
		.now = { WALL },
		.mono_now = t.now,
		.scratch = scratch,
		.scratch_len = room };
}

static void
measure(struct service *s, enum wire_instrument kind, const char *name, const char *unit, double v,
    const struct attribute_spec *spec)
{
	struct span_list attrs = attributes_list(attributes_make(spec));

	assert_int_equal(
	    meter_measure(t.meter, s, 1, kind, text_of(name), text_of(unit), v, &attrs), METER_OK);
}

#endif
