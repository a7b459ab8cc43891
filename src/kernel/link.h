/* SPDX-License-Identifier: MIT
 * Links (network interfaces): the messages that make, change and remove them
 * (rtnetlink(7), the kernel's if_link.h).
 */
#ifndef LUABOX_LINK_H
#define LUABOX_LINK_H

#include <linux/if_link.h>
#include <linux/ip.h>

#include "kernel/netaddr.h"
#include "kernel/netlink.h"

enum net_kind { NET_BRIDGE, NET_DUMMY, NET_IPVLAN, NET_MACVLAN, NET_VETH, NET_VLAN, NET_VXLAN, NET_KINDS };

/* A link by name or by index; index 0 is "none" (of a master), NET_ABSENT with a
 * null name: not given. */
struct net_ref {
	const char *name;
	int64_t index;
};

/* The other end of a veth. */
struct net_peer {
	const char *name;
	struct net_mac address;
	int64_t index, mtu, group, tx_queues, rx_queues;
	int netns;
};

/* A link that is made, or what is to change in one. net_link_init makes all absent. */
struct net_link {
	const char *name, *rename, *alias;
	int64_t kind, index;
	struct net_ref master;
	int up, arp, multicast, allmulticast, promiscuous;
	int netns; /* a descriptor */
	int64_t mtu, group, tx_queues, rx_queues, tx_queue_length, addrgenmode;
	struct net_mac address;
	int64_t ipv4[IPV4_DEVCONF_MAX + 1]; /* by IPV4_DEVCONF_* */
	int force;                          /* enslave even the link of the default route */

	struct net_peer peer;
	struct net_ref link; /* the lower one */
	int64_t mode;        /* macvlan, ipvlan */
	int64_t id;          /* vlan, vxlan */

	struct {
		int stp, vlan_filtering, multicast_snooping;
		double forward_delay, hello_time, max_age, ageing_time;
		int64_t priority;
	} bridge;
	struct {
		int64_t protocol; /* ETH_P_8021Q, ETH_P_8021AD */
	} vlan;
	struct {
		struct net_address remote, local;
		int64_t port, ttl;
		int learning;
	} vxlan;
	struct {
		int hairpin, isolated, learning, flood, multicast_flood, broadcast_flood, guard, fast_leave,
			neigh_suppress;
		int64_t priority, cost;
	} port; /* as the port of a bridge */
};

void net_link_init(struct net_link *l);

/* The index of a link, looked up if it is given by name: 0 if none was given. A
 * link that is not there is the fault of 'verb' (ENODEV). */
int64_t net_index(struct net_socket *s, const struct net_ref *link, const struct net_verb *verb,
		  struct fault *f);

/* The name of a link in the socket's namespace, into IFNAMSIZ bytes; 0 or -errno. */
int net_name_of(struct net_socket *s, int index, char *name);

/* True if a link that is made needs a second message: the kernel takes an alias, address
 * generation, IPv4 settings and a bridge port's flags only of a link that is there. */
int net_link_needs_set(const struct net_link *l);

/* True if options of a bridge's port were given. */
int net_link_port_given(const struct net_link *l);

/* Puts the message that makes a link into 'q'; 's' serves the look-ups. What
 * net_link_needs_set tells of is left out, and the link left down then. */
int net_link_add(struct net_socket *s, struct net_queue *q, const struct net_link *l, struct fault *f);

/* Makes a link as a whole, with one message or two; if the second fails there is no
 * link. 'q' is empty before and after. */
int net_link_make(struct net_socket *s, struct net_queue *q, const struct net_link *l, struct fault *f);

/* Puts one message, or two, that change a link into 'q'. Refuses to enslave the link
 * of the default route unless l->force. */
int net_link_set(struct net_socket *s, struct net_queue *q, const struct net_link *l, struct fault *f);

/* By name, by index or, if both are absent, all of a group. */
int net_link_delete(struct net_queue *q, const struct net_ref *link, int64_t group, struct fault *f);

struct net_link_filter {
	struct net_ref link, master; /* 'link' given: that one alone */
	int64_t kind, group;
	int64_t nsid; /* of another namespace, by the number that the socket's knows it by */
};

/* Asks for one link or all. 'group' is not the kernel's to filter by. */
int net_link_query(struct net_socket *s, const struct net_link_filter *filter, struct fault *f);

/* The number by which the socket's namespace knows another, NET_ABSENT if it has none. */
int net_nsid(struct net_socket *s, int netns, int64_t *nsid, struct fault *f);

/* Gives a namespace a number; NET_ABSENT lets the kernel choose. */
int net_nsid_set(struct net_socket *s, int netns, int64_t nsid, struct fault *f);

#endif
