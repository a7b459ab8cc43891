/* SPDX-License-Identifier: MIT
 * Addresses of links (rtnetlink(7), RTM_NEWADDR).
 */
#ifndef LUABOX_ADDRESS_H
#define LUABOX_ADDRESS_H

#include "kernel/link.h"
#include "kernel/netaddr.h"
#include "kernel/netlink.h"

struct net_ifaddr {
	struct net_ref link;
	struct net_address address, peer, broadcast;
	const char *label;
	int64_t scope;
	int auto_broadcast, noprefixroute, nodad, replace;
};

int net_address_add(struct net_socket *s, struct net_queue *q, const struct net_ifaddr *a, struct fault *f);
int net_address_delete(struct net_socket *s, struct net_queue *q, const struct net_ifaddr *a,
		       struct fault *f);

struct net_address_filter {
	int64_t family; /* AF_UNSPEC: all */
	struct net_ref link;
	int64_t nsid; /* as net_link_filter's */
};

int net_address_query(struct net_socket *s, const struct net_address_filter *filter, struct fault *f);

#endif
