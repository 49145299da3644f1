/*
 * listener.h -- listening TCP sockets for one "host:port", with errors that say what is wrong.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <stddef.h>

enum { LISTENER_MAX = 8 }; /* addresses of one name: localhost has two; more are left out */

/* Listen on every address that the host has, all on the same port (chosen by the kernel for 0);
 * ":port" is all addresses of both families. The sockets are non-blocking and the caller's.
 * Returns how many; 0: *error (errlen bytes) names the address and the reason. An address family
 * that this machine lacks is no error while another one works. */
size_t listener_open(
    const char *address, int fds[LISTENER_MAX], unsigned *port, char *error, size_t errlen);

#endif
