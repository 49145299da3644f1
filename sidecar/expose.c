#include "expose.h"

#include "number.h"
#include "promname.h"
#include "reading.h"

/* A name of MEASURE, to which "_" and "_total" may come; ours are shorter. */
enum { NAME_ROOM = WIRE_TEXT_MAX + 8 };

struct page {
	const struct reading *reading;
	struct buf *out;
	struct text name; /* of the block being written */
	/* The bounds of one layout as text, since a page repeats them for each series. */
	const struct hist_layout *layout;
	struct text le[HIST_SLOTS];
	char le_text[HIST_SLOTS * 32];
};

static void
put(struct buf *out, struct text t)
{
	buf_put(out, t.s, t.len);
}

/* A backslash and a newline get a backslash, in label values a quote too. */
static void
put_escaped(struct buf *out, struct text t, bool quotes)
{
	uint32_t from = 0;

	for (uint32_t i = 0; i < t.len; i++) {
		char c = t.s[i];

		if (c != '\\' && c != '\n' && !(c == '"' && quotes))
			continue;
		buf_put(out, t.s + from, i - from);
		buf_put_u8(out, '\\');
		buf_put_u8(out, c == '\n' ? 'n' : (uint8_t)c);
		from = i + 1;
	}
	buf_put(out, t.s + from, t.len - from);
}

static void
put_header(const struct page *page, const struct metric *m)
{
	struct buf *out = page->out;

	buf_put_str(out, "# HELP ");
	put(out, page->name);
	buf_put_u8(out, ' ');
	put_escaped(out, m->help, false);
	/* A unit in braces only says what is counted, as the help does. */
	if (m->unit.len != 0 && m->unit.s[0] != '{') {
		buf_put_str(out, " (");
		put_escaped(out, m->unit, false);
		buf_put_u8(out, ')');
	}
	buf_put_str(out, "\n# TYPE ");
	put(out, page->name);
	buf_put_u8(out, ' ');
	buf_put_str(out, metric_type[m->kind]);
	buf_put_u8(out, '\n');
}

static void
put_label(struct buf *out, char before, struct text name, struct text value)
{
	buf_put_u8(out, (uint8_t)before);
	put(out, name);
	buf_put(out, "=\"", 2);
	put_escaped(out, value, true);
	buf_put_u8(out, '"');
}

/* Without the closing brace; nothing when there are none. */
static void
put_labels(const struct page *page, uint32_t who, struct text key)
{
	struct text name, value;
	char before = '{';

	if (who != READING_DAEMON) {
		const struct service *service = &page->reading->services->at[who];

		put_label(page->out, before, TEXT("service_name"), service->name);
		before = ',';
		if (service->space.len != 0)
			put_label(page->out, before, TEXT("service_namespace"), service->space);
	}
	for (; labels_next(&key, &name, &value); before = ',')
		put_label(page->out, before, name, value);
}

static void
put_value(struct buf *out, const struct point *p)
{
	if (p->form == POINT_WHOLE)
		number_put_uint(out, p->whole);
	else
		number_put_double(out, p->real);
	buf_put_u8(out, '\n');
}

static void
use_layout(struct page *page, const struct hist_layout *layout)
{
	struct buf text;

	if (page->layout == layout)
		return;
	page->layout = layout;
	buf_init(&text, page->le_text, sizeof(page->le_text));
	for (uint32_t i = 0; i < layout->n; i++) {
		page->le[i].s = page->le_text + text.len;
		number_put_double(&text, layout->bounds[i]);
		page->le[i].len = (uint32_t)(page->le_text + text.len - page->le[i].s);
	}
	page->le[layout->n] = TEXT("+Inf");
}

static void
put_histogram(struct page *page, uint32_t who, const struct point *p)
{
	struct buf *out = page->out;
	struct text labels = { .s = NULL };
	uint64_t count = 0;

	use_layout(page, p->layout);
	for (uint32_t i = 0; i <= p->layout->n && !out->failed; i++) {
		count += p->hist->counts[i];
		put(out, page->name);
		buf_put_str(out, "_bucket");
		if (i == 0) { /* the lines to come copy the labels of this one */
			labels.s = (const char *)out->base + out->len;
			put_labels(page, who, p->key);
			labels.len = (uint32_t)((const char *)out->base + out->len - labels.s);
		} else {
			put(out, labels);
		}
		put_label(out, labels.len != 0 ? ',' : '{', TEXT("le"), page->le[i]);
		buf_put_str(out, "} ");
		number_put_uint(out, count);
		buf_put_u8(out, '\n');
	}
	if (out->failed)
		return;
	for (unsigned last = 0; last < 2; last++) {
		put(out, page->name);
		buf_put_str(out, last ? "_count" : "_sum");
		put(out, labels);
		buf_put_str(out, labels.len != 0 ? "} " : " ");
		if (last)
			number_put_uint(out, count);
		else
			number_put_double(out, p->sum);
		buf_put_u8(out, '\n');
	}
}

static void
put_point(struct page *page, uint32_t who, const struct point *p)
{
	struct buf *out = page->out;
	size_t before;

	if (p->form == POINT_HIST) {
		put_histogram(page, who, p);
		return;
	}
	put(out, page->name);
	before = out->len;
	put_labels(page, who, p->key);
	buf_put_str(out, out->len != before ? "} " : " ");
	put_value(out, p);
}

static void
put_block(struct page *page, uint32_t id, const struct metric *m)
{
	struct labels labels;
	struct cursor cursor;
	struct point point;
	uint32_t who = 0;
	bool named = false;

	for (bool more = reading_owner(page->reading, &id, &who, true); more && !page->out->failed;
	     more = reading_owner(page->reading, &id, &who, false)) {
		cursor = (struct cursor){ .id = id, .who = who };
		while (
		    !page->out->failed && reading_point(page->reading, &cursor, &labels, &point)) {
			if (!named)
				put_header(page, m);
			named = true;
			put_point(page, who, &point);
		}
	}
}

void
expose_text(const struct meter *meter, const struct services *services,
    const struct process *process, struct mono now, struct buf *out)
{
	struct reading reading = {
		.meter = meter, .services = services, .process = process, .now = now
	};
	struct page page = { .reading = &reading, .out = out };
	char bytes[NAME_ROOM];
	struct metric metric;
	struct buf name;

	for (uint32_t id = 0; id < reading_end(&reading) && !out->failed; id++) {
		if (!reading_block(&reading, id, &metric))
			continue;
		buf_init(&name, bytes, sizeof(bytes));
		promname_metric(&name, metric.name, metric.kind == METRIC_COUNTER);
		page.name = (struct text){ .s = bytes, .len = (uint32_t)name.len };
		put_block(&page, id, &metric);
	}
}
