/*
 * status.h -- gRPC status codes: their names, and what a code says about a call. Pure.
 */
#ifndef STATUS_H
#define STATUS_H

#include <stdbool.h>

enum status { /* the numbers of the wire */
	STATUS_OK,
	STATUS_CANCELLED,
	STATUS_UNKNOWN,
	STATUS_INVALID_ARGUMENT,
	STATUS_DEADLINE_EXCEEDED,
	STATUS_NOT_FOUND,
	STATUS_ALREADY_EXISTS,
	STATUS_PERMISSION_DENIED,
	STATUS_RESOURCE_EXHAUSTED,
	STATUS_FAILED_PRECONDITION,
	STATUS_ABORTED,
	STATUS_OUT_OF_RANGE,
	STATUS_UNIMPLEMENTED,
	STATUS_INTERNAL,
	STATUS_UNAVAILABLE,
	STATUS_DATA_LOSS,
	STATUS_UNAUTHENTICATED,
	STATUS_CODES
};

/* A number off the wire; what is no code is UNKNOWN, as every gRPC client takes it. */
enum status status_of(int number);
/* "DEADLINE_EXCEEDED", for ever. */
const char *status_name(enum status);
/* A span of the server has failed with it (semantic conventions for gRPC): the server's fault,
 * not the caller's. */
bool status_is_server_error(enum status);
/* The caller cannot know whether the sum was published: all but OK and the codes that adder, or
 * gRPC before adder, gives to what it refused. */
bool status_is_unknown_outcome(enum status);

#endif
