/*
 * systemd.h -- the two protocols that systemd offers to any program: readiness, and sockets passed
 * at start.
 */
#ifndef SYSTEMD_H
#define SYSTEMD_H

/* Send "READY=1", "STOPPING=1", ... to $NOTIFY_SOCKET; without one, or when it fails, nothing
 * happens. */
void systemd_notify(const char *state);

/* The listening AF_UNIX stream socket that was passed ($LISTEN_FDS, $LISTEN_PID), close-on-exec;
 * -1: none was, or *why says what is wrong with it. The variables are unset. */
int systemd_socket(const char **why);

#endif
