/*
 * target.h -- where a signal goes and how: the OTLP options of config.h, resolved and checked.
 */
#ifndef TARGET_H
#define TARGET_H

#include "config.h"

#include <stdbool.h>

enum target_signal { TARGET_TRACES, TARGET_METRICS, TARGETS };

enum { TARGET_HEADERS = 32, TARGET_HEADER_BYTES = 4096, TARGET_URL = 1024 };

struct target {
	bool on; /* false: not exported, the rest is empty */
	bool grpc;
	bool gzip;
	long timeout; /* ms; 0: no limit */
	char url[TARGET_URL];
	char shown[TARGET_URL];              /* the same without user and password */
	const char *headers[TARGET_HEADERS]; /* "name: value", into header_text */
	unsigned nheaders;
	char header_text[TARGET_HEADER_BYTES];
	const char *certificate, *client_key, *client_certificate; /* files; NULL: none */
};

struct target_error {
	char option[40]; /* "otlp-headers", or "otlp-traces-headers" when that was given */
	char why[512];
};

/* Fill *target; 0, or -1 and *error says which option is wrong and why. */
int
target_resolve(struct target *, const struct config *, enum target_signal, struct target_error *);

/* "traces", "metrics". */
extern const char *const target_name[TARGETS];

#endif
