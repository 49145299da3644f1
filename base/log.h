/*
 * log.h -- key=value lines on stderr, each with a stable event= word:
 *
 *	2026-11-23T10:00:00.123Z info sidecard event=peer_gone service=adder open=3
 *
 * Values with spaces or quotes are quoted by the caller through "%s" and log_quote(). One write(2) a line, safe from
 * any thread. Fields are at most LOG_LINE bytes in all; longer lines are cut and end in "...".
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum { LOG_LINE = 1024 };

/* program: borrowed for ever. Before the first call, LOG_INFO and no name. */
void log_open(const char *program, enum log_level);
bool log_on(enum log_level);

/* event: one lower_case word; fmt: further key=value pairs, may be "". */
void log_error(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Text as a value: quoted and escaped when it needs to be, cut to 255 bytes. Returns a thread-local buffer, one of
 * four in turn: up to four may stand in one call. NULL gives "". */
const char *log_quote(const char *);

#endif
