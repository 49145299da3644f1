/*
 * reflection.h -- the service ServerReflection, as v1 and v1alpha: the same messages under two
 * names.
 */
#ifndef REFLECTION_H
#define REFLECTION_H

struct schema;
struct server_method;

enum { REFLECTION_METHODS = 2, REFLECTION_CALLS = 64 }; /* streams of each at a time */

/* Fill REFLECTION_METHODS rows. schema: borrowed for the server's life. */
void reflection_methods(const struct schema *, struct server_method *out);

#endif
