/*
 * timeline.h -- SPAN, START, END, ATTR, EVENT and LINK; and the spans that end without their
 * service. Pure.
 *
 * Fields are looked at in wire order, then enums, then the table of open spans.
 */
#ifndef TIMELINE_H
#define TIMELINE_H

#include "peer.h"

enum verdict timeline_span(struct session *, const struct event *, struct now);
enum verdict timeline_start(struct session *, const struct event *, struct now);
enum verdict timeline_end(struct session *, const struct event *, struct now);
enum verdict timeline_attr(struct session *, const struct event *);
enum verdict timeline_event(struct session *, const struct event *, struct now);
enum verdict timeline_link(struct session *, const struct event *);

/* End an open span, by its number in core.assemble, on behalf of its service. */
void timeline_abandon(struct session *, uint32_t number, enum span_end, struct now);

#endif
