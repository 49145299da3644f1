#include "local.h"

#include <errno.h>
#include <string.h>

#include "rings.h"

_Thread_local struct local local_self __attribute__((tls_model("initial-exec")));

static pthread_key_t at_exit;
static _Atomic uint32_t threads;

/* Other keys' destructors may still emit events: they find a number and a ring of their own. */
static void
thread_ends(void *unused)
{
	(void)unused;
	rings_orphan(local_self.thread);
	local_self.serial = 0;
	local_self.ring = NULL;
	local_self.thread = local_self.writer = 0;
}

int
local_init(void)
{
	int error = pthread_key_create(&at_exit, thread_ends);

	errno = error;
	return error == 0 ? 0 : -1;
}

void
local_attach(struct sidecar *sc)
{
	if (local_self.thread == 0) {
		random_seed(&local_self.random);
		/* Any value but NULL makes the key's destructor run; without that nobody would give the
		 * ring back, so there is none. */
		if (pthread_setspecific(at_exit, &at_exit) == 0)
			local_self.thread = atomic_fetch_add(&threads, 1) + 1;
	}
	local_self.ring = local_self.thread != 0 ? rings_attach(sc, local_self.thread) : NULL;
	local_self.writer = local_self.ring != NULL ? local_self.thread : 0;
	local_self.serial = sc->serial;
	flusher_start(sc); /* the first event after a fork; a failure is tried again */
}

void
local_forget(void)
{
	memset(&local_self, 0, sizeof(local_self));
}
