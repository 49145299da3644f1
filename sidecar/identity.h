/*
 * identity.h -- who this daemon is in what it exports: its resource attributes and a fresh
 * service.instance.id.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "text.h"

#include <stddef.h>
#include <stdint.h>

enum { IDENTITY_BYTES = 16384 };

/* Encoded KeyValues, each with the tag and length of Resource.attributes. */
struct identity {
	struct text traces;  /* OTEL_RESOURCE_ATTRIBUTES: what a service's own attributes go over */
	struct text metrics; /* the same without what names a service, and service.instance.id */
	uint8_t bytes[2 * IDENTITY_BYTES];
};

/* attributes: "k=v,k2=v2", percent-encoded UTF-8, the last of a key counting; NULL: none. 0, or -1
 * when it does not parse or is too long: then, as OpenTelemetry says, all of it is discarded, and
 * *error says why. */
int identity_make(struct identity *, const char *attributes, const uint8_t random[16], char *error,
    size_t errlen);

#endif
