/*
 * ingest.h -- the Unix socket: connections in, bytes to sessions, ends noticed.
 *
 * A connection that sends little is read again after a short rest, so that a client which writes
 * each event costs no wake-up each; one that sends much is read at once, LIMIT_READ_BYTES a turn.
 */
#ifndef INGEST_H
#define INGEST_H

#include "config.h"
#include "export.h"
#include "session.h"

#include <stddef.h>

struct ev_loop;
struct ingest;

/* Take over the socket that systemd passed, or make it: a stale file is replaced, one that another
 * daemon listens on is not. NULL: *error names the path and the reason. All borrowed. */
struct ingest *ingest_open(struct ev_loop *, const struct config *, struct core *, struct meter *,
    struct export *, char *error, size_t errlen);

/* Stop accepting, read what has been sent, end every session. Synchronous: at most a socket buffer
 * a connection. */
void ingest_drain(struct ingest *);

/* Remove the socket file if it is ours. NULL is a no-op. */
void ingest_close(struct ingest *);

#endif
