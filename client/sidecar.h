/*
 * sidecar.h -- spans, Kafka events and measurements for the sidecard beside this process. Needs
 * only libc.
 *
 * Every function may be called from any thread, never blocks, never fails its caller, and
 * allocates nothing after sidecar_open() but a ring at a thread's first event. A NULL handle or
 * span is a no-op. What cannot be taken is counted. Strings are copied before the call returns.
 * Times are ns since the Unix epoch, 0 = now. Exceptions: sidecar_open, _flush and _close may
 * wait, as said there; one span is for one thread at a time (handing it over needs the usual
 * happens-before, such as a queue or a lock). After fork() the child's own spans go out on a
 * connection of its own; spans that the parent started are the parent's to end, and no-ops in the
 * child.
 */
#ifndef SIDECAR_H
#define SIDECAR_H

#include <stddef.h>
#include <stdint.h>

#include "sidecar_types.h"

#if defined(__GNUC__)
#define SIDECAR_API __attribute__((visibility("default")))
#else
#define SIDECAR_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Never waits for the sidecar. NULL, which serves as a no-op handle, with errno: ECANCELED
 * disabled by OTEL_SDK_DISABLED, ENAMETOOLONG socket path above 107 bytes, ENOMEM or EAGAIN no
 * memory or thread. Options are copied; NULL: defaults. A second open of the same socket and
 * service returns the first handle and counts; each open needs its close. */
SIDECAR_API struct sidecar *sidecar_open(const struct sidecar_options *);
/* Wait until what is in the rings is written or timeout_ms went by: 0 when all of it was, else
 * -1. */
SIDECAR_API int sidecar_flush(struct sidecar *, uint32_t timeout_ms);
/* The last close flushes, says BYE and frees. No other call with this handle or its spans may
 * run or follow. */
SIDECAR_API void sidecar_close(struct sidecar *, uint32_t timeout_ms);
/* All zero for a NULL handle. */
SIDECAR_API void sidecar_stats(struct sidecar *, struct sidecar_totals *);
/* A pointer to use where name, topic, key, unit or error type stand: known by its address, 1 to
 * 3 bytes on the wire, lives as long as the handle. Returns its argument when the table (4,096)
 * is full or the handle NULL. */
SIDECAR_API const char *sidecar_intern(struct sidecar *, const char *);

/* Begin a span, whatever *span held. parent NULL or all zero: a new trace, sampled as the
 * sampler says; else the parent's trace. Where the span cannot be taken, span->context is the
 * parent's, so that what is injected still joins the trace. */
SIDECAR_API void
sidecar_span_start(struct sidecar *, struct sidecar_span *span, const char *name, enum sidecar_kind,
    const struct sidecar_context *parent, uint64_t start_ns, const struct sidecar_attr *, size_t n);
SIDECAR_API void sidecar_span_set(struct sidecar_span *, const struct sidecar_attr *, size_t n);
SIDECAR_API void sidecar_span_event(
    struct sidecar_span *, const char *name, uint64_t at_ns, const struct sidecar_attr *, size_t n);
SIDECAR_API void sidecar_span_link(
    struct sidecar_span *, const struct sidecar_context *, const struct sidecar_attr *, size_t n);
/* End it: whatever follows on this span is a no-op, but its context stays readable. message may
 * be NULL. Attributes that make it larger than an event may be (16,384 bytes) are left out. */
SIDECAR_API void sidecar_span_end(struct sidecar_span *, enum sidecar_status, const char *message,
    uint64_t end_ns, const struct sidecar_attr *, size_t n);

/* The common case of the two: now, without attributes. */
static inline void
sidecar_begin(struct sidecar *sidecar, struct sidecar_span *span, const char *name,
    enum sidecar_kind kind, const struct sidecar_context *parent)
{
	sidecar_span_start(sidecar, span, name, kind, parent, 0, NULL, 0);
}
static inline void
sidecar_end(struct sidecar_span *span, enum sidecar_status status)
{
	sidecar_span_end(span, status, NULL, 0, NULL, 0);
}

/* partition < 0, produced_ns 0, context NULL: not known. Call when the broker acknowledged / as
 * the poll returns. */
SIDECAR_API void sidecar_produced(
    struct sidecar *, const char *topic, int32_t partition, uint64_t at_ns, uint32_t count);
SIDECAR_API void sidecar_consumed(struct sidecar *, const char *topic, int32_t partition,
    uint64_t produced_ns, uint64_t consumed_ns, const struct sidecar_context *);
/* topic NULL: the error belongs to none. error_type: librdkafka's name of it, such as
 * "_MSG_TIMED_OUT". */
SIDECAR_API void
sidecar_kafka_error(struct sidecar *, enum sidecar_side, const char *topic, const char *error_type);
/* as_of_ns: everything produced before this instant has been consumed (0: not known). lag < 0:
 * partition revoked. */
SIDECAR_API void
sidecar_lag(struct sidecar *, const char *topic, int32_t partition, int64_t lag, uint64_t as_of_ns);
/* unit NULL: none. Counter and up-down take a delta, gauge the value, histogram one sample; not
 * NaN, not infinite. */
SIDECAR_API void sidecar_measure(struct sidecar *, enum sidecar_instrument, const char *name,
    const char *unit, double value, const struct sidecar_attr *, size_t n);

/* Write "00-<trace>-<span>-<flags>", or "" for no context; return its length, 55 or 0. */
SIDECAR_API size_t sidecar_inject(
    const struct sidecar_context *, char out[SIDECAR_TRACEPARENT_SIZE]);
/* 0 and *out set (SIDECAR_REMOTE too), or -1 and *out all zero: use it as a parent either way.
 * NULL, 0: no header. */
SIDECAR_API int sidecar_extract(const char *traceparent, size_t len, struct sidecar_context *out);

#ifdef __cplusplus
}
#endif

#endif
