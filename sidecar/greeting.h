/*
 * greeting.h -- HELLO, STRING and STATS: who a connection is, what its ids mean, whether all of it
 * arrived. Pure.
 */
#ifndef GREETING_H
#define GREETING_H

#include "peer.h"

enum verdict greeting_hello(struct session *, const struct event *);
enum verdict greeting_string(struct session *, const struct event *);
enum verdict greeting_stats(struct session *, const struct event *);

#endif
