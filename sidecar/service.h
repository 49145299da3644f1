/*
 * service.h -- who a sample or a span belongs to: service.namespace + service.name, and that
 * service's ledger.
 *
 * A service outlives its connections, so that its series and counts survive its restarts. The
 * numbers of the ledger close:
 *	started = finished + abandoned (all causes) + open
 *	finished + abandoned = acknowledged + pending + unsampled + dropped (all causes)
 * Pure.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "limits.h"
#include "stat.h"
#include "text.h"

struct service {
	struct text space; /* service.namespace, "" when none */
	struct text name;
	uint32_t number;   /* 0 .. LIMIT_SERVICES - 1, in the order of appearance */
	uint32_t sessions; /* connections that are open now */
	struct ledger ledger;
};

struct services {
	struct service *at; /* LIMIT_SERVICES of them, borrowed, zeroed */
	uint32_t n;
	char *text;    /* their names, borrowed */
	uint32_t used; /* of LIMIT_SERVICE_TEXT: as /metrics shows them */
};

/* A name and a namespace are at most WIRE_VALUE_MAX bytes each; longer ones were cut at decode. */
#define SERVICES_BYTES (LIMIT_SERVICES * sizeof(struct service))

void services_init(struct services *, void *mem, char *text); /* LIMIT_SERVICE_TEXT of it */

/* Find or add; the names are copied. NULL: LIMIT_SERVICES reached, or no room for its names. */
struct service *services_get(struct services *, struct text space, struct text name);

#endif
