/*
 * pages.h -- HTTP: /metrics, /healthz (alive), /readyz (listening and not about to end).
 */
#ifndef PAGES_H
#define PAGES_H

#include "base/clock.h"
#include "meter.h"
#include "service.h"

#include <stdbool.h>
#include <stddef.h>

struct ev_loop;
struct pages;

struct pages_parts {
	const char *address; /* host:port */
	const struct meter *meter;
	const struct services *services;
	struct wall start;
};

/* All borrowed. NULL: *error names the address and the reason. */
struct pages *pages_open(struct ev_loop *, const struct pages_parts *, char *error, size_t errlen);
unsigned pages_port(const struct pages *);
/* What /readyz says from now on. */
void pages_ready(struct pages *, bool);
void pages_close(struct pages *); /* NULL is a no-op */

#endif
