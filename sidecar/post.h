/*
 * post.h -- requests to the Collector: libcurl inside the loop, OTLP over gRPC and over HTTP.
 *
 * At most LIMIT_IN_FLIGHT at a time. Each ends in one call of post_done, from the loop, never from
 * within post_start().
 */
#ifndef POST_H
#define POST_H

#include "gzip.h"
#include "reply.h"
#include "target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ev_loop;
struct post;

/* stream_error: HTTP/2 reset the request, which old libcurls report in place of an early answer. */
typedef void post_done(void *arg, void *cookie, const struct reply *, bool stream_error);

/* targets: TARGETS of them, borrowed. NULL: *error says why. */
struct post *post_open(struct ev_loop *, const struct target *targets, struct gzip *, post_done *,
    void *arg, char *error, size_t errlen);
void
post_close(struct post *); /* what is in flight is broken off, without post_done; NULL is a no-op */

/* frame: POST_HEADROOM bytes to write in, then len bytes of body, compressed if gzip says so;
 * borrowed until post_done. False: out of memory, or LIMIT_IN_FLIGHT are under way. */
enum { POST_HEADROOM = 5 };
bool
post_start(struct post *, enum target_signal, uint8_t *frame, size_t len, bool gzip, void *cookie);

/* How many bytes a request of the signal should have, uncompressed: LIMIT_BATCH_BYTES, or less
 * where libcurl wants it. */
size_t post_request_max(const struct post *, enum target_signal);

/* TLS files have changed: connections that are kept are not used again. */
void post_renew(struct post *);

#endif
