#include "log.h"

#include "buf.h"
#include "clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { QUOTE_SLOTS = 4, QUOTE_MAX = 255 };

static const char cut_mark[] = "...";

static const char *program;
static _Atomic(enum log_level) level = LOG_INFO;
static _Atomic uint64_t lost;

void
log_open(const char *name, enum log_level l)
{
	program = name;
	atomic_store(&level, l);
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

static void
put_time(struct buf *b)
{
	uint64_t ns = clock_wall().ns;
	time_t s = (time_t)(ns / CLOCK_SECOND);
	struct tm t;

	gmtime_r(&s, &t);
	buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", t.tm_year + 1900, t.tm_mon + 1,
	    t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (unsigned)(ns % CLOCK_SECOND / CLOCK_MILLI));
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
put_line(enum log_level l, const char *event, const char *fmt, va_list args)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	char
	    mem[LOG_LINE + 1]; /* room for vsnprintf's NUL where the newline goes, and one to cut */
	int saved = errno;
	struct buf b;

	if (!log_on(l))
		return;
	buf_init(&b, mem, sizeof(mem));
	put_time(&b);
	buf_printf(&b, " %s", names[l]);
	if (program != NULL)
		buf_printf(&b, " %s", program);
	buf_printf(&b, " event=%s", event);
	if (fmt[0] != '\0') {
		buf_put_u8(&b, ' ');
		errno = saved; /* for %m */
		buf_vprintf(&b, fmt, args);
	}
	if (b.failed || b.len >= LOG_LINE) {
		/* What was printed before the cut is in mem. */
		b.len = cut_at(b.base, LOG_LINE - sizeof(cut_mark));
		memcpy(mem + b.len, cut_mark, sizeof(cut_mark) - 1);
		b.len += sizeof(cut_mark) - 1;
	}
	for (size_t i = 0; i < b.len; i++) {
		if (b.base[i] < 0x20 || b.base[i] == 0x7f)
			b.base[i] = ' ';
	}
	mem[b.len++] = '\n';
	ssize_t n;
	while ((n = write(STDERR_FILENO, mem, b.len)) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)b.len)
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

/* Bytes of the well-formed UTF-8 sequence at s that a terminal shows as a character, 0 when there
 * is none. */
static size_t
printable(const uint8_t *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n <= 1)
		return n == 1 && s[0] >= 0x20 && s[0] != 0x7f;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xc2 && s[1] < 0xa0) || /* C1 controls */
	    (s[0] == 0xe0 && s[1] < 0xa0) || /* overlong */
	    (s[0] == 0xed && s[1] > 0x9f) || /* surrogates */
	    (s[0] == 0xf0 && s[1] < 0x90) || /* overlong */
	    (s[0] == 0xf4 && s[1] > 0x8f) || s[0] > 0xf4)
		return 0;
	return n;
}

static void
put_quoted(struct buf *b, const uint8_t *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = printable(s + i);
		if (n > len - i)
			n = 0;
		if (s[i] == '"' || s[i] == '\\')
			buf_put_u8(b, '\\');
		if (n > 0) {
			buf_put(b, s + i, n);
			continue;
		}
		n = 1;
		if (s[i] == '\n')
			buf_put_str(b, "\\n");
		else if (s[i] == '\t')
			buf_put_str(b, "\\t");
		else
			buf_printf(b, "\\x%02x", (unsigned)s[i]);
	}
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
	bool plain = len > 0;
	struct buf b;

	if (cut)
		len = cut_at(s, QUOTE_MAX);
	for (size_t i = 0, n; plain && i < len; i += n) {
		n = printable(s + i);
		plain = n > 0 && strchr(" \"\\=", s[i]) == NULL;
	}
	buf_init(&b, out, sizeof(slots[0]));
	if (!plain)
		buf_put_u8(&b, '"');
	put_quoted(&b, s, len);
	if (cut)
		buf_put_str(&b, cut_mark);
	if (!plain)
		buf_put_u8(&b, '"');
	buf_put_u8(&b, '\0');
	return out;
}
