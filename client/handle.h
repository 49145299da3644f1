/*
 * handle.h -- what a struct sidecar is made of.
 *
 * Locks, in the order in which they may be taken: handles, rings, common, names, flusher.
 */
#ifndef HANDLE_H
#define HANDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "flusher.h"
#include "intern.h"
#include "resource.h"
#include "ring.h"
#include "sampler.h"

struct sidecar {
	/* Read by every event, seldom written. */
	uint64_t serial;             /* of all handles there were: never used again */
	_Atomic uint32_t connection; /* the one that events are for: up now, or the next */
	uint32_t
	    first_connection; /* of this process: spans of older ones belong to a fork's parent */
	_Atomic bool asleep;  /* the flusher waits for the first event */
	struct intern names;
	struct sampler sampler;

	/* For events of shared spans, and of threads that have no ring of their own. */
	_Alignas(64) pthread_mutex_t common_lock;
	struct ring *common;

	_Alignas(64) pthread_mutex_t rings_lock; /* of adding, reusing and removing rings */
	struct ring *_Atomic rings;
	struct ring *inherited; /* of a fork's parent: to be unmapped */
	uint32_t ring_count;
	size_t ring_bytes;

	/* What no ring counts: of rings that are gone, of the flusher, of events that reached no ring. */
	_Atomic uint64_t emitted, written, folded, dropped[DROP_CAUSES];
	_Atomic bool connected;
	_Atomic uint32_t connections;

	struct flusher flusher;
	struct resource resource;
	unsigned settings_ignored;
	unsigned opens;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct sidecar *next;
};

/* Every handle of the process. */
extern pthread_mutex_t handle_lock;
extern struct sidecar *handle_list;

#endif
