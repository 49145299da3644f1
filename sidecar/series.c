#include "series.h"

#include "hash.h"
#include "stat.h"

/* Each service may need an overflow series of each fixed family, beyond LIMIT_SERIES. No series has
 * less than one line. */
enum {
	OVERFLOWS = LIMIT_SERVICES * (METRIC_FIXED - METRIC_LABELLED),
	SERIES = LIMIT_SERIES + OVERFLOWS
};

/* {otel_metric_overflow="true"}, and the boolean attribute otel.metric.overflow of
 * OpenTelemetry. */
const struct text series_overflow_key = { "\x14\0\x04\0"
					  "otel_metric_overflow"
					  "true",
	28 };
const struct text series_overflow_attrs = { "\x1a\x0a\x14"
					    "otel.metric.overflow"
					    "\x12\x02\x10\x01",
	27 };

/* What a line has beside names and labels, at its longest; and the labels of its service without
 * their values. */
enum {
	LINE = sizeof("_bucket{le=\"10000\"} -1.7976931348623157e+308\n") - 1,
	SERVICE = sizeof("service_name=\"\",service_namespace=\"\",") - 1
};

size_t
series_bytes(void)
{
	return POOL_BYTES(sizeof(struct series), SERIES) + POOL_BYTES(sizeof(struct hist), SERIES) +
	       LIMIT_LABEL_BYTES;
}

void
series_init(struct series_store *s, void *mem, uint64_t hash_seed)
{
	uint8_t *at = mem;

	s->seed = hash_seed;
	pool_init(&s->pool, at, sizeof(struct series), SERIES);
	at += POOL_BYTES(sizeof(struct series), SERIES);
	pool_init(&s->hists, at, sizeof(struct hist), SERIES);
	at += POOL_BYTES(sizeof(struct hist), SERIES);
	shelf_init(&s->shelf, at, LIMIT_LABEL_BYTES);
}

bool
series_charge(struct series_store *s, uint32_t lines, uint32_t bytes)
{
	if (lines > LIMIT_SERIES - s->charged || bytes > LIMIT_SERIES_TEXT - s->text)
		return false;
	s->charged += lines;
	s->text += bytes;
	return true;
}

void
series_release(struct series_store *s, uint32_t lines, uint32_t bytes)
{
	s->charged -= lines;
	s->text -= bytes;
}

uint32_t
series_line(uint32_t name_len, const struct service *service)
{
	return LINE + name_len + SERVICE + text_escaped_len(service->name) +
	       text_escaped_len(service->space);
}

void
family_init(
    struct family *f, const struct metric *metric, uint32_t name_len, const struct service *service)
{
	*f = (struct family){ .lines = metric_lines(metric),
		.line = series_line(name_len, service) };
}

uint32_t
family_bytes(const struct family *f, struct text key)
{
	return f->lines * (f->line + labels_shown(key));
}

struct text
series_key(const struct series_store *s, const struct series *it)
{
	if (it->place == 0)
		return series_overflow_key;
	return (struct text){ .s = shelf_at(&s->shelf, it->place), .len = it->key_len };
}

struct text
series_attrs(const struct series_store *s, const struct series *it)
{
	if (it->place == 0)
		return series_overflow_attrs;
	return (struct text){ .s = (char *)shelf_at(&s->shelf, it->place) + it->key_len,
		.len = it->attrs_len };
}

/* A new series at the end of its family. The pool is as large as all that can be charged. */
static struct series *
append(struct series_store *s, struct family *f, enum series_form form)
{
	uint32_t number = pool_take(&s->pool);
	struct series *it = pool_at(&s->pool, number);

	*it = (struct series){ .family = f, .number = number, .prev = f->last };
	if (f->last != 0)
		series_at(s, f->last)->next = number;
	else
		f->first = number;
	f->last = number;
	if (form == SERIES_DURATIONS || form == SERIES_SAMPLES) {
		it->hist = pool_take(&s->hists);
		*series_hist(s, it) = (struct hist){ .counts = { 0 } };
	}
	stats.series += f->lines;
	return it;
}

static struct series *
overflow(struct series_store *s, struct family *f, enum series_form form)
{
	stats.overflowed++;
	if (f->overflow == 0)
		f->overflow = append(s, f, form)->number;
	return series_at(s, f->overflow);
}

struct series *
series_get(
    struct series_store *s, struct family *f, enum series_form form, const struct labels *labels)
{
	struct text key = labels_form(&labels->key), attrs = labels_form(&labels->attrs);
	uint64_t hash = hash_bytes(s->seed ^ (uint64_t)(uintptr_t)f, key.s, key.len);
	uint32_t *bucket = &s->buckets[hash % SERIES_BUCKETS];
	uint32_t place, bytes;
	struct series *it;

	if (labels_failed(labels))
		return overflow(s, f, form);
	for (it = series_at(s, *bucket); it != NULL; it = series_at(s, it->chain))
		if (it->hash == hash && it->family == f && text_same(series_key(s, it), key))
			return it;
	if (f->n >= LIMIT_LABEL_SETS)
		return overflow(s, f, form);
	bytes = family_bytes(f, key);
	if (!series_charge(s, f->lines, bytes))
		return overflow(s, f, form);
	place = shelf_take(&s->shelf, (size_t)key.len + attrs.len);
	if (place == 0) {
		series_release(s, f->lines, bytes);
		return overflow(s, f, form);
	}
	f->n++;
	it = append(s, f, form);
	it->hash = hash;
	it->place = place;
	it->key_len = (uint16_t)key.len;
	it->attrs_len = (uint16_t)attrs.len;
	memcpy(shelf_at(&s->shelf, place), key.s, key.len);
	memcpy((uint8_t *)shelf_at(&s->shelf, place) + key.len, attrs.s, attrs.len);
	it->chain = *bucket;
	*bucket = it->number;
	return it;
}

static void
unchain(struct series_store *s, const struct series *it)
{
	uint32_t *link = &s->buckets[it->hash % SERIES_BUCKETS];

	while (*link != it->number)
		link = &series_at(s, *link)->chain;
	*link = it->chain;
}

void
series_remove(struct series_store *s, struct series *it)
{
	struct family *f = it->family;

	if (it->place == 0) {
		f->overflow = 0;
	} else {
		unchain(s, it);
		series_release(s, f->lines, family_bytes(f, series_key(s, it)));
		shelf_give(&s->shelf, it->place, (size_t)it->key_len + it->attrs_len);
		f->n--;
	}
	*(it->prev != 0 ? &series_at(s, it->prev)->next : &f->first) = it->next;
	*(it->next != 0 ? &series_at(s, it->next)->prev : &f->last) = it->prev;
	stats.series -= f->lines;
	pool_give(&s->pool, it->number);
}
