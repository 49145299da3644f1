/*
 * client_say.h -- what an event of protocol/vectors means, said by the client's public call for it.
 */
#ifndef CLIENT_SAY_H
#define CLIENT_SAY_H

#include <stdbool.h>

#include <jansson.h>

#include "client/sidecar.h"
#include "protocol/wire.h"

/* How long a flush may take: only a fault takes it. */
enum { CLIENT_SAY_MS = 10000 };

/* Intern every string id, as the vectors of STRING have them. */
void client_say_strings(struct sidecar *);
/* Say event, of that type, with its ids, and flush it. false: no call can say it. */
bool client_say(struct sidecar *, enum wire_type, const json_t *event);

#endif
