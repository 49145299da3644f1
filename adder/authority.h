/*
 * authority.h -- the :authority of a request, as server.address and server.port want it. Pure.
 */
#ifndef AUTHORITY_H
#define AUTHORITY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	AUTHORITY_MAX = 264
}; /* a DNS name, brackets or a colon, a port, NUL; longer ones are cut */

/* "host:port", "host", "[v6]:port" or "[v6]": leave the bare host in text, the port in *port (0:
 * none given). False: neither; text is then undefined. */
bool authority_split(char *text, uint16_t *port);

#endif
