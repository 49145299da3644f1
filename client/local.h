/*
 * local.h -- what a thread has of its own: its number, its ring, its random numbers.
 */
#ifndef LOCAL_H
#define LOCAL_H

#include <stdint.h>

#include "handle.h"
#include "random.h"

struct local {
	uint64_t serial;   /* of the handle that ring is of; 0: none yet */
	struct ring *ring; /* NULL: this thread shares the common ring */
	uint32_t thread;   /* 1, 2, ...: never used again; 0: not seen yet */
	uint32_t writer;   /* of ring: thread; 0: ring is NULL */
	struct random random;
};

/* Initial-exec: one instruction to reach it, from the shared library too. */
extern _Thread_local struct local local_self
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Once a process, before all else: 0, or -1 with errno. */
int local_init(void);
void local_attach(struct sidecar *);
/* After a fork, in the child's one thread. Async-signal-safe. */
void local_forget(void);

/* Before an event: local_self is this thread's, for that handle. */
static inline void
local_enter(struct sidecar *sc)
{
	if (__builtin_expect(local_self.serial != sc->serial, 0))
		local_attach(sc);
}

#endif
