/*
 * health.h -- the service grpc.health.v1.Health, for the whole server ("") and one service of it.
 */
#ifndef HEALTH_H
#define HEALTH_H

#include <stdbool.h>

struct health;
struct server_method;

enum { HEALTH_METHODS = 3, HEALTH_CALLS = 256 }; /* calls of each method at a time */

/* NOT_SERVING at first. service: borrowed for its life. NULL: out of memory. */
struct health *health_open(const char *service);
/* Fill HEALTH_METHODS rows. */
void health_methods(struct health *, struct server_method *out);
/* Tell it, and everybody who watches. Any thread. */
void health_set(struct health *, bool serving);
/* NOT_SERVING for good: watchers are told, and their streams end with UNAVAILABLE. Any thread. */
void health_stop(struct health *);
/* When no call is left. NULL is a no-op. */
void health_close(struct health *);

#endif
