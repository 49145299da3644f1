#include "reading.h"

#include "registry.h"
#include "stat.h"

/* Numbers: the fixed metrics, then a number for each row of stat.def (a metric has that of its
 * first row), then those of this process, then the instruments. */
static uint32_t
ledger_at(void)
{
	return METRIC_FIXED;
}

static uint32_t
stats_at(void)
{
	return ledger_at() + stat_nledger_rows;
}

static uint32_t
self_at(void)
{
	return stats_at() + stat_nrows;
}

static uint32_t
instruments_at(void)
{
	return self_at() + METRIC_SELF;
}

uint32_t
reading_end(const struct reading *r)
{
	return instruments_at() + r->meter->instruments.pool.fresh;
}

static struct text
text_of(const char *s)
{
	return (struct text){ .s = s, .len = (uint32_t)strlen(s) };
}

static bool
same_metric(const struct stat_row *a, const struct stat_row *b)
{
	return strcmp(a->metric, b->metric) == 0;
}

static bool
row_metric(const struct stat_row *rows, uint32_t at, struct metric *m)
{
	if (at > 0 && same_metric(&rows[at], &rows[at - 1]))
		return false;
	*m = (struct metric){ .name = text_of(rows[at].metric),
		.unit = TEXT(""),
		.help = text_of(rows[at].help),
		.kind = rows[at].kind == STAT_COUNTER ? METRIC_COUNTER : METRIC_GAUGE };
	return true;
}

static const struct instrument *
instrument_of(const struct reading *r, uint32_t id)
{
	return instrument_at(&r->meter->instruments, id - instruments_at());
}

bool
reading_metric(const struct reading *r, uint32_t id, struct metric *m)
{
	if (id < ledger_at())
		*m = metric_fixed[id];
	else if (id < stats_at())
		return row_metric(stat_ledger_rows, id - ledger_at(), m);
	else if (id < self_at())
		return row_metric(stat_rows, id - stats_at(), m);
	else if (id < instruments_at())
		*m = metric_self[id - self_at()];
	else if (id > instruments_at())
		*m = instrument_of(r, id)->metric;
	else
		return false; /* number 0 of the pool is none */
	return true;
}

bool
reading_block(const struct reading *r, uint32_t id, struct metric *m)
{
	if (!reading_metric(r, id, m))
		return false;
	if (id < instruments_at())
		return true;

	const struct instrument *it = instrument_of(r, id);

	return !it->hidden && it->leader == it->number;
}

bool
reading_owner(const struct reading *r, uint32_t *id, uint32_t *who, bool begin)
{
	if (*id >= instruments_at()) {
		if (!begin)
			*id = instruments_at() + instrument_of(r, *id)->peer;
		if (*id == instruments_at())
			return false;
		*who = instrument_of(r, *id)->service;
		return true;
	}
	if (*id >= stats_at()) {
		*who = READING_DAEMON;
		return begin;
	}
	*who = begin ? 0 : *who + 1;
	return *who < r->services->n;
}

uint32_t
reading_next(const struct reading *r, uint32_t who, uint32_t id, struct metric *m)
{
	uint32_t end = who == READING_DAEMON ? instruments_at() : stats_at();

	if (id == READING_FIRST)
		id = who == READING_DAEMON ? stats_at() : 0;
	else if (id < end)
		id++;
	while (id < end && !reading_metric(r, id, m))
		id++;
	if (id < end)
		return id;
	if (who == READING_DAEMON)
		return READING_FIRST;

	uint32_t number =
	    id == end ? r->meter->instruments.of[who].first : instrument_of(r, id)->next;

	if (number == 0)
		return READING_FIRST;
	*m = instrument_at(&r->meter->instruments, number)->metric;
	return instruments_at() + number;
}

static bool
whole(struct point *p, uint64_t value)
{
	p->form = POINT_WHOLE;
	p->whole = value;
	return true;
}

static bool
real(struct point *p, double value)
{
	p->form = POINT_REAL;
	p->real = value;
	return true;
}

static void
hist(struct point *p, const struct hist *h, const struct hist_layout *layout)
{
	p->form = POINT_HIST;
	p->hist = h;
	p->layout = layout;
}

static void
use_labels(struct point *p, const struct labels *labels)
{
	p->key = labels_form(&labels->key);
	p->attrs = labels_form(&labels->attrs);
}

/* The next topic of a service: those in its list, then the overflow topic. */
static const struct topic *
next_topic(const struct reading *r, struct cursor *c)
{
	const struct topics *topics = &r->meter->topics;

	if (c->over)
		return NULL;
	c->topic = c->topic == 0 ? topics->of[c->who].first : topic_at(topics, c->topic)->next;
	c->over = c->topic == 0;
	return c->over ? &topics->of[c->who].overflow : topic_at(topics, c->topic);
}

static bool
topic_value(const struct reading *r, uint32_t id, const struct topic *topic, struct point *p)
{
	const struct hist_layout *layout = &r->meter->layouts[HIST_LATENCY];

	switch (id) {
	case METRIC_PRODUCED: return whole(p, topic->produced) && topic->produced != 0;
	case METRIC_CONSUMED: return whole(p, topic->consumed) && topic->consumed != 0;
	case METRIC_SKEW: return whole(p, topic->skewed) && topic->skewed != 0;
	default:
		hist(p, &topic->latency, layout);
		p->sum = hist_sum(&topic->latency, layout);
		return topic->measured;
	}
}

static bool
topic_point(const struct reading *r, struct cursor *c, struct labels *labels, struct point *p)
{
	const struct topic *topic;

	while ((topic = next_topic(r, c)) != NULL)
		if (topic_value(r, c->id, topic, p)) {
			topic_labels(&r->meter->topics, topic, labels);
			use_labels(p, labels);
			return true;
		}
	return false;
}

/* The next partition with a lag, of this topic or a later one. */
static const struct lag *
next_lag(const struct reading *r, struct cursor *c)
{
	const struct topic *topic;

	if (c->number != 0)
		c->number = lag_at(&r->meter->lags, c->number)->next;
	while (c->number == 0) {
		topic = next_topic(r, c);
		if (topic == NULL)
			return NULL;
		c->number = topic->lags;
	}
	return lag_at(&r->meter->lags, c->number);
}

static bool
lag_point(const struct reading *r, struct cursor *c, struct labels *labels, struct point *p)
{
	const struct lag *lag;

	while ((lag = next_lag(r, c)) != NULL) {
		if (c->id == METRIC_LAG && lag_dead(lag))
			continue;
		topic_labels(&r->meter->topics, topic_at(&r->meter->topics, lag->topic), labels);
		labels_put_uint(labels, TEXT("partition"), lag->partition);
		use_labels(p, labels);
		return c->id == METRIC_LAG ? whole(p, lag->messages)
					   : real(p, lag_age(lag, r->now));
	}
	return false;
}

static bool
family_point(const struct reading *r, struct cursor *c, const struct family *family,
    const struct metric *metric, struct point *p)
{
	const struct series_store *store = &r->meter->series;
	const struct series *it = series_at(store, c->number);

	if (c->over)
		return false;
	c->number = it == NULL ? family->first : it->next;
	c->over = c->number == 0;
	if (c->over)
		return false;
	it = series_at(store, c->number);
	p->key = series_key(store, it);
	p->attrs = series_attrs(store, it);
	if (metric->kind == METRIC_GAUGE)
		return real(p, held_last(it));
	if (metric->kind == METRIC_UPDOWN)
		return real(p, held_sum(it));
	if (metric->kind == METRIC_COUNTER)
		return c->id < METRIC_FIXED ? whole(p, it->value.count)
					    : real(p, total_value(&it->value.total));
	hist(p, series_hist(store, it), &r->meter->layouts[metric->layout]);
	p->negative = it->negative;
	p->sum = c->id < METRIC_FIXED ? hist_sum(p->hist, p->layout)
				      : total_value(&p->hist->sum.samples);
	return true;
}

/* Labels as they stand in stat.def: name="value",name="value"; no value needs an escape. */
static void
put_row_labels(struct labels *labels, const char *s)
{
	while (*s != '\0') {
		struct text name = { .s = s, .len = (uint32_t)strcspn(s, "=") };
		struct text value = { .s = s + name.len + 2 };

		value.len = (uint32_t)strcspn(value.s, "\"");
		labels_put_text(labels, name, name, value);
		s = value.s + value.len + 1;
		s += *s == ',';
	}
}

/* The rows of one metric stand together: number is how many were read. */
static bool
row_point(struct cursor *c, const struct stat_row *rows, uint32_t n, uint32_t first,
    const void *fields, struct labels *labels, struct point *p)
{
	uint32_t at = first + c->number;
	uint64_t value;

	if (at >= n || !same_metric(&rows[at], &rows[first]))
		return false;
	c->number++;
	put_row_labels(labels, rows[at].labels);
	use_labels(p, labels);
	memcpy(&value, (const char *)fields + rows[at].offset, sizeof(value));
	return whole(p, value);
}

static bool
self_point(const struct reading *r, struct cursor *c, struct labels *labels, struct point *p)
{
	const struct process *process = r->process;
	struct text version = text_of(process->version != NULL ? process->version : "");

	if (c->over)
		return false;
	c->over = true;
	if (c->id - self_at() == METRIC_BUILD)
		labels_put_text(labels, TEXT("version"), TEXT("version"), version);
	use_labels(p, labels);
	switch (c->id - self_at()) {
	case METRIC_CPU: return real(p, process->cpu_seconds) && p->real > 0;
	case METRIC_START_TIME: return real(p, process->start_time) && p->real > 0;
	case METRIC_RESIDENT: return whole(p, process->resident_bytes) && p->whole != 0;
	case METRIC_VIRTUAL: return whole(p, process->virtual_bytes) && p->whole != 0;
	case METRIC_OPEN_FDS: return whole(p, process->open_fds) && p->whole != 0;
	case METRIC_MAX_FDS: return whole(p, process->max_fds) && p->whole != 0;
	case METRIC_THREADS: return whole(p, process->threads) && p->whole != 0;
	default: return whole(p, 1) && version.len != 0;
	}
}

bool
reading_point(const struct reading *r, struct cursor *c, struct labels *labels, struct point *p)
{
	*p = (struct point){ .key = TEXT("") };
	labels_begin(labels);
	if (c->id < METRIC_LAG)
		return topic_point(r, c, labels, p);
	if (c->id < METRIC_LABELLED)
		return lag_point(r, c, labels, p);
	if (c->id < METRIC_FIXED)
		return family_point(r, c, &r->meter->families[c->who][c->id - METRIC_LABELLED],
		    &metric_fixed[c->id], p);
	if (c->id < stats_at())
		return row_point(c, stat_ledger_rows, stat_nledger_rows, c->id - ledger_at(),
		    &r->services->at[c->who].ledger, labels, p);
	if (c->id < self_at())
		return row_point(c, stat_rows, stat_nrows, c->id - stats_at(), &stats, labels, p);
	if (c->id < instruments_at())
		return self_point(r, c, labels, p);

	const struct instrument *it = instrument_of(r, c->id);

	return family_point(r, c, &it->family, &it->metric, p);
}
