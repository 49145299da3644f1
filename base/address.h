/*
 * address.h -- "host:port", "[v6]:port" and ":port" taken apart.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { ADDRESS_HOST = 256 }; /* the longest DNS name has 253 characters */

struct address {
	char host[ADDRESS_HOST]; /* without brackets; "": all addresses */
	uint16_t port;
	bool v6; /* it stood in brackets, and is an IPv6 address */
};

/* False: not an address; *out is then undefined. Does not look names up. */
bool address_parse(const char *text, struct address *out);

#endif
