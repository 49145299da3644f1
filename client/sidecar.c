/* Handles: open, close, totals, and what a fork means for them. */
#include "sidecar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "handle.h"
#include "local.h"
#include "rings.h"

enum { COMMON_FACTOR = 4, FLUSH_DEFAULT = 50 }; /* the common ring serves many threads */

pthread_mutex_t handle_lock = PTHREAD_MUTEX_INITIALIZER;
struct sidecar *handle_list;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;
static uint64_t serials;

/* A fork takes every lock first, so that the child finds nothing half done. */
static void
before_fork(void)
{
	pthread_mutex_lock(&handle_lock);
	for (struct sidecar *sc = handle_list; sc != NULL; sc = sc->next) {
		pthread_mutex_lock(&sc->rings_lock);
		pthread_mutex_lock(&sc->common_lock);
		pthread_mutex_lock(&sc->names.lock);
		pthread_mutex_lock(&sc->flusher.lock);
	}
}

static void
unlock_all(void)
{
	for (struct sidecar *sc = handle_list; sc != NULL; sc = sc->next) {
		pthread_mutex_unlock(&sc->flusher.lock);
		pthread_mutex_unlock(&sc->names.lock);
		pthread_mutex_unlock(&sc->common_lock);
		pthread_mutex_unlock(&sc->rings_lock);
	}
	pthread_mutex_unlock(&handle_lock);
}

/* The parent's rings, and those that it had from its own parent and never touched. */
static void
inherit_rings(struct sidecar *sc)
{
	struct ring *_Atomic *end = &sc->rings;
	struct ring *r;

	while ((r = atomic_load(end)) != NULL)
		end = &r->next;
	atomic_store(end, sc->inherited);
	sc->inherited = atomic_exchange(&sc->rings, NULL);
}

/* Of the parent's the child keeps the strings alone. Its thread starts at its first event: here only
 * what is async-signal-safe may be done. */
static void
in_child(void)
{
	for (struct sidecar *sc = handle_list; sc != NULL; sc = sc->next) {
		flusher_forget(sc);
		inherit_rings(sc);
		sc->ring_count = 0;
		ring_reset(sc->common);
		atomic_store(&sc->emitted, 0);
		atomic_store(&sc->written, 0);
		atomic_store(&sc->folded, 0);
		for (int i = 0; i < DROP_CAUSES; i++)
			atomic_store(&sc->dropped[i], 0);
		atomic_store(&sc->connected, false);
		atomic_store(&sc->connections, 0);
		atomic_store(&sc->asleep, false);
		sc->first_connection = atomic_fetch_add(&sc->connection, 1) + 1;
	}
	local_forget();
	clock_reset();
	unlock_all();
}

static void
initialise(void)
{
	once_error = local_init() == 0 ? pthread_atfork(before_fork, unlock_all, in_child) : errno;
}

/* What is empty is as if it were not set. */
static const char *
filled(const char *value)
{
	return value != NULL && *value != '\0' ? value : NULL;
}

static const char *
environment(const char *name)
{
	return filled(getenv(name));
}

static void
discard(struct sidecar *sc)
{
	flusher_free(&sc->flusher);
	intern_free(&sc->names);
	if (sc->common != NULL)
		rings_free(sc);
	pthread_mutex_destroy(&sc->rings_lock);
	pthread_mutex_destroy(&sc->common_lock);
	free(sc);
}

static size_t
ring_bytes(uint32_t wanted)
{
	size_t bytes = RING_DEFAULT;

	while (bytes < wanted && bytes < RING_MAX)
		bytes *= 2;
	return bytes;
}

static int
settle_settings(struct sidecar *sc, const struct sidecar_options *o)
{
	const char *sampler = environment("OTEL_TRACES_SAMPLER");
	struct resource_sources from = {
		.service = o->service_name,
		.attributes = o->attributes,
		.env_service = environment("OTEL_SERVICE_NAME"),
		.env_attributes = environment("OTEL_RESOURCE_ATTRIBUTES"),
		.default_service = o->default_service_name,
		.program = program_invocation_short_name,
	};

	sc->ring_bytes = ring_bytes(o->ring_bytes);
	if (o->sampler != NULL)
		sc->settings_ignored = sampler_init_text(&sc->sampler, o->sampler);
	else
		sc->settings_ignored =
		    sampler_init(&sc->sampler, sampler, environment("OTEL_TRACES_SAMPLER_ARG"));
	if (resource_init(&sc->resource, &from) != 0)
		return -1;
	sc->settings_ignored += sc->resource.ignored;
	return 0;
}

static struct sidecar *
create(const struct sidecar_options *o, const char *path)
{
	struct sidecar *sc = aligned_alloc(64, sizeof(*sc));
	bool made;

	if (sc == NULL)
		return NULL;
	memset(sc, 0, sizeof(*sc));
	pthread_mutex_init(&sc->rings_lock, NULL);
	pthread_mutex_init(&sc->common_lock, NULL);
	memcpy(sc->path, path, strlen(path)); /* fits: sidecar_open() looked */
	sc->serial = ++serials;
	atomic_init(&sc->connection, 1);
	sc->first_connection = 1;
	made = intern_init(&sc->names) == 0;
	made =
	    flusher_init(&sc->flusher, o->flush_ms != 0 ? o->flush_ms : FLUSH_DEFAULT) == 0 && made;
	made = made && settle_settings(sc, o) == 0;
	made = made && (sc->common = ring_new(COMMON_FACTOR * sc->ring_bytes)) != NULL;
	if (made)
		return sc;
	discard(sc);
	errno = ENOMEM;
	return NULL;
}

/* Under handle_lock: the same socket and service is the same handle. */
static struct sidecar *
share(struct sidecar *fresh)
{
	for (struct sidecar *sc = handle_list; sc != NULL; sc = sc->next)
		if (sc->opens != 0 && strcmp(sc->path, fresh->path) == 0 &&
		    strcmp(sc->resource.service, fresh->resource.service) == 0)
			return sc;
	if (flusher_start(fresh) != 0)
		return NULL;
	fresh->next = handle_list;
	handle_list = fresh;
	return fresh;
}

struct sidecar *
sidecar_open(const struct sidecar_options *given)
{
	struct sidecar_options o = { .size = sizeof(o) };
	const char *disabled = getenv("OTEL_SDK_DISABLED"), *path;
	struct sidecar *fresh, *sc = NULL;
	int error;

	if (given != NULL)
		memcpy(&o, given,
		    given->size != 0 && given->size < sizeof(o) ? given->size : sizeof(o));
	path = filled(o.socket_path);
	if (path == NULL)
		path = environment("SIDECAR_SOCKET");
	if (path == NULL)
		path = WIRE_SOCKET_PATH;
	pthread_once(&once, initialise);
	errno = once_error;
	if (disabled != NULL && strcasecmp(disabled, "true") == 0)
		errno = ECANCELED;
	else if (strlen(path) >= sizeof(fresh->path))
		errno = ENAMETOOLONG;
	if (errno != 0)
		return NULL;

	pthread_mutex_lock(&handle_lock);
	fresh = create(&o, path);
	if (fresh != NULL)
		sc = share(fresh);
	error = errno;
	if (sc != NULL)
		sc->opens++;
	if (fresh != NULL && sc != fresh)
		discard(fresh);
	pthread_mutex_unlock(&handle_lock);
	if (sc == NULL)
		errno = error;
	return sc;
}

int
sidecar_flush(struct sidecar *sc, uint32_t timeout_ms)
{
	return sc != NULL ? flusher_flush(sc, timeout_ms) : 0;
}

static void
unlink_handle(struct sidecar *sc)
{
	struct sidecar **link = &handle_list;

	pthread_mutex_lock(&handle_lock);
	while (*link != sc)
		link = &(*link)->next;
	*link = sc->next;
	pthread_mutex_unlock(&handle_lock);
}

void
sidecar_close(struct sidecar *sc, uint32_t timeout_ms)
{
	bool last;

	if (sc == NULL)
		return;
	pthread_mutex_lock(&handle_lock);
	last = --sc->opens == 0;
	pthread_mutex_unlock(&handle_lock);
	if (!last)
		return;
	/* It stays in the list while its socket is open: a fork must find that. */
	flusher_stop(sc, timeout_ms);
	unlink_handle(sc);
	discard(sc);
}

const char *
sidecar_intern(struct sidecar *sc, const char *s)
{
	const char *slot = sc != NULL && s != NULL ? intern_add(&sc->names, s) : NULL;

	return slot != NULL ? slot : s;
}

void
sidecar_stats(struct sidecar *sc, struct sidecar_totals *t)
{
	uint64_t drops[DROP_CAUSES];

	memset(t, 0, sizeof(*t));
	if (sc == NULL)
		return;
	pthread_mutex_lock(&sc->rings_lock);
	batch_drops(sc, drops);
	t->emitted = atomic_load(&sc->emitted) + atomic_load(&sc->common->emitted);
	for (struct ring *r = atomic_load(&sc->rings); r != NULL; r = atomic_load(&r->next))
		t->emitted += atomic_load(&r->emitted);
	t->rings = sc->ring_count + 1;
	pthread_mutex_unlock(&sc->rings_lock);
	t->written = atomic_load(&sc->written);
	t->folded = atomic_load(&sc->folded);
	t->dropped_full = drops[DROP_FULL];
	t->dropped_large = drops[DROP_LARGE];
	t->dropped_disconnected = drops[DROP_DISCONNECTED];
	t->dropped_invalid = drops[DROP_INVALID];
	t->connected = atomic_load(&sc->connected);
	t->connections = atomic_load(&sc->connections);
	t->settings_ignored = sc->settings_ignored;
}
