#include "status.h"

static const struct {
	const char *name;
	bool server_error, unknown;
} codes[STATUS_CODES] = {
	[STATUS_OK] = { "OK", false, false },
	[STATUS_CANCELLED] = { "CANCELLED", false, true },
	[STATUS_UNKNOWN] = { "UNKNOWN", true, true },
	[STATUS_INVALID_ARGUMENT] = { "INVALID_ARGUMENT", false, false },
	[STATUS_DEADLINE_EXCEEDED] = { "DEADLINE_EXCEEDED", true, true },
	[STATUS_NOT_FOUND] = { "NOT_FOUND", false, false },
	[STATUS_ALREADY_EXISTS] = { "ALREADY_EXISTS", false, false },
	[STATUS_PERMISSION_DENIED] = { "PERMISSION_DENIED", false, false },
	[STATUS_RESOURCE_EXHAUSTED] = { "RESOURCE_EXHAUSTED", false, false },
	[STATUS_FAILED_PRECONDITION] = { "FAILED_PRECONDITION", false, false },
	[STATUS_ABORTED] = { "ABORTED", false, true },
	[STATUS_OUT_OF_RANGE] = { "OUT_OF_RANGE", false, false },
	[STATUS_UNIMPLEMENTED] = { "UNIMPLEMENTED", true, false },
	[STATUS_INTERNAL] = { "INTERNAL", true, true },
	[STATUS_UNAVAILABLE] = { "UNAVAILABLE", true, true },
	[STATUS_DATA_LOSS] = { "DATA_LOSS", true, true },
	[STATUS_UNAUTHENTICATED] = { "UNAUTHENTICATED", false, false },
};

enum status
status_of(int number)
{
	return number >= 0 && number < STATUS_CODES ? (enum status)number : STATUS_UNKNOWN;
}

const char *
status_name(enum status code)
{
	return codes[status_of((int)code)].name;
}

bool
status_is_server_error(enum status code)
{
	return codes[status_of((int)code)].server_error;
}

bool
status_is_unknown_outcome(enum status code)
{
	return codes[status_of((int)code)].unknown;
}
