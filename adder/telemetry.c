#include "telemetry.h"

#include "base/log.h"
#include "client/sidecar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CLOSE_MS = 1000,
	/* Bytes a thread: some 3,000 calls, should the flusher not get to run on a busy machine. */
	RING = 1024 * 1024
};

static bool
is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && value[0] != '\0';
}

/* OTEL_RESOURCE_ATTRIBUTES has a service.name. */
static bool
environment_names_service(void)
{
	static const char key[] = "service.name=";
	const char *list = getenv("OTEL_RESOURCE_ATTRIBUTES");

	while (list != NULL) {
		list += strspn(list, " ,");
		if (strncmp(list, key, sizeof(key) - 1) == 0)
			return true;
		list = strchr(list, ',');
	}
	return false;
}

void
telemetry_open(struct telemetry *t, const char *path)
{
	struct sidecar_options options = {
		.size = sizeof(options),
		.attributes = "service.version=" VERSION,
		.socket_path = path,
		.ring_bytes = RING,
	};

	if (!is_set("OTEL_SERVICE_NAME") && !environment_names_service())
		options.service_name = "adder";
	*t = (struct telemetry){ .path = path };
	t->sidecar = sidecar_open(&options);
	if (t->sidecar == NULL && errno == ECANCELED)
		log_info("telemetry_off", "reason=OTEL_SDK_DISABLED");
	else if (t->sidecar == NULL)
		log_warn("telemetry_off", "path=%s reason=%s", log_quote(path),
		    log_quote(strerror(errno)));
}

void
telemetry_watch(struct telemetry *t)
{
	struct sidecar_totals totals;

	if (t->sidecar == NULL)
		return;
	sidecar_stats(t->sidecar, &totals);
	if (t->known && t->connected == (totals.connected != 0))
		return;
	t->known = true;
	t->connected = totals.connected != 0;
	if (t->connected)
		log_info("sidecar_connected", "path=%s", log_quote(t->path));
	else
		log_warn("sidecar_absent",
		    "path=%s effect=\"what overflows the buffer is dropped\"", log_quote(t->path));
}

void
telemetry_close(struct telemetry *t)
{
	struct sidecar_totals totals;
	uint64_t lost;

	if (t->sidecar == NULL)
		return;
	sidecar_flush(t->sidecar, CLOSE_MS);
	sidecar_stats(t->sidecar, &totals);
	lost = totals.emitted - totals.written - totals.folded;
	if (lost > 0)
		log_warn("telemetry_lost",
		    "events=%llu full=%llu large=%llu disconnected=%llu invalid=%llu",
		    (unsigned long long)lost, (unsigned long long)totals.dropped_full,
		    (unsigned long long)totals.dropped_large,
		    (unsigned long long)totals.dropped_disconnected,
		    (unsigned long long)totals.dropped_invalid);
	sidecar_close(t->sidecar, CLOSE_MS);
	t->sidecar = NULL;
}
