/*
 * promname.h -- names as Prometheus' classic character set allows them
 * (UnderscoreEscapingWithoutSuffixes). Pure.
 */
#ifndef PROMNAME_H
#define PROMNAME_H

#include "base/buf.h"
#include "text.h"

#include <stdbool.h>

/* [a-zA-Z0-9_:] stay, anything else becomes "_", runs of "_" one; "_" goes before a leading digit,
 * and stands for nothing at all; a counter that lacks "_total" gets it. */
void promname_metric(struct buf *out, struct text name, bool counter);

/* [a-zA-Z0-9_] stay, and so on; "key_" goes before a leading digit, "exported_" before a name that
 * the daemon itself sets. */
void promname_label(struct buf *out, struct text key);

#endif
