#include "health.h"

#include "server.h"

#include <health.pb-c.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RESPONSE_NONE    GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__UNKNOWN
#define RESPONSE_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define RESPONSE_NOT     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define RESPONSE_NO_SUCH GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

typedef Grpc__Health__V1__HealthCheckResponse response;
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

struct watcher { /* one Watch stream */
	struct watcher *next, **prev;
	struct server_call *call;
	bool known;          /* the service it asked for exists */
	bool writing;        /* between server_send() and written */
	bool finished;       /* server_finish() was called */
	serving_status told; /* last sent; RESPONSE_NONE: nothing yet */
};

struct health {
	const char *service;
	pthread_mutex_t lock; /* guards all below, and sending on watched calls */
	bool serving, stopped;
	struct watcher *watchers;
};

static size_t
pack(serving_status status, uint8_t out[16])
{
	response r = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	r.status = status;
	return grpc__health__v1__health_check_response__pack(&r, out);
}

static serving_status
status_now(const struct health *h)
{
	return h->serving ? RESPONSE_SERVING : RESPONSE_NOT;
}

/* Whether the request names something we are; -1: it cannot be read. */
static int
is_known(const struct health *h, const uint8_t *bytes, size_t n)
{
	Grpc__Health__V1__HealthCheckRequest *r =
	    bytes != NULL ? grpc__health__v1__health_check_request__unpack(NULL, n, bytes) : NULL;
	int known;

	if (r == NULL)
		return -1;
	known = r->service[0] == '\0' || strcmp(r->service, h->service) == 0;
	grpc__health__v1__health_check_request__free_unpacked(r, NULL);
	return known;
}

static void
check_message(struct server_call *call, const uint8_t *bytes, size_t n)
{
	struct health *h = server_arg(call);
	int known = is_known(h, bytes, n);
	uint8_t out[16];
	size_t len;

	if (known < 0) {
		server_finish(call, STATUS_INTERNAL, "unreadable request", NULL, 0);
		return;
	}
	if (!known) {
		server_finish(call, STATUS_NOT_FOUND, "unknown service", NULL, 0);
		return;
	}
	pthread_mutex_lock(&h->lock);
	len = pack(status_now(h), out);
	pthread_mutex_unlock(&h->lock);
	server_finish(call, STATUS_OK, "", out, len);
}

static void
list_message(struct server_call *call, const uint8_t *bytes, size_t n)
{
	struct health *h = server_arg(call);
	response r = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	Grpc__Health__V1__HealthListResponse all = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
	Grpc__Health__V1__HealthListResponse__StatusesEntry entries[2], *list[2];
	uint8_t *out;
	size_t len;

	(void)n; /* an empty message; fields of later versions mean nothing to us */
	if (bytes == NULL) {
		server_finish(call, STATUS_INTERNAL, "no request", NULL, 0);
		return;
	}
	pthread_mutex_lock(&h->lock);
	r.status = status_now(h);
	pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < 2; i++) {
		grpc__health__v1__health_list_response__statuses_entry__init(&entries[i]);
		entries[i].key = (char *)(uintptr_t)(i == 0 ? "" : h->service);
		entries[i].value = &r;
		list[i] = &entries[i];
	}
	all.n_statuses = 2;
	all.statuses = list;
	len = grpc__health__v1__health_list_response__get_packed_size(&all);
	out = malloc(len);
	if (out == NULL) {
		server_finish(call, STATUS_RESOURCE_EXHAUSTED, "out of memory", NULL, 0);
		return;
	}
	grpc__health__v1__health_list_response__pack(&all, out);
	server_finish(call, STATUS_OK, "", out, len);
	free(out);
}

/* Send what the watcher has not been told, if nothing is on its way already; end it when we
 * stop. Under the lock. */
static void
tell(struct health *h, struct watcher *w)
{
	serving_status now = w->known ? status_now(h) : RESPONSE_NO_SUCH;
	uint8_t out[16];

	if (w->writing || w->finished)
		return;
	if (w->told != now) {
		w->told = now;
		w->writing = true;
		server_send(w->call, out, pack(now, out));
	} else if (h->stopped) {
		w->finished = true;
		server_finish(w->call, STATUS_UNAVAILABLE, "shutting down", NULL, 0);
	}
}

static void
watch_message(struct server_call *call, const uint8_t *bytes, size_t n)
{
	struct health *h = server_arg(call);
	int known = is_known(h, bytes, n);
	struct watcher *w = known >= 0 ? calloc(1, sizeof(*w)) : NULL;

	if (w == NULL) {
		server_finish(call, known < 0 ? STATUS_INTERNAL : STATUS_RESOURCE_EXHAUSTED,
		    known < 0 ? "unreadable request" : "out of memory", NULL, 0);
		return;
	}
	w->call = call;
	w->known = known;
	server_set_data(call, w);
	pthread_mutex_lock(&h->lock);
	w->next = h->watchers;
	w->prev = &h->watchers;
	if (w->next != NULL)
		w->next->prev = &w->next;
	h->watchers = w;
	tell(h, w);
	pthread_mutex_unlock(&h->lock);
}

static void
watch_written(struct server_call *call)
{
	struct health *h = server_arg(call);
	struct watcher *w = server_data(call);

	pthread_mutex_lock(&h->lock);
	w->writing = false;
	tell(h, w); /* it may have changed meanwhile */
	pthread_mutex_unlock(&h->lock);
}

static void
watch_over(struct server_call *call)
{
	struct health *h = server_arg(call);
	struct watcher *w = server_data(call);

	if (w != NULL) {
		pthread_mutex_lock(&h->lock);
		*w->prev = w->next;
		if (w->next != NULL)
			w->next->prev = w->prev;
		pthread_mutex_unlock(&h->lock);
		free(w);
	}
	server_finish(call, STATUS_CANCELLED, "", NULL, 0);
}

struct health *
health_open(const char *service)
{
	struct health *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->service = service;
	pthread_mutex_init(&h->lock, NULL);
	return h;
}

void
health_methods(struct health *h, struct server_method *out)
{
	out[0] = (struct server_method){ .path = "/grpc.health.v1.Health/Check",
		.limit = HEALTH_CALLS,
		.message = check_message,
		.arg = h };
	out[1] = (struct server_method){ .path = "/grpc.health.v1.Health/List",
		.limit = HEALTH_CALLS,
		.message = list_message,
		.arg = h };
	out[2] = (struct server_method){ .path = "/grpc.health.v1.Health/Watch",
		.limit = HEALTH_CALLS,
		.message = watch_message,
		.written = watch_written,
		.over = watch_over,
		.arg = h };
}

static void
set(struct health *h, bool serving, bool stopped)
{
	pthread_mutex_lock(&h->lock);
	h->stopped = h->stopped || stopped;
	h->serving = serving && !h->stopped;
	for (struct watcher *w = h->watchers; w != NULL; w = w->next)
		tell(h, w);
	pthread_mutex_unlock(&h->lock);
}

void
health_set(struct health *h, bool serving)
{
	set(h, serving, false);
}

void
health_stop(struct health *h)
{
	set(h, false, true);
}

void
health_close(struct health *h)
{
	if (h == NULL)
		return;
	pthread_mutex_destroy(&h->lock);
	free(h);
}
