#include "load.h"

#include "client.h"
#include "summary.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define STOP_LOOK (CLOCK_SECOND / 10) /* how long `stop` may go unseen */

/* The kernel's randomness: a call costs far more than it does. */
static void
fill(void *out, size_t n)
{
	if (getrandom(out, n, 0) != (ssize_t)n)
		abort(); /* cannot happen for up to 256 bytes (getrandom(2)) */
}

void
load_traceparent(char out[TRACEPARENT_SIZE])
{
	uint64_t id[3];

	do
		fill(id, sizeof(id));
	while ((id[0] | id[1]) == 0 || id[2] == 0);
	snprintf(out, TRACEPARENT_SIZE, "00-%016llx%016llx-%016llx-01", (unsigned long long)id[0],
	    (unsigned long long)id[1], (unsigned long long)id[2]);
}

static int64_t
number(uint32_t random)
{
	return (int64_t)(random % (2U * LOAD_NUMBER_MAX + 1)) - LOAD_NUMBER_MAX;
}

static bool
start(struct client *client, const struct load *l, struct mono due)
{
	char traceparent[TRACEPARENT_SIZE];
	uint32_t random[2];
	struct client_call call = {
		.traceparent = l->traceparent,
		.deadline = l->deadline,
		.due = due,
	};

	fill(random, sizeof(random));
	call.x = number(random[0]);
	call.y = number(random[1]);
	if (call.traceparent == NULL) {
		load_traceparent(traceparent);
		call.traceparent = traceparent;
	}
	return client_start(client, &call);
}

static struct mono
due_at(const struct load *l, struct mono began, uint64_t call)
{
	/* Whole seconds apart, so that nothing overflows. */
	return (struct mono){ began.ns + call / l->rate * CLOCK_SECOND +
			      call % l->rate * CLOCK_SECOND / l->rate };
}

double
load_run(struct client *client, const struct load *l, struct summary *s)
{
	struct mono began = clock_mono(), now = began;
	uint64_t total = l->rate * l->seconds, made = 0, outstanding = 0;
	struct client_reply reply;

	while (made < total || outstanding > 0) {
		struct mono until = { now.ns + STOP_LOOK };

		if (*l->stop)
			total = made;
		for (; made < total && outstanding < l->outstanding; made++) {
			struct mono due = due_at(l, began, made);

			if (due.ns > now.ns) {
				until = due.ns < until.ns ? due : until;
				break;
			}
			if (start(client, l, due))
				outstanding++;
			else
				s->not_started++;
		}
		if (client_next(client, until, &reply)) {
			outstanding--;
			now = clock_mono();
			summary_add(s, reply.code, reply.sum, now.ns - reply.due.ns);
		}
		now = clock_mono();
	}
	return (double)(now.ns - began.ns) / (double)CLOCK_SECOND;
}
