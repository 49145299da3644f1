#include "telemetry.h"

#include "base/log.h"
#include "client/sidecar.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	CLOSE_MS = 1000,
	/* A message makes some 350 bytes of events; after an outage thousands come at once. */
	RING_BYTES = 4 << 20
};

void
telemetry_open(struct telemetry *t, const char *path)
{
	const struct sidecar_options options = { .size = sizeof(options),
		.default_service_name = "totalizer",
		.attributes = "service.version=" VERSION,
		.socket_path = path,
		.ring_bytes = RING_BYTES };

	*t = (struct telemetry){ .path = path, .sidecar = sidecar_open(&options) };
	if (!t->sidecar && errno == ECANCELED)
		log_info("telemetry_off", "reason=OTEL_SDK_DISABLED");
	else if (!t->sidecar)
		log_warn("telemetry_off", "path=%s reason=%s", log_quote(path),
		    log_quote(strerror(errno)));
}

void
telemetry_watch(struct telemetry *t)
{
	struct sidecar_totals totals;

	if (!t->sidecar)
		return;
	sidecar_stats(t->sidecar, &totals);
	if (totals.connected && t->told != TELEMETRY_CONNECTED) {
		t->told = TELEMETRY_CONNECTED;
		log_info("sidecar_connected", "path=%s", log_quote(t->path));
	} else if (!totals.connected && t->told != TELEMETRY_ABSENT) {
		t->told = TELEMETRY_ABSENT;
		log_warn("sidecar_absent",
		    "path=%s effect=\"events beyond the buffer are dropped\"", log_quote(t->path));
	}
}

void
telemetry_close(struct telemetry *t)
{
	struct sidecar_totals totals;
	uint64_t lost, dropped;
	bool flushed;

	if (!t->sidecar)
		return;
	flushed = sidecar_flush(t->sidecar, CLOSE_MS) == 0;
	sidecar_stats(t->sidecar, &totals);
	lost = totals.emitted - totals.written - totals.folded;
	dropped = totals.dropped_full + totals.dropped_large + totals.dropped_disconnected +
		  totals.dropped_invalid;
	if (lost > 0)
		log_warn("telemetry_lost",
		    "events=%" PRIu64 " unsent=%" PRIu64 " full=%" PRIu64 " large=%" PRIu64
		    " disconnected=%" PRIu64 " invalid=%" PRIu64,
		    lost, lost - dropped, totals.dropped_full, totals.dropped_large,
		    totals.dropped_disconnected, totals.dropped_invalid);
	/* A sidecar that was waited for in vain is not waited for again. */
	sidecar_close(t->sidecar, flushed ? CLOSE_MS : 0);
	t->sidecar = NULL;
}
