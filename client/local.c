#include "local.h"

#include <errno.h>
#include <string.h>

#include "rings.h"

_Thread_local struct local local_self __attribute__((tls_model("initial-exec")));

static pthread_key_t at_exit;
static _Atomic uint32_t threads;

/* Other keys' destructors may still emit events: they find a number and a ring of their own. */
static void
thread_ends(void *arg)
{
	struct local *self = arg;

	rings_orphan(self->thread);
	self->serial = 0;
	self->ring = NULL;
	self->thread = 0;
}

int
local_init(void)
{
	int error = pthread_key_create(&at_exit, thread_ends);

	errno = error;
	return error == 0 ? 0 : -1;
}

void
local_attach(struct local *self, struct sidecar *sc)
{
	if (self->thread == 0) {
		random_seed(&self->random);
		self->thread = atomic_fetch_add(&threads, 1) + 1;
		/* Without it nobody would give the ring back. */
		if (pthread_setspecific(at_exit, self) != 0) {
			self->ring = NULL;
			self->serial = sc->serial;
			return;
		}
	}
	self->ring = rings_attach(sc, self->thread);
	self->serial = sc->serial;
	flusher_start(sc); /* the first event after a fork; a failure is tried again */
}

void
local_forget(void)
{
	memset(&local_self, 0, sizeof(local_self));
}
