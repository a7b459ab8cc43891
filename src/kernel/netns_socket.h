/* SPDX-License-Identifier: MIT
 * A socket that belongs to another network namespace: it stays there for life,
 * whatever its process does later (setns(2), network_namespaces(7)).
 */
#ifndef LUABOX_NETNS_SOCKET_H
#define LUABOX_NETNS_SOCKET_H

#include "kernel/fault.h"

/* socket(domain, type, protocol), close-on-exec, in the network namespace of the
 * descriptor 'netns', or in the current one if that is negative. The thread visits
 * the namespace and comes back; if it cannot come back the process aborts, since
 * all that it did from then on would be done in the wrong place. Returns the
 * descriptor or -errno. */
int net_socket_in(int netns, int domain, int type, int protocol, struct fault *f);

#endif
