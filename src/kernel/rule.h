/* SPDX-License-Identifier: MIT
 * Rules that choose the routing table (rtnetlink(7), RTM_NEWRULE).
 */
#ifndef LUABOX_RULE_H
#define LUABOX_RULE_H

#include "kernel/netaddr.h"
#include "kernel/netlink.h"

struct net_rule {
	int family;                  /* AF_INET or AF_INET6 */
	struct net_address from, to; /* not given: any */
	const char *iif, *oif;
	int64_t priority, fwmark, fwmask, table, action; /* NET_ABSENT: the kernel's */
	int invert;
};

int net_rule_add(struct net_queue *q, const struct net_rule *r, struct fault *f);

/* Deletes the first rule that has all that is given. */
int net_rule_delete(struct net_queue *q, const struct net_rule *r, struct fault *f);

int net_rule_query(struct net_socket *s, int family, struct fault *f);

#endif
