/*
 * traffic.h -- PRODUCED, CONSUMED, ERROR, LAG and MEASURE: samples for the meter. Pure.
 *
 * Fields are looked at in wire order, then enums, then what the meter has to say.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "peer.h"

enum verdict traffic_produced(struct session *, const struct event *, struct now);
enum verdict traffic_consumed(struct session *, const struct event *, struct now);
enum verdict traffic_error(struct session *, const struct event *);
enum verdict traffic_lag(struct session *, const struct event *, struct now);
enum verdict traffic_measure(struct session *, const struct event *);

#endif
