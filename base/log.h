/*
 * log.h -- key=value lines on stderr, each with a stable event= word:
 *
 *	2026-11-23T10:00:00.123Z info sidecard event=peer_gone service=adder open=3
 *
 * Values with spaces or quotes are quoted by the caller through "%s" and log_quote(). One write(2)
 * a line, safe from any thread. A line has at most LOG_LINE bytes with its newline; a longer one
 * is cut and ends in "...". Control characters that reach a line unquoted become spaces: a line
 * stays one line. errno is left as it was.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum { LOG_LINE = 1024 };

/* program: borrowed for ever. Before the first call, LOG_INFO and no name (the word is left out).
 * Call it before there are other threads. */
void log_open(const char *program, enum log_level);
bool log_on(enum log_level);
/* Lines that write(2) did not take since the start: stderr is closed, or full and non-blocking. */
uint64_t log_lost(void);

/* event: one lower_case word; fmt: further key=value pairs, may be "". */
void log_error(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Text as a value: as it is when that is unambiguous, else in double quotes, with \" \\ \n \t and
 * \xNN for other control characters and bytes that are not UTF-8. At most 255 bytes of it; a cut
 * value ends in "...". NULL and "" give two quotes. Returns a thread-local buffer, one of four in
 * turn: up to four may stand in one call. */
const char *log_quote(const char *);

#endif
