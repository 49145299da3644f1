/*
 * limits.h -- every bound of the daemon that is not part of the wire, each with its reason.
 *
 * Memory for all of it is reserved at start and touched only when used, so an idle daemon stays
 * small.
 */
#ifndef LIMITS_H
#define LIMITS_H

enum {
	/* One connection is one process of a pod or host; main raises RLIMIT_NOFILE to fit. */
	LIMIT_SESSIONS = 1024,
	/* At 64 bytes a slot this is 8 MiB: seconds of work of a busy service, minutes of a slow
	 * one. */
	LIMIT_OPEN_SPANS = 131072,
	/* Attributes, events and links of open spans, in blocks of 128 bytes. */
	LIMIT_ATTRIBUTE_BYTES = 16 << 20,
	/* One span's attributes, events or links, encoded: 128 attributes at their limits take 560
	 * KiB; arrays could take more. All three make one exported span, which stays below the 4
	 * MiB that servers take. */
	LIMIT_LIST_BYTES = 960 << 10,
	/* Interned strings of all connections, those included that open spans still use. */
	LIMIT_STRING_BYTES = 16 << 20,
	/* Distinct service.namespace + service.name since start; never folded into one another. */
	LIMIT_SERVICES = 1024,
	/* Per service; further topics share one series labelled otel_metric_overflow="true". */
	LIMIT_TOPICS = 256,
	/* Per topic; LAG of a higher number of partitions is dropped, counted. */
	LIMIT_PARTITIONS = 1024,
	/* Label sets of one metric of one service: OpenTelemetry's default cardinality limit. */
	LIMIT_LABEL_SETS = 2000,
	/* Series of all metrics and services, as Prometheus counts them: a histogram has one for
	 * each bucket, its sum and its count. What a Prometheus target may reasonably hold. */
	LIMIT_SERIES = 65536,
	/* What these take on /metrics, names and labels included: 384 bytes a series, where one of
	 * an HTTP server has about 200. */
	LIMIT_SERIES_TEXT = LIMIT_SERIES * 384,
	/* Names of all services as /metrics shows them, 64 bytes a service: they stand on every
	 * line, so on these too that each service may have beside LIMIT_SERIES: 24 of its ledger,
	 * 18 of its overflow topic, 70 of the overflow series of the other fixed metrics. */
	LIMIT_SERVICE_TEXT = LIMIT_SERVICES * 64,
	LIMIT_SERVICE_LINES = 24 + 18 + 70,
	/* The largest /metrics there can be: series, 24 MiB; 112 lines a service of at most 144
	 * bytes and its names, 22.75 MiB; the daemon's own lines and what stands above each fixed
	 * metric. In all 46.8 MiB, which a scrape holds until it is sent. */
	LIMIT_PAGE_BYTES = LIMIT_SERIES_TEXT +
			   LIMIT_SERVICE_LINES * (LIMIT_SERVICES * 144 + LIMIT_SERVICE_TEXT) +
			   (64 << 10),
	/* Values that connections hold of gauges and up-down series: one a series is the usual. */
	LIMIT_HELD = LIMIT_SERIES,
	/* Label text of all series. */
	LIMIT_LABEL_BYTES = 16 << 20,
	/* Distinct instruments named by MEASURE, per service. */
	LIMIT_INSTRUMENTS = 256,
	/* Distinct resources in use: one per running process and those still in batches. */
	LIMIT_RESOURCES = 2048,
	/* Encoded OTLP Resource: a HELLO is at most one event, plus our own attributes. */
	LIMIT_RESOURCE_BYTES = 32768,
	/* One connection's share of a turn of the loop, so that no peer starves another. */
	LIMIT_READ_BYTES = 65536,
	/* Uncompressed bytes of one exported request: well under the 4 MiB most servers take. */
	LIMIT_BATCH_BYTES = 1 << 20,
	/* A chunk of a batch's span area: small enough that a quiet resource costs little. */
	LIMIT_CHUNK_BYTES = 16384,
	/* Requests to the Collector at a time: hides its latency, bounds what a crash can repeat.
	 */
	LIMIT_IN_FLIGHT = 4,
	/* Decompressed reply of a Collector that is read; a larger one is an error (OTLP says 4
	 * MiB). */
	LIMIT_REPLY_BYTES = 4 << 20,
	/* Seconds that lag's age outlives the connection that reported it. */
	LIMIT_DEAD_LAG_SECONDS = 300
};

#endif
