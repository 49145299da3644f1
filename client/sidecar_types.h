/*
 * sidecar_types.h -- what the calls of sidecar.h take and fill: include that, not this.
 */
#ifndef SIDECAR_TYPES_H
#define SIDECAR_TYPES_H

#include <stddef.h>
#include <stdint.h>

struct sidecar; /* one per process and service, opaque */

struct sidecar_options { /* zeroed = every default; the environment beats nothing set here */
	size_t size;     /* sizeof(struct sidecar_options): later versions append; 0: this one */
	const char *service_name;         /* NULL: what the environment says */
	const char *default_service_name; /* where neither does; NULL: unknown_service:<program> */
	const char
	    *attributes; /* "key=value,...", percent-encoded; beat OTEL_RESOURCE_ATTRIBUTES */
	const char *socket_path; /* NULL: SIDECAR_SOCKET, else /run/sidecar/sidecar.sock */
	const char
	    *sampler; /* NULL: OTEL_TRACES_SAMPLER; else name[=argument]: "traceidratio=0.1" */
	uint32_t ring_bytes; /* per thread, 65,536 (0) to 16 MiB; rounded up to a power of two */
	uint32_t flush_ms;   /* 0: 50; sooner as a ring fills */
};

enum sidecar_kind {
	SIDECAR_INTERNAL = 1,
	SIDECAR_SERVER,
	SIDECAR_CLIENT,
	SIDECAR_PRODUCER,
	SIDECAR_CONSUMER
};
enum sidecar_status { SIDECAR_UNSET, SIDECAR_OK, SIDECAR_FAILED };
enum sidecar_instrument { SIDECAR_COUNTER, SIDECAR_UPDOWN, SIDECAR_GAUGE, SIDECAR_HISTOGRAM };
enum sidecar_side { SIDECAR_SIDE_PRODUCER, SIDECAR_SIDE_CONSUMER };
enum sidecar_type { SIDECAR_STR, SIDECAR_INT, SIDECAR_DOUBLE, SIDECAR_BOOL };

enum { SIDECAR_SAMPLED = 1, SIDECAR_RANDOM = 2, SIDECAR_REMOTE = 4 }; /* context flags */
enum { SIDECAR_TRACEPARENT_SIZE = 56 };                               /* with its NUL */

struct sidecar_context { /* what travels: 16 + 8 bytes as on the wire; all zero = none */
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t flags;
	uint8_t reserved[7];
};

struct sidecar_attr { /* made by the four helpers below, or by hand */
	const char *key;
	union {
		const char *s;
		int64_t i;
		double d;
	} value;
	uint32_t len;  /* of s; UINT32_MAX: up to its NUL */
	uint32_t type; /* enum sidecar_type */
};

/* The caller's storage; all zero = no span; must not be copied while open. Only context and
 * parent are for reading. kept holds the first attributes (and a name that is not interned):
 * when the sidecar restarts between start and end, the end goes out as a whole span with them.
 * Attributes past it, events and links are then lost, and counted. */
struct sidecar_span {
	struct sidecar *owner; /* NULL: ended, or never taken */
	struct sidecar_context context;
	struct sidecar_context parent;
	uint64_t start;
	uint32_t connection; /* START goes out on this one */
	uint32_t thread;     /* that started it; touched by another: shared, ordered by a lock */
	uint16_t name;       /* interned id, or in kept */
	uint16_t kept_size;
	uint8_t kept_attrs;
	uint8_t name_size; /* of a name in kept */
	uint8_t inlined;   /* the name is in kept */
	uint8_t kind;
	uint8_t kept[280];
};

/* Since open; emitted = written + folded + every dropped + still in rings. */
struct sidecar_totals {
	uint64_t emitted, written;
	uint64_t dropped_full; /* ring full: more than the sidecar or the connection takes */
	uint64_t dropped_large, dropped_disconnected, dropped_invalid;
	uint64_t folded; /* started before a reconnect: became part of a whole span */
	uint32_t connected, connections; /* now (0 or 1); so far */
	uint32_t settings_ignored; /* environment variables and options that could not be used */
	uint32_t rings;            /* threads with a ring, and the common one */
};

#define SIDECAR_ATTR_(function, ctype, member, code)                         \
	static inline struct sidecar_attr function(const char *key, ctype v) \
	{                                                                    \
		struct sidecar_attr a;                                       \
		a.key = key;                                                 \
		a.value.member = v;                                          \
		a.len = UINT32_MAX;                                          \
		a.type = code;                                               \
		return a;                                                    \
	}
SIDECAR_ATTR_(sidecar_int, int64_t, i, SIDECAR_INT)
SIDECAR_ATTR_(sidecar_double, double, d, SIDECAR_DOUBLE)
SIDECAR_ATTR_(sidecar_bool, int, i, SIDECAR_BOOL)
#undef SIDECAR_ATTR_

/* The length of a literal is known when this is compiled. */
static inline struct sidecar_attr
sidecar_str(const char *key, const char *v)
{
	struct sidecar_attr a;
	a.key = key;
	a.value.s = v;
	a.len = UINT32_MAX;
	a.type = SIDECAR_STR;
#if defined(__GNUC__)
	if (v != NULL && __builtin_constant_p(__builtin_strlen(v)))
		a.len = (uint32_t)__builtin_strlen(v);
#endif
	return a;
}

#endif
