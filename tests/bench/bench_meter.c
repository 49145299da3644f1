/*
 * bench_meter.c -- the meter, ns an operation as medians of rounds; what stands beside a figure is
 * the same work done the obvious way, in the same run.
 *
 *	hist		one latency: table and compare; a linear scan over the bounds
 *	consumed	a message through its topic's pointer; with the topic looked up by name
 *	span		one finished span into its histogram
 *	page		/metrics of 1,000 series, whole; OTLP of the same
 */
#include "sidecar/expose.h"
#include "sidecar/hist.h"
#include "sidecar/meter.h"
#include "sidecar/otlp_metric.h"
#include "sidecar/red.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { SAMPLES = 1 << 16, ROUNDS = 15, PAGES = 20, ROUTES = 50, PAGE_BYTES = 8 << 20 };

#define WALL UINT64_C(1700000000000000000)

static struct meter *meter;
static struct services services;
static struct process process = { .version = "bench" };
static uint64_t latencies[SAMPLES];
static struct hist_layout layout;
static struct hist sink;
static struct topic *topic;
static struct buf page;
static void *scratch;

static void *
map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

/* Of this process alone: the machine may be busy with others. */
static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * CLOCK_SECOND + (uint64_t)t.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median over rounds of what fn takes for one of n operations. */
static double
median(void (*fn)(void), unsigned n)
{
	double rounds[ROUNDS];

	fn();
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t began = cpu_ns();

		fn();
		rounds[i] = (double)(cpu_ns() - began) / n;
	}
	qsort(rounds, ROUNDS, sizeof(rounds[0]), compare);
	return rounds[ROUNDS / 2];
}

static void
record_table(void)
{
	for (unsigned i = 0; i < SAMPLES; i++)
		hist_record(&sink, &layout, latencies[i]);
}

static void
record_scan(void)
{
	for (unsigned i = 0; i < SAMPLES; i++) {
		unsigned slot = 0;

		while (slot < layout.n && latencies[i] > layout.ns[slot])
			slot++;
		sink.counts[slot]++;
		sink.sum.ns.low += latencies[i];
		sink.sum.ns.high += sink.sum.ns.low < latencies[i];
	}
}

static void
produced(void)
{
	for (unsigned i = 0; i < SAMPLES; i++)
		meter_produced(meter, topic, 1);
}

static void
consumed(void)
{
	for (unsigned i = 0; i < SAMPLES; i++)
		meter_consumed(meter, topic, WALL, WALL + latencies[i]);
}

static void
consumed_by_name(void)
{
	for (unsigned i = 0; i < SAMPLES; i++)
		meter_consumed(meter, meter_topic(meter, services.at, TEXT("orders.created.v1")),
		    WALL, WALL + latencies[i]);
}

/* What adder's RPC server span carries, as Span.attributes. */
static const char rpc[] = "\x4a\x19\x0a\x0frpc.system.name\x12\x06\x0a\x04grpc"
			  "\x4a\x2b\x0a\x0arpc.method\x12\x1d\x0a\x1bsum.SumNumbersService/Total_"
			  "\x4a\x20\x0a\x18rpc.response.status_code\x12\x04\x0a\x02OK";

static void
spans(void)
{
	struct span span = { .kind = WIRE_KIND_SERVER,
		.start = WALL,
		.attrs = { .bytes = (const uint8_t *)rpc, .len = sizeof(rpc) - 1, .n = 3 } };

	for (unsigned i = 0; i < SAMPLES; i++) {
		span.end = WALL + latencies[i];
		red_span(meter, services.at, &span);
	}
}

static void
pages(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		page.len = 0;
		expose_text(meter, &services, &process, (struct mono){ 0 }, &page);
	}
}

static void
requests(void)
{
	uint64_t points;

	for (unsigned i = 0; i < PAGES; i++) {
		struct otlp_metric o = { .meter = meter,
			.services = &services,
			.process = &process,
			.attributes = TEXT(""),
			.start = { WALL },
			.now = { WALL },
			.scratch = scratch,
			.scratch_len = OTLP_METRIC_SCRATCH_BYTES };

		do
			page.len = 0;
		while (otlp_metric_next(&o, &page, &points));
	}
}

/* 900 counters and 100 histograms, beside the daemon's own. */
static void
fill(void)
{
	static uint8_t key[] = "\x4a\x0b\x0a\x01k\x12\x06\x0a\x04....";
	struct span_list attrs = { .bytes = key, .len = sizeof(key) - 1, .n = 1 };
	char number[5];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(number, sizeof(number), "%04u", i);
		memcpy(key + sizeof(key) - 5, number, 4);
		meter_measure(meter, services.at, 1, i < 900 ? WIRE_COUNTER : WIRE_HISTOGRAM,
		    i < 900 ? TEXT("jobs") : TEXT("wait"), TEXT("s"), i / 7.0, &attrs);
	}
}

int
main(void)
{
	uint64_t x = 88172645463325252;
	double table, scan, pointer, name, text;

	meter = meter_init(map(meter_bytes()), 1);
	services.at = map(SERVICES_BYTES);
	services.at[0].name = TEXT("bench");
	services.n = 1;
	scratch = map(OTLP_METRIC_SCRATCH_BYTES);
	buf_init(&page, map(PAGE_BYTES), PAGE_BYTES);
	hist_layout_init(&layout, HIST_LATENCY);
	for (unsigned i = 0; i < SAMPLES;
	     i++) { /* magnitudes from 1 us to 17 s, so that no branch is foreseen */
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		latencies[i] = (x & 1023) << (x >> 10) % 25;
	}
	topic = meter_topic(meter, services.at, TEXT("orders.created.v1"));

	table = median(record_table, SAMPLES);
	scan = median(record_scan, SAMPLES);
	printf("meter: hist           %6.1f ns a latency; linear scan %.1f ns, %.1f times\n", table,
	    scan, scan / table);
	pointer = median(consumed, SAMPLES);
	name = median(consumed_by_name, SAMPLES);
	printf("meter: produced       %6.1f ns\n", median(produced, SAMPLES));
	printf("meter: consumed       %6.1f ns; topic by name %.1f ns, %.1f times\n", pointer, name,
	    name / pointer);
	printf("meter: span           %6.1f ns into rpc.server.call.duration\n",
	    median(spans, SAMPLES));
	fill();
	text = median(pages, PAGES) / 1e3;
	printf("meter: page           %6.1f us for 1,000 series, %zu KB;", text, page.len >> 10);
	printf(" OTLP %.1f us\n", median(requests, PAGES) / 1e3);
	return 0;
}
