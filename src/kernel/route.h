/* SPDX-License-Identifier: MIT
 * Routes (rtnetlink(7), RTM_NEWROUTE).
 */
#ifndef LUABOX_ROUTE_H
#define LUABOX_ROUTE_H

#include "kernel/link.h"
#include "kernel/netaddr.h"
#include "kernel/netlink.h"

#define NET_HOPS 64

struct net_hop {
	struct net_address gateway;
	struct net_ref link;
	int64_t weight; /* 1 to 256 */
	int onlink;
};

struct net_route {
	int family;                     /* AF_INET or AF_INET6 */
	struct net_address destination; /* not given: all, the default route */
	struct net_address source;      /* preferred */
	struct net_hop hop;
	int64_t table, metric, mtu; /* NET_ABSENT: the kernel's */
	int64_t scope, type, protocol;
	int replace;
	const struct net_hop *hops; /* several, instead of 'hop' */
	size_t count;
};

int net_route_add(struct net_socket *s, struct net_queue *q, const struct net_route *r, struct fault *f);

/* Deletes the first route that has all that is given. */
int net_route_delete(struct net_socket *s, struct net_queue *q, const struct net_route *r, struct fault *f);

struct net_route_filter {
	int family;          /* AF_INET or AF_INET6 */
	struct net_ref link; /* through it */
	int64_t table;       /* NET_ABSENT: all */
};

/* A table that does not exist is empty. */
int net_route_query(struct net_socket *s, const struct net_route_filter *filter, struct fault *f);

/* 1 if a default route, IPv4 or IPv6, goes through the link, 0 if not, or -errno. */
int net_route_default(struct net_socket *s, int index, struct fault *f);

#endif
