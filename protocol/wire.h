/*
 * wire.h -- the numbers of protocol v1 (PROTOCOL.md): event types, enums, limits. No code.
 *
 * Shared by the client library, the sidecar and their tests; protocol/vectors holds the same facts
 * as bytes.
 */
#ifndef WIRE_H
#define WIRE_H

enum { WIRE_VERSION = 1 };

#define WIRE_SOCKET_PATH "/run/sidecar/sidecar.sock"

/* The first element of every event. Fields in [ ] may be nil, or left out from the end. */
enum wire_type {
	WIRE_HELLO,  /* version; resource; [capabilities] */
	WIRE_STRING, /* id; text */
	WIRE_SPAN, /* trace; span; parent; name; kind; start; flags; end; status; [message]; [attrs]; [tracestate] */
	WIRE_START,    /* trace; span; parent; name; kind; start; flags; [attrs]; [tracestate] */
	WIRE_END,      /* span; end; status; [message]; [attrs] */
	WIRE_PRODUCED, /* topic; partition; produced_at; [count] */
	WIRE_CONSUMED, /* topic; partition; produced_at; consumed_at; [trace]; [span] */
	WIRE_ERROR,    /* side; topic; error type; [count] */
	WIRE_LAG,      /* topic; partition; lag; [as_of] */
	WIRE_STATS,    /* sent; [drops] */
	WIRE_BYE,
	WIRE_ATTR,    /* span; key; value */
	WIRE_EVENT,   /* span; time; name; [attrs] */
	WIRE_LINK,    /* span; linked trace; linked span; [attrs]; [tracestate] */
	WIRE_MEASURE, /* kind; name; [unit]; value; [attrs] */
	WIRE_TYPES    /* this type and above: skipped and counted */
};

/* OTLP SpanKind; 0 is taken as INTERNAL. */
enum wire_kind {
	WIRE_KIND_UNSPECIFIED,
	WIRE_KIND_INTERNAL,
	WIRE_KIND_SERVER,
	WIRE_KIND_CLIENT,
	WIRE_KIND_PRODUCER,
	WIRE_KIND_CONSUMER,
	WIRE_KINDS
};

enum wire_status { WIRE_STATUS_UNSET, WIRE_STATUS_OK, WIRE_STATUS_ERROR, WIRE_STATUSES };

enum wire_flag { WIRE_FLAG_SAMPLED = 1, WIRE_FLAG_RANDOM = 2, WIRE_FLAG_REMOTE = 4 };

enum wire_side { WIRE_SIDE_PRODUCER, WIRE_SIDE_CONSUMER, WIRE_SIDES };

enum wire_instrument {
	WIRE_COUNTER,   /* delta */
	WIRE_UPDOWN,    /* delta, of this connection */
	WIRE_GAUGE,     /* value, of this connection */
	WIRE_HISTOGRAM, /* one sample */
	WIRE_INSTRUMENTS
};

/* Limits: reached is legal, one more is not. Each is tested at N and N+1. */
enum wire_limit {
	WIRE_TRACE_ID = 16,     /* bytes, exactly */
	WIRE_SPAN_ID = 8,       /* bytes, exactly */
	WIRE_EVENT_MAX = 16384, /* bytes of one encoded event */
	WIRE_DEPTH_MAX = 8,     /* nesting; the event's own array is 1 */
	WIRE_STRING_IDS = 4096, /* ids 0 to 4095, a connection */
	WIRE_TEXT_MAX = 255,    /* bytes of a text; longer is cut at a character boundary */
	WIRE_VALUE_MAX = 4096,  /* bytes of a string value; longer is cut likewise */
	WIRE_ATTRS_MAX = 128,   /* attributes of a span, event, link or measurement */
	WIRE_EVENTS_MAX = 128,  /* events of a span */
	WIRE_LINKS_MAX = 128,   /* links of a span */
	WIRE_HELLO_SECONDS = 10 /* from accept to a complete HELLO */
};

#endif
