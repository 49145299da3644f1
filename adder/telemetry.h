/*
 * telemetry.h -- adder's handle to its sidecard, and the few log lines about it. Never in the way:
 * without a sidecard, or with telemetry disabled, adder works the same.
 */
#ifndef TELEMETRY_H
#define TELEMETRY_H

#include <stdbool.h>

struct sidecar;

struct telemetry {
	struct sidecar *sidecar; /* NULL: off */
	const char *path;        /* borrowed */
	bool known;              /* `connected` has been logged once */
	bool connected;
};

/* service.name is adder unless the environment says otherwise; service.version is ours. Logs why
 * when it is off. */
void telemetry_open(struct telemetry *, const char *path);
/* Now and then: logs when the sidecard has come or gone. */
void telemetry_watch(struct telemetry *);
/* Flush for at most a second, and log how many events no sidecard took, those still buffered
 * included. */
void telemetry_close(struct telemetry *);

#endif
