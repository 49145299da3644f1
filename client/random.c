#include "random.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t
mix(uint64_t z)
{
	z += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Before the kernel is ready (early at boot), or where getrandom is forbidden: the 16 random bytes
 * that the kernel gave this process, told apart by thread, fork and time. */
static void
seed_without_kernel(struct random *r)
{
	uintptr_t given = getauxval(AT_RANDOM);
	struct timespec t;
	uint64_t bytes[2] = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	if (given != 0)
		memcpy(bytes, (const void *)given, sizeof(bytes));
	r->s[0] = mix(bytes[0] ^ (uint64_t)(uintptr_t)r);
	r->s[1] = mix(bytes[1] ^ (uint64_t)getpid());
	r->s[2] = mix(r->s[0] ^ (uint64_t)t.tv_nsec);
	r->s[3] = mix(r->s[1] ^ (uint64_t)t.tv_sec);
}

void
random_seed(struct random *r)
{
	if (getrandom(r->s, sizeof(r->s), GRND_NONBLOCK) != sizeof(r->s))
		seed_without_kernel(r);
	r->s[0] |= 1; /* all zero is the one state it never leaves */
}
