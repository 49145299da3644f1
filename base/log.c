#include "log.h"

#include "buf.h"
#include "clock.h"
#include "line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	QUOTE_SLOTS = 4,
	QUOTE_MAX = 255,
	TRACE_FLAGS = 0x03 /* sampled and random: what W3C Trace Context level 2 defines */
};

static const char cut_mark[] = "...";

static const char *program;
static enum log_format format;
static _Atomic(enum log_level) level = LOG_INFO;
static _Atomic uint64_t lost;

/* What this thread is at work on. */
static _Thread_local struct {
	bool known;
	uint8_t trace_id[16], span_id[8], flags;
} context;

void
log_open(const char *name, enum log_level l)
{
	program = name;
	atomic_store(&level, l);
}

void
log_format(enum log_format f)
{
	format = f;
}

void
log_context(const uint8_t trace_id[16], const uint8_t span_id[8], uint8_t flags)
{
	static const uint8_t none[16];

	context.known = trace_id != NULL && memcmp(trace_id, none, sizeof(none)) != 0;
	if (!context.known)
		return;
	memcpy(context.trace_id, trace_id, sizeof(context.trace_id));
	memcpy(context.span_id, span_id, sizeof(context.span_id));
	context.flags = flags & TRACE_FLAGS;
}

bool
log_on(enum log_level l)
{
	return l <= atomic_load_explicit(&level, memory_order_relaxed);
}

uint64_t
log_lost(void)
{
	return atomic_load(&lost);
}

/* Where to cut s, max bytes or up to three before: not inside a UTF-8 sequence. s[max] exists. */
static size_t
cut_at(const uint8_t *s, size_t max)
{
	size_t n = max;

	while (n > max - 3 && (s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void
tell_time(char *out, size_t size)
{
	uint64_t ns = clock_wall().ns;
	time_t s = (time_t)(ns / CLOCK_SECOND);
	struct tm t;
	size_t n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &t));

	snprintf(out + n, size - n, ".%03uZ", (unsigned)(ns % CLOCK_SECOND / CLOCK_MILLI));
}

/* out: two characters a byte, and a NUL. */
static void
hex(char *out, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

/* A line's words before the pairs. */
struct head {
	const char *level, *event;
	char time[32];
	char trace_id[33], span_id[17], flags[3]; /* when the context is known */
};

static void
head_fill(struct head *h, enum log_level l, const char *event)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	h->level = names[l];
	h->event = event;
	tell_time(h->time, sizeof(h->time));
	hex(h->trace_id, context.trace_id, sizeof(context.trace_id));
	hex(h->span_id, context.span_id, sizeof(context.span_id));
	hex(h->flags, &context.flags, 1);
}

/* Without the newline, for which one byte of LOG_LINE is left; returns the length. */
static size_t
write_text(char mem[2 * LOG_LINE], const struct head *h, const struct buf *pairs)
{
	struct buf b;

	buf_init(&b, mem, 2 * LOG_LINE);
	buf_printf(&b, "%s %s", h->time, h->level);
	if (program != NULL)
		buf_printf(&b, " %s", program);
	buf_printf(&b, " event=%s", h->event);
	if (context.known)
		buf_printf(&b, " trace_id=%s span_id=%s trace_flags=%s", h->trace_id, h->span_id,
		    h->flags);
	if (pairs->len > 0)
		buf_put_u8(&b, ' ');
	buf_put(&b, pairs->base, pairs->len);
	if (b.len >= LOG_LINE) {
		b.len = cut_at(b.base, LOG_LINE - sizeof(cut_mark));
		memcpy(mem + b.len, cut_mark, sizeof(cut_mark) - 1);
		b.len += sizeof(cut_mark) - 1;
	}
	for (size_t i = 0; i < b.len; i++) {
		if (b.base[i] < 0x20 || b.base[i] == 0x7f)
			b.base[i] = ' ';
	}
	return b.len;
}

static void
put_string(struct line *line, const char *key, const char *text)
{
	line_string(line, key, text, strlen(text));
}

static size_t
write_json(char mem[2 * LOG_LINE], const struct head *h, const struct buf *pairs)
{
	struct line line;

	line_begin(&line, mem, LOG_LINE - 1);
	put_string(&line, "time", h->time);
	put_string(&line, "level", h->level);
	if (program != NULL)
		put_string(&line, "program", program);
	put_string(&line, "event", h->event);
	if (context.known) {
		put_string(&line, "trace_id", h->trace_id);
		put_string(&line, "span_id", h->span_id);
		put_string(&line, "trace_flags", h->flags);
	}
	line_pairs(&line, (char *)pairs->base, pairs->len, pairs->failed);
	return line_end(&line);
}

static void
put_line(enum log_level l, const char *event, const char *fmt, va_list args)
{
	char text[LOG_LINE + 1], mem[2 * LOG_LINE];
	int saved = errno;
	struct buf pairs;
	struct head head;
	size_t n;

	if (!log_on(l))
		return;
	buf_init(&pairs, text, sizeof(text));
	buf_vprintf(&pairs, fmt, args); /* first of all: errno is still the caller's, for %m */
	if (pairs.failed)               /* what was printed before the cut is in text */
		pairs.len = cut_at(pairs.base, LOG_LINE - 1);
	head_fill(&head, l, event);
	n = format == LOG_JSON ? write_json(mem, &head, &pairs) : write_text(mem, &head, &pairs);
	mem[n++] = '\n';
	ssize_t sent;
	while ((sent = write(STDERR_FILENO, mem, n)) < 0 && errno == EINTR)
		;
	if (sent != (ssize_t)n)
		atomic_fetch_add(&lost, 1);
	errno = saved;
}

void
log_error(const char *event, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(LOG_ERROR, event, fmt, args);
	va_end(args);
}

void
log_warn(const char *event, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(LOG_WARN, event, fmt, args);
	va_end(args);
}

void
log_info(const char *event, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(LOG_INFO, event, fmt, args);
	va_end(args);
}

void
log_debug(const char *event, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(LOG_DEBUG, event, fmt, args);
	va_end(args);
}

const char *
log_quote(const char *text)
{
	/* Four bytes for each of the text's at worst, the quotes, the mark, the NUL. */
	static _Thread_local char slots[QUOTE_SLOTS][4 * QUOTE_MAX + sizeof("\"...\"")];
	static _Thread_local unsigned turn;
	char *out = slots[turn++ % QUOTE_SLOTS];
	const uint8_t *s = (const uint8_t *)(text != NULL ? text : "");
	size_t len = strnlen((const char *)s, QUOTE_MAX + 1);
	bool cut = len > QUOTE_MAX;
	struct buf b;

	if (cut)
		len = cut_at(s, QUOTE_MAX);
	buf_init(&b, out, sizeof(slots[0]));
	line_quote(&b, s, len, cut);
	buf_put_u8(&b, '\0');
	return out;
}
