#include "otlp_metric.h"

#include "keyvalue.h"
#include "labels.h"
#include "otlp.pb-c.h"

#include <stdalign.h>
#include <stddef.h>

enum { CUMULATIVE = 2, KEYVALUE_FIELD = 1, NUMBER_FIELD = 7, HISTOGRAM_FIELD = 9 };

/* What one more point may take of the scratch, with its metric and resource: two label sets at
 * their limit, and a row for each attribute. */
enum { POINT_ROOM = 64 << 10 };

/* A resource needs a row for each attribute, which has at least two bytes. */
enum { ROW_PER_BYTE = sizeof(ProtobufCMessageUnknownField) / 2 };

struct tree {
	uint8_t *base;
	size_t cap, len;
	size_t promised; /* for the arrays that lists become, a resource, and one more point */
	size_t size;     /* bytes on the wire, nearly */
	uint64_t points;
};

/* Messages found one by one; protobuf-c wants an array of pointers. */
struct node {
	struct node *next;
	void *message;
};

struct list {
	struct node *first, *last;
	size_t n;
};

static void *
take(struct tree *t, size_t n)
{
	void *p = t->base + t->len;

	t->len += (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	return p;
}

static bool
has_room(const struct tree *t)
{
	return t->size < LIMIT_BATCH_BYTES && t->len < t->cap && t->cap - t->len > t->promised;
}

static void
list_add(struct tree *t, struct list *l, void *message)
{
	struct node *node = take(t, sizeof(*node));

	*node = (struct node){ .message = message };
	if (l->last != NULL)
		l->last->next = node;
	else
		l->first = node;
	l->last = node;
	l->n++;
	t->promised += 2 * sizeof(void *);
}

static void *
list_array(struct tree *t, const struct list *l)
{
	void **array = take(t, l->n * sizeof(void *));
	size_t i = 0;

	for (const struct node *node = l->first; node != NULL; node = node->next)
		array[i++] = node->message;
	t->promised -= 2 * sizeof(void *) * l->n;
	return array;
}

/* protobuf-c ends a string at its NUL, so one that a service put into a name is shown as "?". */
static char *
take_string(struct tree *t, struct text text)
{
	char *s = take(t, (size_t)text.len + 1);

	for (uint32_t i = 0; i < text.len; i++)
		s[i] = (char)(text.s[i] != '\0' ? text.s[i] : '?');
	s[text.len] = '\0';
	return s;
}

/* Attributes are OTLP bytes already. protobuf-c writes a message's unknown fields, whatever their
 * number, as they are and after all others; where we have attributes, they are the last field
 * anyway. Room for one more is behind the last. */
static void
add_attribute(ProtobufCMessage *m, uint32_t field, struct text whole)
{
	m->unknown_fields[m->n_unknown_fields++] = (ProtobufCMessageUnknownField){ .tag = field,
		.wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
		.len = whole.len,
		.data = (uint8_t *)(uintptr_t)whole.s }; /* which it only reads */
}

static void
add_attributes(struct tree *t, ProtobufCMessage *m, uint32_t field, struct text attrs)
{
	char *copy = take(t, attrs.len);
	struct text rest = { .s = copy, .len = attrs.len }, whole;
	size_t n = 0;

	memcpy(copy, attrs.s, attrs.len);
	while (labels_next_attr(&rest, &whole))
		n++;
	m->unknown_fields = take(t, n * sizeof(*m->unknown_fields));
	rest = (struct text){ .s = copy, .len = attrs.len };
	while (labels_next_attr(&rest, &whole))
		add_attribute(m, field, whole);
}

static void *
number_point(struct tree *t, const struct otlp_metric *o, const struct point *p)
{
	Otlp__NumberDataPoint *d = take(t, sizeof(*d));

	otlp__number_data_point__init(d);
	d->start_time_unix_nano = o->start.ns;
	d->time_unix_nano = o->now.ns;
	if (p->form == POINT_WHOLE) {
		d->value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_INT;
		d->as_int = (int64_t)p->whole;
	} else {
		d->value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
		d->as_double = p->real;
	}
	add_attributes(t, &d->base, NUMBER_FIELD, p->attrs);
	t->size += otlp__number_data_point__get_packed_size(d) + 3;
	return d;
}

static void *
histogram_point(struct tree *t, const struct otlp_metric *o, const struct point *p)
{
	Otlp__HistogramDataPoint *d = take(t, sizeof(*d));
	size_t n = p->layout->n;

	otlp__histogram_data_point__init(d);
	d->start_time_unix_nano = o->start.ns;
	d->time_unix_nano = o->now.ns;
	d->count = hist_count(p->hist, p->layout);
	if (!p->negative) { /* a sum that may fall would look like a restart */
		d->opt_sum_case = OTLP__HISTOGRAM_DATA_POINT__OPT_SUM_SUM;
		d->sum = p->sum;
	}
	d->n_bucket_counts = n + 1;
	d->bucket_counts = take(t, (n + 1) * sizeof(*d->bucket_counts));
	memcpy(d->bucket_counts, p->hist->counts, (n + 1) * sizeof(*d->bucket_counts));
	d->n_explicit_bounds = n;
	d->explicit_bounds = take(t, n * sizeof(*d->explicit_bounds));
	memcpy(d->explicit_bounds, p->layout->bounds, n * sizeof(*d->explicit_bounds));
	add_attributes(t, &d->base, HISTOGRAM_FIELD, p->attrs);
	t->size += otlp__histogram_data_point__get_packed_size(d) + 3;
	return d;
}

static Otlp__Metric *
metric_of(struct tree *t, const struct metric *metric, const struct list *points)
{
	Otlp__Metric *m = take(t, sizeof(*m));

	otlp__metric__init(m);
	m->name = take_string(t, metric->name);
	m->description = take_string(t, metric->help);
	m->unit = take_string(t, metric->unit);
	if (metric->kind == METRIC_HISTOGRAM) {
		m->data_case = OTLP__METRIC__DATA_HISTOGRAM;
		m->histogram = take(t, sizeof(*m->histogram));
		otlp__histogram__init(m->histogram);
		m->histogram->aggregation_temporality = CUMULATIVE;
		m->histogram->n_data_points = points->n;
		m->histogram->data_points = list_array(t, points);
	} else if (metric->kind == METRIC_GAUGE) {
		m->data_case = OTLP__METRIC__DATA_GAUGE;
		m->gauge = take(t, sizeof(*m->gauge));
		otlp__gauge__init(m->gauge);
		m->gauge->n_data_points = points->n;
		m->gauge->data_points = list_array(t, points);
	} else {
		m->data_case = OTLP__METRIC__DATA_SUM;
		m->sum = take(t, sizeof(*m->sum));
		otlp__sum__init(m->sum);
		m->sum->aggregation_temporality = CUMULATIVE;
		m->sum->is_monotonic = metric->kind == METRIC_COUNTER;
		m->sum->n_data_points = points->n;
		m->sum->data_points = list_array(t, points);
	}
	t->size += metric->name.len + metric->help.len + metric->unit.len + 24;
	return m;
}

static void
add_text(struct tree *t, Otlp__Resource *r, struct text key, struct text value)
{
	struct labels labels;
	char *copy;

	labels_begin(&labels);
	labels_put_text(&labels, key, key, value);
	copy = take(t, labels.attrs.len);
	memcpy(copy, labels.attrs.base, labels.attrs.len);
	add_attribute(&r->base, KEYVALUE_FIELD,
	    (struct text){ .s = copy, .len = (uint32_t)labels.attrs.len });
}

/* A service's names stand over our own attributes; service NULL: our own only. */
static Otlp__Resource *
resource_of(struct tree *t, const struct otlp_metric *o, const struct service *service)
{
	Otlp__Resource *r = take(t, sizeof(*r));
	struct text rest = o->attributes;
	struct keyvalue kv;
	size_t n = 2;

	otlp__resource__init(r);
	while (keyvalue_next(&rest, &kv))
		n++;
	r->base.unknown_fields = take(t, n * sizeof(*r->base.unknown_fields));
	if (service != NULL) {
		if (service->space.len != 0)
			add_text(t, r, TEXT("service.namespace"), service->space);
		add_text(t, r, TEXT("service.name"), service->name);
	}
	for (rest = o->attributes; keyvalue_next(&rest, &kv);)
		if (service == NULL || (!text_same(kv.key, TEXT("service.namespace")) &&
					   !text_same(kv.key, TEXT("service.name"))))
			add_attribute(&r->base, KEYVALUE_FIELD, kv.whole);
	t->size += otlp__resource__get_packed_size(r) + 64;
	return r;
}

static Otlp__ResourceMetrics *
resource_metrics(struct tree *t, const struct otlp_metric *o, const struct service *service,
    const struct list *metrics)
{
	Otlp__ResourceMetrics *rm = take(t, sizeof(*rm));
	Otlp__ScopeMetrics *sm = take(t, sizeof(*sm));
	struct text version = { .s = o->process->version };

	version.len = version.s != NULL ? (uint32_t)strlen(version.s) : 0;
	otlp__resource_metrics__init(rm);
	otlp__scope_metrics__init(sm);
	sm->scope = take(t, sizeof(*sm->scope));
	otlp__scope__init(sm->scope);
	sm->scope->name = take_string(t, TEXT("sidecard"));
	sm->scope->version = take_string(t, version);
	sm->n_metrics = metrics->n;
	sm->metrics = list_array(t, metrics);
	rm->resource = resource_of(t, o, service);
	rm->n_scope_metrics = 1;
	rm->scope_metrics = take(t, sizeof(*rm->scope_metrics));
	*rm->scope_metrics = sm;
	return rm;
}

/* The points of the metric under the cursor. True: these were all, or all that remained. */
static bool
add_points(struct otlp_metric *o, const struct reading *r, struct tree *t, struct list *points)
{
	struct labels labels;
	struct point p;

	while (has_room(t)) {
		if (!reading_point(r, &o->cursor, &labels, &p))
			return true;
		list_add(t, points,
		    p.form == POINT_HIST ? histogram_point(t, o, &p) : number_point(t, o, &p));
		t->points++;
	}
	return false;
}

/* The metrics of the owner under the cursor, from there on. True: likewise. */
static bool
add_metrics(struct otlp_metric *o, const struct reading *r, struct tree *t, struct list *metrics)
{
	uint32_t who = o->owner < r->services->n ? o->owner : READING_DAEMON;
	struct metric metric;
	uint32_t id;

	if (!o->inside) {
		o->cursor = (struct cursor){ .id = reading_next(r, who, READING_FIRST, &metric),
			.who = who };
		o->inside = true;
	}
	for (id = o->cursor.id; id != READING_FIRST; id = reading_next(r, who, id, &metric)) {
		struct list points = { .n = 0 };
		bool all;

		if (id != o->cursor.id)
			o->cursor = (struct cursor){ .id = id, .who = who };
		reading_metric(r, id, &metric);
		all = add_points(o, r, t, &points);
		if (points.n != 0)
			list_add(t, metrics, metric_of(t, &metric, &points));
		if (!all)
			return false;
	}
	return true;
}

static void
pack(struct tree *t, const struct list *resources, struct buf *out)
{
	Otlp__MetricsRequest request = OTLP__METRICS_REQUEST__INIT;
	size_t size;

	request.n_resource_metrics = resources->n;
	request.resource_metrics = list_array(t, resources);
	size = otlp__metrics_request__get_packed_size(&request);
	if (size > out->cap - out->len)
		out->failed = true;
	else
		out->len += otlp__metrics_request__pack(&request, out->base + out->len);
}

bool
otlp_metric_next(struct otlp_metric *o, struct buf *out, uint64_t *points)
{
	struct reading r = { .meter = o->meter,
		.services = o->services,
		.process = o->process,
		.now = o->mono_now };
	struct tree t = { .base = o->scratch,
		.cap = o->scratch_len,
		.promised = POINT_ROOM + (size_t)o->attributes.len * ROW_PER_BYTE };
	struct list resources = { .n = 0 };

	while (o->owner <= r.services->n && has_room(&t)) {
		const struct service *service =
		    o->owner < r.services->n ? &r.services->at[o->owner] : NULL;
		struct list metrics = { .n = 0 };
		bool all = add_metrics(o, &r, &t, &metrics);

		if (metrics.n != 0)
			list_add(&t, &resources, resource_metrics(&t, o, service, &metrics));
		if (all) {
			o->owner++;
			o->inside = false;
		}
	}
	*points = t.points;
	if (resources.n == 0)
		return false;
	pack(&t, &resources, out);
	return true;
}
