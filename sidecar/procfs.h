/*
 * procfs.h -- what the kernel knows of this process.
 */
#ifndef PROCFS_H
#define PROCFS_H

#include "base/clock.h"
#include "process.h"

/* Fill it; what cannot be read stays 0. start: when it began. */
void procfs_read(struct process *, struct wall start);

#endif
