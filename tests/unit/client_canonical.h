/*
 * client_canonical.h -- an event of protocol/vectors in the one form that the client writes.
 *
 * The vectors show many forms of one meaning. The canonical one is made of a vector's own bytes, with
 * msgpack-c: shortest forms, all fields that the type has and no other, nil where nothing is said.
 */
#ifndef CLIENT_CANONICAL_H
#define CLIENT_CANONICAL_H

#include <stddef.h>
#include <stdint.h>

/* Its size. Two things are as the client always says them: a count, 1 if absent; and of a root, that
 * its trace id is random, as it is the client's own. */
size_t client_canonical(const uint8_t *event, size_t n, uint8_t *out, size_t room);

#endif
