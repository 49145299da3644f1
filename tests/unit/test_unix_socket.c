#include "sidecar/unix_socket.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { DAEMONS = 4, ROUNDS = 300 };

/* What the daemons of a round share. */
struct round {
	_Atomic int here, opened, refused;
};

static char folder[] = "/tmp/unix_socket-XXXXXX";
static char path[sizeof(folder) + 2];

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/s", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* A socket file that nobody listens on. */
static void
leave_stale(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(at.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
}

/* One of those that start at the same moment; it keeps what it has until all have tried. */
static void
start(struct round *r)
{
	struct unix_socket l;
	char error[256];
	int ok;

	atomic_fetch_add(&r->here, 1);
	while (atomic_load(&r->here) < DAEMONS)
		sched_yield();
	ok = unix_socket_open(&l, path, 0600, error, sizeof(error)) == 0;
	atomic_fetch_add(ok ? &r->opened : &r->refused, 1);
	while (atomic_load(&r->opened) + atomic_load(&r->refused) < DAEMONS)
		sched_yield();
	unix_socket_close(&l);
	_exit(0);
}

static void
test_one_of_many_that_start_together(void **state)
{
	struct round *r =
	    mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(r, MAP_FAILED);
	for (int round = 0; round < ROUNDS; round++) {
		*r = (struct round){ 0 };
		if (round % 2 == 0)
			leave_stale();
		for (int i = 0; i < DAEMONS; i++) {
			if (fork() == 0)
				start(r);
		}
		while (wait(NULL) > 0)
			continue;
		assert_int_equal(r->opened, 1);
		assert_int_not_equal(access(path, F_OK), 0);
	}
	munmap(r, sizeof(*r));
}

/* By whom, and what for, is not known: it costs time, and not for ever. */
static void
test_folder_that_somebody_has_locked(void **state)
{
	struct unix_socket l;
	char error[256];
	int fd = open(folder, O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(unix_socket_open(&l, path, 0600, error, sizeof(error)), 0);
	unix_socket_close(&l);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_of_many_that_start_together),
		cmocka_unit_test(test_folder_that_somebody_has_locked),
	};

	return cmocka_run_group_tests_name("unix_socket", tests, make_folder, remove_folder);
}
