/* SPDX-License-Identifier: MIT
 * Neighbours: the ARP and NDP tables (rtnetlink(7), RTM_NEWNEIGH).
 */
#ifndef LUABOX_NEIGHBOUR_H
#define LUABOX_NEIGHBOUR_H

#include "kernel/link.h"
#include "kernel/netaddr.h"
#include "kernel/netlink.h"

struct net_neighbour {
	struct net_ref link;
	struct net_address address;
	struct net_mac lladdr;
	int64_t state; /* NUD_* */
	int proxy, replace;
};

int net_neighbour_add(struct net_socket *s, struct net_queue *q, const struct net_neighbour *n,
		      struct fault *f);
int net_neighbour_delete(struct net_socket *s, struct net_queue *q, const struct net_neighbour *n,
			 struct fault *f);

/* 'family' AF_INET or AF_INET6; 'proxy': the addresses answered for, instead of the
 * neighbours; these the kernel does not filter by link. Returns the link's index, 0: of all. */
int net_neighbour_query(struct net_socket *s, int family, const struct net_ref *link, int proxy,
			struct fault *f);

#endif
