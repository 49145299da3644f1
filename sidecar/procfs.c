#include "procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int
slurp(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, room - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	return 0;
}

/* Field n (1 is the pid) of /proc/self/stat; the command in parentheses may hold anything, so count
 * from behind it. */
static unsigned long long
stat_field(const char *text, int n)
{
	const char *p = strrchr(text, ')');

	for (int i = 2; p != NULL && i < n; i++) {
		p = strchr(p + 1, ' ');
	}
	return p != NULL ? strtoull(p + 1, NULL, 10) : 0;
}

static uint64_t
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (d == NULL)
		return 0;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n > 3 ? n - 3 : 0; /* without ".", ".." and the folder's own */
}

/* To the nanosecond, where /proc/self/stat counts hundredths: a young daemon has used none of those. */
static double
cpu_seconds(void)
{
	struct timespec used;

	return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0
		   ? (double)used.tv_sec + (double)used.tv_nsec / 1e9
		   : 0;
}

void
procfs_read(struct process *p, struct wall start)
{
	enum { THREADS = 20, VSIZE = 23, RSS = 24 };
	struct rlimit limit;
	char text[1024];

	*p = (struct process){ .version = VERSION,
		.cpu_seconds = cpu_seconds(),
		.start_time = (double)start.ns / 1e9,
		.open_fds = count_fds() };
	if (slurp("/proc/self/stat", text, sizeof(text)) == 0) {
		p->threads = stat_field(text, THREADS);
		p->virtual_bytes = stat_field(text, VSIZE);
		p->resident_bytes = stat_field(text, RSS) * (uint64_t)sysconf(_SC_PAGESIZE);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		p->max_fds = limit.rlim_cur;
}
