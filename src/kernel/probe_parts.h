/* SPDX-License-Identifier: MIT
 * What the parts of probing share: sockets (probe.c) and echoes (probe_echo.c).
 */
#ifndef LUABOX_PROBE_PARTS_H
#define LUABOX_PROBE_PARTS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include "kernel/probe.h"

union probe_place {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Returns the size. */
socklen_t probe_make_place(const struct net_address *a, uint16_t port, union probe_place *p);

double probe_clock(clockid_t clock);

/* Takes one message of the socket, or with MSG_ERRQUEUE one error, and what the kernel tells with it. Returns
 * its length or -errno. */
ssize_t probe_take(const struct probe *p, int flags, void *data, size_t size, struct probe_answer *a);

#endif
