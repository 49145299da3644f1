/* Events that belong to no span: Kafka's, and measurements. */
#include <string.h>

#include "clock.h"
#include "emit.h"
#include "sidecar.h"

enum { BOUND = RECORD_HEADER + 96 + 3 * ENCODE_TEXT };

static uint8_t *
put_head(const struct emit *e, unsigned fields, unsigned type)
{
	e->event[0] = (uint8_t)(0x90 | fields);
	e->event[1] = (uint8_t)type;
	return e->event + 2;
}

static uint8_t *
put_partition(uint8_t *p, int32_t partition)
{
	return partition < 0 ? encode_nil(p) : encode_uint(p, (uint64_t)partition);
}

/* What the sidecar would refuse does not go there: it is counted here, as "invalid". */
static bool
begin(struct emit *e, struct sidecar *sc, bool valid, size_t bound)
{
	if (sc == NULL)
		return false;
	if (!valid) {
		emit_dropped(sc, DROP_INVALID);
		return false;
	}
	local_enter(sc);
	emit_begin(e, sc, local_self.ring, bound);
	return true;
}

static void
end(struct emit *e, const uint8_t *p)
{
	emit_end(e, p, p, 0, false);
}

void
sidecar_produced(
    struct sidecar *sc, const char *topic, int32_t partition, uint64_t at_ns, uint32_t count)
{
	struct emit e;
	uint8_t *p;

	if (!begin(&e, sc, topic != NULL && count != 0 && at_ns <= INT64_MAX, BOUND))
		return;
	p = put_head(&e, 5, WIRE_PRODUCED);
	p = encode_text(p, &sc->names, topic);
	p = put_partition(p, partition);
	p = encode_uint(p, at_ns != 0 ? at_ns : clock_now());
	end(&e, encode_uint(p, count));
}

void
sidecar_consumed(struct sidecar *sc, const char *topic, int32_t partition, uint64_t produced_ns,
    uint64_t consumed_ns, const struct sidecar_context *c)
{
	static const uint8_t none[WIRE_TRACE_ID];
	struct emit e;
	uint8_t *p;
	bool valid = topic != NULL && produced_ns <= INT64_MAX && consumed_ns <= INT64_MAX;

	if (!begin(&e, sc, valid, BOUND))
		return;
	p = put_head(&e, 7, WIRE_CONSUMED);
	p = encode_text(p, &sc->names, topic);
	p = put_partition(p, partition);
	p = produced_ns != 0 ? encode_uint(p, produced_ns) : encode_nil(p);
	p = encode_uint(p, consumed_ns != 0 ? consumed_ns : clock_now());
	/* For the metric to point at: a span that is not exported is none. */
	if (c != NULL && (c->flags & SIDECAR_SAMPLED) != 0 &&
	    memcmp(c->trace_id, none, sizeof(c->trace_id)) != 0 &&
	    memcmp(c->span_id, none, sizeof(c->span_id)) != 0) {
		p = encode_trace_id(p, c->trace_id);
		p = encode_span_id(p, c->span_id);
	} else {
		p = encode_nil(encode_nil(p));
	}
	end(&e, p);
}

void
sidecar_kafka_error(
    struct sidecar *sc, enum sidecar_side side, const char *topic, const char *error_type)
{
	struct emit e;
	uint8_t *p;

	if (!begin(&e, sc, (unsigned)side < WIRE_SIDES && error_type != NULL, BOUND))
		return;
	p = put_head(&e, 5, WIRE_ERROR);
	*p++ = (uint8_t)side;
	p = topic != NULL ? encode_text(p, &sc->names, topic) : encode_nil(p);
	p = encode_text(p, &sc->names, error_type);
	end(&e, encode_uint(p, 1));
}

void
sidecar_lag(
    struct sidecar *sc, const char *topic, int32_t partition, int64_t lag, uint64_t as_of_ns)
{
	struct emit e;
	uint8_t *p;

	if (!begin(&e, sc, topic != NULL && partition >= 0 && as_of_ns <= INT64_MAX, BOUND))
		return;
	p = put_head(&e, 5, WIRE_LAG);
	p = encode_text(p, &sc->names, topic);
	p = encode_uint(p, (uint64_t)partition);
	p = lag < 0 ? encode_nil(p) : encode_uint(p, (uint64_t)lag);
	end(&e, as_of_ns != 0 ? encode_uint(p, as_of_ns) : encode_nil(p));
}

void
sidecar_measure(struct sidecar *sc, enum sidecar_instrument instrument, const char *name,
    const char *unit, double value, const struct sidecar_attr *attrs, size_t n)
{
	struct emit e;
	uint8_t *p;
	bool valid = (unsigned)instrument < WIRE_INSTRUMENTS && name != NULL &&
		     __builtin_isfinite(value) && !(instrument == SIDECAR_COUNTER && value < 0);

	if (!begin(&e, sc, valid, n == 0 ? BOUND : EMIT_ANY))
		return;
	p = put_head(&e, 6, WIRE_MEASURE);
	*p++ = (uint8_t)instrument;
	p = encode_text(p, &sc->names, name);
	p = unit != NULL ? encode_text(p, &sc->names, unit) : encode_nil(p);
	p = encode_double(p, value);
	end(&e, encode_attrs(p, emit_limit(&e), &sc->names, attrs, n, NULL));
}
