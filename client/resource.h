/*
 * resource.h -- who this process is, as the HELLO that opens every connection.
 *
 * Of several sources for an attribute the first of these counts: the options, OTEL_SERVICE_NAME,
 * OTEL_RESOURCE_ATTRIBUTES, the options' default, what the library knows.
 */
#ifndef RESOURCE_H
#define RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/wire.h"

struct resource {
	uint8_t hello[WIRE_EVENT_MAX]; /* the encoded event */
	size_t size;
	char service[WIRE_VALUE_MAX + 1]; /* service.name */
	unsigned ignored; /* lists that could not be read, attributes that found no room */
};

/* NULL: not given. Empty environment variables are as if not set. */
struct resource_sources {
	const char *service;    /* of the options */
	const char *attributes; /* of the options: "key=value,...", percent-encoded */
	const char *env_service, *env_attributes;
	const char *default_service; /* of the options: names the service when none of these does */
	const char *program;         /* and when that is not given either */
};

/* 0, or -1 with errno: no memory. */
int resource_init(struct resource *, const struct resource_sources *);

#endif
