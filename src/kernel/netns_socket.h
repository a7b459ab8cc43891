/* SPDX-License-Identifier: MIT
 * Visits to another network namespace, and sockets that stay there for life, whatever
 * their process does later (setns(2), network_namespaces(7)).
 */
#ifndef LUABOX_NETNS_SOCKET_H
#define LUABOX_NETNS_SOCKET_H

#include "kernel/fault.h"

/* Does 'work' in the network namespace of the descriptor 'netns', or in the current one if
 * that is negative, and returns what it returned. The thread visits the namespace and comes
 * back; if it cannot come back the process aborts, since all that it did from then on would be
 * done in the wrong place. */
int net_visit(int netns, int (*work)(void *argument, struct fault *f), void *argument, struct fault *f);

/* socket(domain, type, protocol), close-on-exec, in the network namespace of the
 * descriptor 'netns' (net_visit). Returns the descriptor or -errno. */
int net_socket_in(int netns, int domain, int type, int protocol, struct fault *f);

#endif
