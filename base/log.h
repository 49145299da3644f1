/*
 * log.h -- lines on stderr, each with a stable event word and key=value pairs, as text or JSON:
 *
 *	2026-11-23T10:00:00.123Z info sidecard event=peer_gone service=adder open=3
 *	{"time":"2026-11-23T10:00:00.123Z","level":"info","program":"sidecard","event":"peer_gone",
 *	 "service":"adder","open":3}			(one line)
 *
 * Texts that are not known when the program is written go through "%s" and log_quote(). One
 * write(2) a line, safe from any thread. A line has at most LOG_LINE bytes with its newline; a
 * longer one is cut: text ends in "...", JSON in "cut":true, and is whole JSON all the same.
 * Control characters that reach text unquoted become spaces: a line stays one line. errno is left
 * as it was.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };
enum { LOG_LINE = 1024 };

/* name: the program's, borrowed for ever. Before the first call, LOG_INFO and no name (the word is left out).
 * Call it before there are other threads. */
void log_open(const char *name, enum log_level);
/* Before there are other threads, too. LOG_TEXT until then. */
void log_format(enum log_format);
bool log_on(enum log_level);

/* What this thread is at work on, a call or a message: until the next log_context() its lines carry
 * trace_id, span_id and trace_flags (OpenTelemetry's names, in hex), before the pairs. Copied. NULL
 * or all zero ends it. flags: W3C's; other bits are left out. */
void log_context(const uint8_t trace_id[16], const uint8_t span_id[8], uint8_t flags);

/* Lines that write(2) did not take since the start: stderr is closed, or full and non-blocking. */
uint64_t log_lost(void);

/* event: one lower_case word; fmt: further key=value pairs, may be "". */
void log_error(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Text as a value, always a string in JSON: as line_quote() writes it, so in double quotes when it
 * would be ambiguous or read as a number. At most 255 bytes of it; a cut value ends in "...".
 * NULL and "" give two quotes. Returns a thread-local buffer, one of four in turn: up to four may
 * stand in one call. */
const char *log_quote(const char *);

#endif
