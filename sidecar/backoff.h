/*
 * backoff.h -- how long to leave a target alone that fails: 1 s, growing by half to 30 s, each give
 * or take a fifth. Pure.
 */
#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdint.h>

struct backoff {
	uint64_t delay; /* ns, the next one without jitter; 0: the target is well */
	uint64_t most;  /* ns, cap; 0: BACKOFF_MOST */
};

#define BACKOFF_FIRST UINT64_C(1000000000)
#define BACKOFF_MOST  UINT64_C(30000000000)

/* It failed: ns to wait now, at least what it asked for. random: any 32 bits, the jitter. */
uint64_t backoff_fail(struct backoff *, uint64_t asked, uint32_t random);
void backoff_well(struct backoff *);

#endif
