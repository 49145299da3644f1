/*
 * client_peer.h -- a sidecar for the client's tests: listens, decodes with msgpack-c, keeps all.
 *
 * A thread of its own serves the socket. Functions that wait do so for something observable, until a
 * deadline that only a fault reaches; then they end the test program with a line that says for what.
 */
#ifndef CLIENT_PEER_H
#define CLIENT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client_event.h"
#include "protocol/wire.h"

struct peer;

/* At path, or at a fresh one in a folder of its own when path is NULL. */
struct peer *peer_start(const char *path);
const char *peer_path(const struct peer *);
/* A path in a fresh folder where nobody listens; peer_start() there later. Freed by the caller, with
 * peer_remove_path(). */
char *peer_new_path(void);
void peer_remove_path(char *);
/* Close, free everything. */
void peer_stop(struct peer *);

/* Read no more until told otherwise; connections are still accepted. */
void peer_pause(struct peer *, bool);
/* Hang up on every connection. drained: as a sidecar that ends in good order, which first refuses new
 * bytes and takes what is on its way; else as one that is killed. */
void peer_hang_up(struct peer *, bool drained);

/* Events so far. The pointers stay good until peer_stop(). */
size_t peer_count(struct peer *);
size_t peer_count_type(struct peer *, enum wire_type);
const struct event *peer_event(struct peer *, size_t i);
/* The i-th event of a type; waits for it. */
const struct event *peer_wait_type(struct peer *, enum wire_type, size_t i);
/* Until so many connections were accepted; until so many ended. */
void peer_wait_accepted(struct peer *, unsigned n);
void peer_wait_ended(struct peer *, unsigned n);
/* How many ended within an event. */
unsigned peer_cut(struct peer *);

#endif
