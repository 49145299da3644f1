/*
 * daemon.h -- for benchmarks: a sidecard of one's own, its CPU clock, its metrics, and a Collector
 * that discards.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdbool.h>
#include <time.h>

/* All end the program with a message when something fails. program: the path of sidecard. */
void daemon_prepare(const char *program);
void daemon_start(bool export);
void daemon_stop(void);
void daemon_clean(void);

/* Where it listens. */
const char *daemon_socket(void);
/* Seconds of its CPU. */
double daemon_cpu(void);
/* KiB of a line of /proc/PID/status, such as "VmRSS". */
long daemon_memory(const char *field);
/* Wait until the first sample of the metric is at least the value. */
void daemon_wait(const char *metric, double value);

double seconds_of(clockid_t);
void die(const char *what);

#endif
