#include "meter.h"

#include "registry.h"
#include "stat.h"

size_t
meter_bytes(void)
{
	return sizeof(struct meter) + series_bytes() + topics_bytes() + lags_bytes() +
	       held_bytes() + instruments_bytes();
}

struct meter *
meter_init(void *mem, uint64_t hash_seed)
{
	struct meter *m = mem;
	uint8_t *at = (uint8_t *)mem + sizeof(*m);

	for (unsigned kind = 0; kind < HIST_KINDS; kind++)
		hist_layout_init(&m->layouts[kind], kind);
	series_init(&m->series, at, hash_seed);
	at += series_bytes();
	topics_init(&m->topics, at, &m->series, hash_seed);
	at += topics_bytes();
	lags_init(&m->lags, at, &m->topics);
	at += lags_bytes();
	held_init(&m->held, at, &m->series);
	at += held_bytes();
	instruments_init(&m->instruments, at, &m->series, hash_seed);
	return m;
}

struct topic *
meter_topic(struct meter *m, struct service *service, struct text name)
{
	return topic_get(&m->topics, service, name);
}

/* Branches that are nearly never taken cost nothing; adding their outcome to a counter would. */
void
meter_produced(struct meter *m, struct topic *topic, uint64_t count)
{
	(void)m;
	if (topic->produced == 0)
		stats.series++;
	if (topic->overflow)
		stats.overflowed++;
	total_count(&topic->produced, count);
}

void
meter_consumed(struct meter *m, struct topic *topic, uint64_t produced_ns, uint64_t consumed_ns)
{
	uint64_t latency = consumed_ns - produced_ns;

	if (topic->consumed++ == 0)
		stats.series++;
	if (topic->overflow)
		stats.overflowed++;
	if (produced_ns == 0)
		return;
	if (!topic->measured) {
		topic->measured = true;
		stats.series += TOPIC_LATENCY;
	}
	if (consumed_ns < produced_ns) {
		if (topic->skewed++ == 0)
			stats.series++;
		latency = 0;
	}
	hist_record(&topic->latency, &m->layouts[HIST_LATENCY], latency);
}

static struct family *
family_of(struct meter *m, const struct service *service, enum metric_fixed metric)
{
	struct family *f = &m->families[service->number][metric - METRIC_LABELLED];

	if (f->lines == 0)
		family_init(f, &metric_fixed[metric], metric_fixed[metric].name.len, service);
	return f;
}

void
meter_error(struct meter *m, struct service *service, enum wire_side side, struct text topic,
    struct text type, uint64_t count)
{
	enum metric_fixed metric =
	    side == WIRE_SIDE_PRODUCER ? METRIC_PRODUCER_ERRORS : METRIC_CONSUMER_ERRORS;
	struct labels labels;
	struct series *it;

	labels_begin(&labels);
	labels_put_text(&labels, TEXT("error_type"), TEXT("error_type"), type);
	labels_put_text(&labels, TEXT("topic"), TEXT("topic"), topic);
	it = series_get(&m->series, family_of(m, service, metric), SERIES_COUNT, &labels);
	total_count(&it->value.count, count);
}

void
meter_duration(struct meter *m, struct service *service, enum metric_fixed metric,
    const struct labels *labels, uint64_t ns)
{
	struct series *it =
	    series_get(&m->series, family_of(m, service, metric), SERIES_DURATIONS, labels);

	hist_record(series_hist(&m->series, it), &m->layouts[metric_fixed[metric].layout], ns);
}

enum meter_outcome
meter_lag(struct meter *m, struct topic *topic, uint32_t partition, uint64_t lag, uint64_t as_of_ns,
    meter_owner owner, struct wall now, struct mono mono_now)
{
	uint64_t age = now.ns > as_of_ns ? now.ns - as_of_ns : 0;

	if (!lag_report(
		&m->lags, topic, partition, lag, as_of_ns != 0 ? &age : NULL, owner, mono_now))
		return METER_LAG_CAP;
	return METER_OK;
}

void
meter_lag_revoked(struct meter *m, struct topic *topic, uint32_t partition, meter_owner owner)
{
	lag_revoke(&m->lags, topic, partition, owner);
}

static enum meter_outcome
hold(struct meter *m, struct series *series, meter_owner owner, bool gauge, double value)
{
	struct held *held = held_get(&m->held, series, owner);

	if (held == NULL) {
		held_drop_unused(&m->held, series);
		return METER_FULL;
	}
	if (gauge)
		held->total = (struct total){ .sum = value };
	else
		total_add(&held->total, value);
	return METER_OK;
}

enum meter_outcome
meter_measure(struct meter *m, struct service *service, meter_owner owner,
    enum wire_instrument kind, struct text name, struct text unit, double value,
    const struct span_list *attrs)
{
	static const enum series_form forms[WIRE_INSTRUMENTS] = {
		[WIRE_COUNTER] = SERIES_TOTAL,
		[WIRE_UPDOWN] = SERIES_HELD,
		[WIRE_GAUGE] = SERIES_HELD,
		[WIRE_HISTOGRAM] = SERIES_SAMPLES,
	};
	struct instrument *it;
	struct series *series;
	struct labels labels;

	switch (instrument_get(&m->instruments, service, kind, name, unit, &it)) {
	case INSTRUMENT_CONFLICT: return METER_CONFLICT;
	case INSTRUMENT_FULL: return METER_FULL;
	case INSTRUMENT_OK: break;
	}
	labels_begin(&labels);
	labels_put_attributes(&labels, attrs);
	series = series_get(&m->series, &it->family, forms[kind], &labels);
	if (kind == WIRE_COUNTER) {
		total_add(&series->value.total, value);
	} else if (kind == WIRE_HISTOGRAM) {
		series->negative |= value < 0;
		hist_record_double(
		    series_hist(&m->series, series), &m->layouts[it->metric.layout], value);
	} else {
		return hold(m, series, owner, kind == WIRE_GAUGE, value);
	}
	return METER_OK;
}

void
meter_owner_gone(struct meter *m, meter_owner owner, bool bye, struct mono now)
{
	lag_owner_gone(&m->lags, owner, bye, now);
	held_owner_gone(&m->held, owner);
}

void
meter_expire(struct meter *m, struct mono now)
{
	lag_expire(&m->lags, now);
}
