#include "results.h"

#include <pthread.h>
#include <stdlib.h>

struct results {
	pthread_mutex_t meeting;
	struct results_view view;
};

struct results *
results_new(void)
{
	struct results *r = calloc(1, sizeof(*r));

	if (r && pthread_mutex_init(&r->meeting, NULL) != 0) {
		free(r);
		return NULL;
	}
	return r;
}

void
results_free(struct results *r)
{
	if (r) {
		pthread_mutex_destroy(&r->meeting);
		free(r);
	}
}

void
results_publish(struct results *r, const struct results_view *view)
{
	pthread_mutex_lock(&r->meeting);
	r->view = *view;
	pthread_mutex_unlock(&r->meeting);
}

void
results_read(struct results *r, struct results_view *view)
{
	pthread_mutex_lock(&r->meeting);
	*view = r->view;
	pthread_mutex_unlock(&r->meeting);
}

const char *
results_unknown(const struct results_view *v, struct mono now)
{
	if (!v->known)
		return v->reason[0] ? v->reason : "the committed totals are not read yet";
	if (now.ns > v->fresh.ns + RESULTS_STALE_S * CLOCK_SECOND)
		return v->reason[0] ? v->reason : "the broker does not confirm the total";
	return NULL;
}

const char *
results_unhealthy(const struct results_view *v, struct mono now)
{
	const char *unknown = results_unknown(v, now);

	if (unknown)
		return unknown;
	if (!v->joined)
		return v->reason[0] ? v->reason : "joining the consumer group";
	return v->owned < v->assigned ? "taking over partitions" : NULL;
}
