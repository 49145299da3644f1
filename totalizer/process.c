#include "process.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SYSTEM, NAME, TYPE, DESTINATION, PARTITION, GROUP, OFFSET };

static const char *const keys[PROCESS_KEYS] = {
	[SYSTEM] = "messaging.system",
	[NAME] = "messaging.operation.name",
	[TYPE] = "messaging.operation.type",
	[DESTINATION] = "messaging.destination.name",
	[PARTITION] = "messaging.destination.partition.id",
	[GROUP] = "messaging.consumer.group.name",
	[OFFSET] = "messaging.kafka.offset",
};

void
process_init(struct process *p, struct ledger *ledger, struct sidecar *sidecar, const char *topic,
    const char *group)
{
	*p = (struct process){ .ledger = ledger, .sidecar = sidecar };
	snprintf(p->name, sizeof(p->name), "process %s", topic);
	p->topic = sidecar_intern(sidecar, topic);
	p->group = group;
	p->span = sidecar_intern(sidecar, p->name);
	p->invalid = sidecar_intern(sidecar, "invalid_message");
	for (int i = 0; i < PROCESS_KEYS; i++)
		p->keys[i] = sidecar_intern(sidecar, keys[i]);
}

/* The header is what the producer's library meant for us; the payload's ids serve producers that
 * send no headers. */
static bool
producer_of(const struct delivery *d, const struct message *m, struct sidecar_context *out)
{
	static const struct sidecar_context none;

	if (!d->traceparent || sidecar_extract(d->traceparent, d->traceparent_len, out) != 0)
		*out = m->producer;
	return memcmp(out, &none, sizeof(none)) != 0;
}

/* Returns the context for CONSUMED: the span's, NULL when it is not recorded. */
static const struct sidecar_context *
start_span(const struct process *p, const struct delivery *d, const struct message *m,
    struct sidecar_span *span)
{
	struct sidecar_context producer;
	bool linked = producer_of(d, m, &producer);
	char partition[sizeof("-2147483648")];
	const struct sidecar_attr attrs[PROCESS_KEYS] = {
		sidecar_str(p->keys[SYSTEM], "kafka"),
		sidecar_str(p->keys[NAME], "process"),
		sidecar_str(p->keys[TYPE], "process"),
		sidecar_str(p->keys[DESTINATION], p->topic),
		sidecar_str(p->keys[PARTITION], partition),
		sidecar_str(p->keys[GROUP], p->group),
		sidecar_int(p->keys[OFFSET], d->offset),
	};

	snprintf(partition, sizeof(partition), "%" PRId32, d->partition);
	sidecar_span_start(
	    p->sidecar, span, p->span, SIDECAR_CONSUMER, &producer, d->at.ns, attrs, PROCESS_KEYS);
	if (linked)
		sidecar_span_link(span, &producer, NULL, 0);
	if (!(span->context.flags & SIDECAR_SAMPLED) ||
	    memcmp(span->context.span_id, producer.span_id, sizeof(producer.span_id)) == 0)
		return NULL;
	return &span->context;
}

/* The first of a burst at once, the others of its second as a number. */
static void
tell_invalid(struct process *p, const struct delivery *d, enum message_fault fault)
{
	if (p->told && d->now.ns < p->last_told.ns + CLOCK_SECOND) {
		p->untold++;
		return;
	}
	log_warn("invalid_message", "topic=%s partition=%" PRId32 " offset=%" PRId64 " reason=%s",
	    log_quote(p->topic), d->partition, d->offset, log_quote(message_fault_text(fault)));
	p->last_told = d->now;
	p->told = true;
}

void
process_tick(struct process *p, struct mono now)
{
	if (p->untold == 0 || now.ns < p->last_told.ns + CLOCK_SECOND)
		return;
	log_warn("invalid_messages", "topic=%s more=%" PRIu64, log_quote(p->topic), p->untold);
	p->untold = 0;
}

static void
end_span(struct sidecar_span *span, const char *error, const char *why)
{
	const struct sidecar_attr attr = sidecar_str("error.type", error ? error : "");

	sidecar_span_end(
	    span, error ? SIDECAR_FAILED : SIDECAR_UNSET, why, 0, &attr, error != NULL);
}

struct process_result
process_message(struct process *p, const struct delivery *d)
{
	struct sidecar_span span;
	struct message m;
	struct process_result r = { .fault = message_parse(&m, d->payload, d->len) };

	if (r.fault == MESSAGE_NO_MEMORY)
		return r;
	r.produced = m.produced;
	process_tick(p, d->now); /* of earlier ones, so before the context is this one's */
	sidecar_consumed(p->sidecar, p->topic, d->partition, m.produced.ns, d->at.ns,
	    start_span(p, d, &m, &span));
	log_context(span.context.trace_id, span.context.span_id, span.context.flags);
	if (r.fault != MESSAGE_OK) {
		sidecar_kafka_error(p->sidecar, SIDECAR_SIDE_CONSUMER, p->topic, p->invalid);
		tell_invalid(p, d, r.fault);
		r.verdict = ledger_skip(p->ledger, d->partition, d->offset);
		end_span(&span, p->invalid, message_fault_text(r.fault));
		return r;
	}
	r.verdict = ledger_apply(p->ledger, d->partition, d->offset, m.sum);
	if (r.verdict != LEDGER_FINE) {
		end_span(&span, ledger_word(r.verdict), ledger_text(r.verdict));
		return r;
	}
	if (log_on(LOG_DEBUG))
		log_debug("applied",
		    "topic=%s partition=%" PRId32 " offset=%" PRId64 " sum=%" PRId64,
		    log_quote(p->topic), d->partition, d->offset, m.sum);
	end_span(&span, NULL, NULL);
	return r;
}

void
process_done(void)
{
	log_context(NULL, NULL, 0);
}
