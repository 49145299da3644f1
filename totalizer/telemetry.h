/*
 * telemetry.h -- the handle to the sidecar, and what the log says of it. totalizer works the same
 * without one.
 */
#ifndef TELEMETRY_H
#define TELEMETRY_H

#include <stdbool.h>

struct sidecar;

struct telemetry {
	struct sidecar *sidecar; /* NULL: off */
	const char *path;        /* borrowed */
	enum { TELEMETRY_NEW, TELEMETRY_ABSENT, TELEMETRY_CONNECTED } told;
};

/* service.name is totalizer unless the environment says otherwise, service.version is ours. */
void telemetry_open(struct telemetry *, const char *path);

/* Now and then: tell when the sidecar has come or gone. */
void telemetry_watch(struct telemetry *);

/* Write what is left, at most a second, and tell how many events no sidecar took. All zero: a
 * no-op. */
void telemetry_close(struct telemetry *);

#endif
