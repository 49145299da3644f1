/*
 * expose.h -- every series as Prometheus text 0.0.4. Pure.
 *
 * Names follow UnderscoreEscapingWithoutSuffixes; a counter whose name lacks .total gets _total.
 */
#ifndef EXPOSE_H
#define EXPOSE_H

#include "base/buf.h"
#include "base/clock.h"
#include "meter.h"
#include "process.h"
#include "service.h"

/* The whole page into *out; out->failed: it did not fit, ask again with more room. */
void expose_text(const struct meter *, const struct services *, const struct process *,
    struct mono now, struct buf *out);

#define EXPOSE_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
