/*
 * process.h -- what only an edge can know of this process, for those who print it. A field that is
 * 0 is left out.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdint.h>

struct process {
	const char *version;
	double cpu_seconds;
	double start_time; /* s since the epoch */
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_fds, max_fds, threads;
};

#endif
