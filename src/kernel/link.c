/* SPDX-License-Identifier: MIT */
#include "kernel/link.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/net_namespace.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kernel/detective.h"
#include "kernel/netlink_check.h"
#include "kernel/route.h"

#define FIELD(name) offsetof(struct net_link, name)

struct kind {
	const char *name, *module;
	const struct net_row *rows; /* of IFLA_INFO_DATA */
};

static const struct net_row bridge_rows[] = {
	{ IFLA_BR_FORWARD_DELAY, NET_CLOCK, FIELD(bridge.forward_delay) },
	{ IFLA_BR_HELLO_TIME, NET_CLOCK, FIELD(bridge.hello_time) },
	{ IFLA_BR_MAX_AGE, NET_CLOCK, FIELD(bridge.max_age) },
	{ IFLA_BR_AGEING_TIME, NET_CLOCK, FIELD(bridge.ageing_time) },
	{ IFLA_BR_STP_STATE, NET_INT, FIELD(bridge.stp) },
	{ IFLA_BR_PRIORITY, NET_U16, FIELD(bridge.priority) },
	{ IFLA_BR_VLAN_FILTERING, NET_BOOL, FIELD(bridge.vlan_filtering) },
	{ IFLA_BR_MCAST_SNOOPING, NET_BOOL, FIELD(bridge.multicast_snooping) },
	{ 0 }
};
static const struct net_row macvlan_rows[] = { { IFLA_MACVLAN_MODE, NET_U32, FIELD(mode) }, { 0 } };
static const struct net_row ipvlan_rows[] = { { IFLA_IPVLAN_MODE, NET_U16, FIELD(mode) }, { 0 } };
static const struct net_row vlan_rows[] = { { IFLA_VLAN_ID, NET_U16, FIELD(id) },
					    { IFLA_VLAN_PROTOCOL, NET_BE16, FIELD(vlan.protocol) },
					    { 0 } };
static const struct net_row vxlan_rows[] = { { IFLA_VXLAN_ID, NET_U32, FIELD(id) },
					     { IFLA_VXLAN_TTL, NET_U8, FIELD(vxlan.ttl) },
					     { IFLA_VXLAN_LEARNING, NET_BOOL, FIELD(vxlan.learning) },
					     { IFLA_VXLAN_PORT, NET_BE16, FIELD(vxlan.port) },
					     { 0 } };
static const struct net_row no_rows[] = { { 0 } };

static const struct kind kinds[NET_KINDS] = {
	[NET_BRIDGE] = { "bridge", "bridge", bridge_rows },
	[NET_DUMMY] = { "dummy", "dummy", no_rows },
	[NET_IPVLAN] = { "ipvlan", "ipvlan", ipvlan_rows },
	[NET_MACVLAN] = { "macvlan", "macvlan", macvlan_rows },
	[NET_VETH] = { "veth", "veth", no_rows },
	[NET_VLAN] = { "vlan", "8021q", vlan_rows },
	[NET_VXLAN] = { "vxlan", "vxlan", vxlan_rows },
};

static const struct net_row common_rows[] = {
	{ IFLA_MTU, NET_U32, FIELD(mtu) },        { IFLA_TXQLEN, NET_U32, FIELD(tx_queue_length) },
	{ IFLA_IFALIAS, NET_TEXT, FIELD(alias) }, { IFLA_NET_NS_FD, NET_INT, FIELD(netns) },
	{ IFLA_GROUP, NET_U32, FIELD(group) },    { 0 }
};
/* Of a link that is there. */
static const struct net_row alias_rows[] = { { IFLA_IFALIAS, NET_TEXT, FIELD(alias) }, { 0 } };
static const struct net_row queue_rows[] = { { IFLA_NUM_TX_QUEUES, NET_U32, FIELD(tx_queues) },
					     { IFLA_NUM_RX_QUEUES, NET_U32, FIELD(rx_queues) },
					     { 0 } };
static const struct net_row peer_rows[] = {
	{ IFLA_IFNAME, NET_TEXT, offsetof(struct net_peer, name) },
	{ IFLA_MTU, NET_U32, offsetof(struct net_peer, mtu) },
	{ IFLA_NET_NS_FD, NET_INT, offsetof(struct net_peer, netns) },
	{ IFLA_GROUP, NET_U32, offsetof(struct net_peer, group) },
	{ IFLA_NUM_TX_QUEUES, NET_U32, offsetof(struct net_peer, tx_queues) },
	{ IFLA_NUM_RX_QUEUES, NET_U32, offsetof(struct net_peer, rx_queues) },
	{ 0 }
};
static const struct net_row port_rows[] = {
	{ IFLA_BRPORT_PRIORITY, NET_U16, FIELD(port.priority) },
	{ IFLA_BRPORT_COST, NET_U32, FIELD(port.cost) },
	{ IFLA_BRPORT_MODE, NET_BOOL, FIELD(port.hairpin) },
	{ IFLA_BRPORT_GUARD, NET_BOOL, FIELD(port.guard) },
	{ IFLA_BRPORT_FAST_LEAVE, NET_BOOL, FIELD(port.fast_leave) },
	{ IFLA_BRPORT_LEARNING, NET_BOOL, FIELD(port.learning) },
	{ IFLA_BRPORT_UNICAST_FLOOD, NET_BOOL, FIELD(port.flood) },
	{ IFLA_BRPORT_MCAST_FLOOD, NET_BOOL, FIELD(port.multicast_flood) },
	{ IFLA_BRPORT_BCAST_FLOOD, NET_BOOL, FIELD(port.broadcast_flood) },
	{ IFLA_BRPORT_NEIGH_SUPPRESS, NET_BOOL, FIELD(port.neigh_suppress) },
	{ IFLA_BRPORT_ISOLATED, NET_BOOL, FIELD(port.isolated) },
	{ 0 }
};

void net_link_init(struct net_link *l)
{
	memset(l, 0xff, sizeof *l); /* all integers absent, all doubles NaN */
	l->name = l->rename = l->alias = NULL;
	l->master.name = l->link.name = l->peer.name = NULL;
}

/* ---- what an error means ---- */

static void explain_missing(const struct net_op *op, struct fault *f)
{
	(void)op;
	if (f->error == ENODEV)
		fault_hint(f, "there is no such link in this network namespace");
}

static void explain_change(const struct net_op *op, struct fault *f)
{
	explain_missing(op, f);
	if (f->error == EXFULL)
		fault_hint(f, "a bridge takes 1023 ports and no more: use a second bridge");
	if (f->error == EAFNOSUPPORT) /* addrgenmode */
		net_explain_family(f);
	if (f->error == EBUSY)
		fault_hint(f, "the index is taken, or the link is in use in a way that forbids this");
}

/* The kernel's own sentence tells an unknown kind from other unsupported things. */
static void explain_add(const struct net_op *op, struct fault *f)
{
	explain_change(op, f);
	if (f->error == EOPNOTSUPP && strstr(f->detail, "Unknown device type"))
		fault_hint(f,
			   "this kernel lacks the link kind: its module %s is neither built in nor can be "
			   "loaded",
			   op->module);
	else if (f->error == EOPNOTSUPP && !f->detail[0])
		fault_hint(f, "this kernel's %s was built without one of the options given", op->module);
	if (f->error == ENODEV)
		fault_hint(f, "the master or the lower link is not in the network namespace the link is for");
}

static const struct net_verb add_verb = { "link_add", explain_add, detect_link };
static const struct net_verb set_verb = { "link_set", explain_change, detect_link };
static const struct net_verb delete_verb = { "link_delete", explain_missing };
static const struct net_verb list_verb = { "links", explain_missing };
static const struct net_verb nsid_verb = { "nsid", NULL };
static const struct net_verb nsid_set_verb = { "nsid_set", NULL };

/* ---- look-ups ---- */

static int query_one(struct net_socket *s, const struct net_ref *link, const struct net_verb *verb,
		     struct fault *f)
{
	struct ifinfomsg h = { .ifi_index = link->name ? 0 : (int)link->index };
	int rc;

	net_queue_reset(&s->request);
	net_begin(&s->request, RTM_GETLINK, 0, &h, sizeof h);
	if (link->name)
		net_put_string(&s->request, IFLA_IFNAME, link->name);
	rc = link->name ? net_end(&s->request, verb, f, "%s", link->name)
			: net_end(&s->request, verb, f, "index %d", h.ifi_index);
	return rc < 0 ? rc : net_query(s, f);
}

int64_t net_index(struct net_socket *s, const struct net_ref *link, const struct net_verb *verb,
		  struct fault *f)
{
	const struct nlmsghdr *m;
	int rc;

	if (!link->name)
		return link->index < 0 ? 0 : link->index;
	rc = query_one(s, link, verb, f);
	if (rc < 0)
		return rc == -ENODEV
			       ? fault_hint(f, "there is no link '%s' in this network namespace", link->name)
			       : rc;
	m = net_only(s, RTM_NEWLINK, sizeof(struct ifinfomsg), f);
	return m ? ((const struct ifinfomsg *)NLMSG_DATA(m))->ifi_index : -EBADMSG;
}

int net_name_of(struct net_socket *s, int index, char *name)
{
	struct ifreq r = { .ifr_ifindex = index };

	if (ioctl(s->fd, SIOCGIFNAME, &r) < 0)
		return -errno;
	memcpy(name, r.ifr_name, IFNAMSIZ);
	return 0;
}

/* ---- the parts of a message ---- */

static void put_mac(struct net_queue *q, const struct net_mac *mac)
{
	if (mac->length > 0)
		net_put(q, IFLA_ADDRESS, mac->bytes, (size_t)mac->length);
}

static void flag(struct ifinfomsg *h, unsigned int bit, int on)
{
	if (on < 0)
		return;
	h->ifi_change |= bit;
	h->ifi_flags |= on ? bit : 0;
}

static void set_flags(struct ifinfomsg *h, const struct net_link *l)
{
	flag(h, IFF_UP, l->up);
	flag(h, IFF_NOARP, l->arp < 0 ? l->arp : !l->arp);
	flag(h, IFF_MULTICAST, l->multicast);
	flag(h, IFF_ALLMULTI, l->allmulticast);
	flag(h, IFF_PROMISC, l->promiscuous);
}

static void put_peer(struct net_queue *q, const struct net_peer *p)
{
	struct ifinfomsg h = { .ifi_index = p->index < 0 ? 0 : (int)p->index };
	struct nlattr *nest = net_nest(q, VETH_INFO_PEER);

	net_append(q, &h, sizeof h);
	net_put_rows(q, peer_rows, p);
	put_mac(q, &p->address);
	net_nest_end(q, nest);
}

static void put_vxlan(struct net_queue *q, const struct net_link *l, uint32_t lower)
{
	const struct net_address *remote = &l->vxlan.remote, *local = &l->vxlan.local;

	if (lower)
		net_put_u32(q, IFLA_VXLAN_LINK, lower);
	if (net_address_given(remote))
		net_put(q, remote->family == AF_INET ? IFLA_VXLAN_GROUP : IFLA_VXLAN_GROUP6, remote->bytes,
			net_address_size(remote));
	if (net_address_given(local))
		net_put(q, local->family == AF_INET ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, local->bytes,
			net_address_size(local));
}

/* The kind and its own data. */
static void put_kind(struct net_queue *q, const struct net_link *l, uint32_t lower)
{
	struct nlattr *info, *data;

	if (l->kind < 0)
		return;
	info = net_nest(q, IFLA_LINKINFO);
	net_put_string(q, IFLA_INFO_KIND, kinds[l->kind].name);
	data = net_nest(q, IFLA_INFO_DATA);
	net_put_rows(q, kinds[l->kind].rows, l);
	if (l->kind == NET_VETH && l->peer.name)
		put_peer(q, &l->peer);
	if (l->kind == NET_VXLAN)
		put_vxlan(q, l, lower);
	net_nest_end(q, data);
	net_nest_end(q, info);
}

static int has_ipv4(const struct net_link *l)
{
	for (int i = 1; i <= IPV4_DEVCONF_MAX; i++)
		if (l->ipv4[i] >= 0)
			return 1;
	return 0;
}

static void put_ipv4(struct net_queue *q, const struct net_link *l)
{
	struct nlattr *inet = net_nest(q, AF_INET), *conf = net_nest(q, IFLA_INET_CONF);

	for (int i = 1; i <= IPV4_DEVCONF_MAX; i++)
		if (l->ipv4[i] >= 0)
			net_put_u32(q, i, (uint32_t)l->ipv4[i]);
	net_nest_end(q, conf);
	net_nest_end(q, inet);
}

/* Per address family: the settings of /proc/sys/net/ipv4/conf, without a file each. */
static void put_families(struct net_queue *q, const struct net_link *l)
{
	struct nlattr *families, *inet6;

	if (l->addrgenmode < 0 && !has_ipv4(l))
		return;
	families = net_nest(q, IFLA_AF_SPEC);
	if (has_ipv4(l))
		put_ipv4(q, l);
	if (l->addrgenmode >= 0) {
		inet6 = net_nest(q, AF_INET6);
		net_put_u8(q, IFLA_INET6_ADDR_GEN_MODE, (uint8_t)l->addrgenmode);
		net_nest_end(q, inet6);
	}
	net_nest_end(q, families);
}

/* ---- adding ---- */

int net_link_port_given(const struct net_link *l)
{
	return net_rows_given(port_rows, l);
}

int net_link_needs_set(const struct net_link *l)
{
	return l->alias || l->addrgenmode >= 0 || has_ipv4(l) || net_link_port_given(l);
}

int net_link_add(struct net_socket *s, struct net_queue *q, const struct net_link *l, struct fault *f)
{
	struct ifinfomsg h = { .ifi_index = l->index < 0 ? 0 : (int)l->index };
	int64_t master = net_index(s, &l->master, &add_verb, f), lower;
	int rc;

	if (master < 0)
		return (int)master;
	lower = net_index(s, &l->link, &add_verb, f);
	if (lower < 0)
		return (int)lower;
	if (!net_link_needs_set(l))
		set_flags(&h, l);
	net_begin(q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof h);
	net_put_string(q, IFLA_IFNAME, l->name);
	net_put_rows(q, common_rows, l);
	net_put_rows(q, queue_rows, l);
	put_mac(q, &l->address);
	if (master > 0)
		net_put_u32(q, IFLA_MASTER, (uint32_t)master);
	if (lower > 0 && l->kind != NET_VXLAN)
		net_put_u32(q, IFLA_LINK, (uint32_t)lower);
	put_kind(q, l, (uint32_t)lower);
	rc = net_end(q, &add_verb, f, "%s", l->name);
	if (rc == 0)
		q->ops[q->count - 1].module = kinds[l->kind].module;
	return rc;
}

/* ---- changing ---- */

static const char *subject_of(const char *name, int index, char *text)
{
	if (name)
		return name;
	snprintf(text, IFNAMSIZ, "index %d", index);
	return text;
}

static int end_change(struct net_queue *q, const struct net_verb *verb, const char *name, int index,
		      struct fault *f)
{
	char text[IFNAMSIZ];

	return net_end(q, verb, f, "%s", subject_of(name, index, text));
}

/* Begins a message about a link that is there: by index, else by name. */
static void begin_change(struct net_queue *q, int type, const struct ifinfomsg *h, const char *name)
{
	net_begin(q, type, 0, h, sizeof *h);
	if (!h->ifi_index && name)
		net_put_string(q, IFLA_IFNAME, name);
}

/* The bridge takes its port's flags only of a link that is its port already. */
static int put_port(struct net_queue *q, const struct net_link *l, int index, struct fault *f)
{
	struct ifinfomsg h = { .ifi_index = index };
	struct nlattr *info, *data;

	begin_change(q, RTM_NEWLINK, &h, l->name);
	info = net_nest(q, IFLA_LINKINFO);
	net_put_string(q, IFLA_INFO_SLAVE_KIND, "bridge");
	data = net_nest(q, IFLA_INFO_SLAVE_DATA);
	net_put_rows(q, port_rows, l);
	net_nest_end(q, data);
	net_nest_end(q, info);
	return end_change(q, &set_verb, l->name, index, f);
}

/* The settings of the families in a message of their own. In one message the kernel sets up first: the
 * link has its IPv6 address by the time that 'none' is read, and its search for duplicates floods a bridge.
 */
static int put_settings(struct net_queue *q, const struct net_link *l, int index, struct fault *f)
{
	struct ifinfomsg h = { .ifi_index = index };

	begin_change(q, RTM_SETLINK, &h, l->name);
	put_families(q, l);
	return end_change(q, &set_verb, l->name, index, f);
}

/* RTM_SETLINK leaves the kind's own data alone, RTM_NEWLINK takes all. */
static int put_change(struct net_queue *q, const struct net_link *l, int index, int64_t master,
		      struct fault *f)
{
	struct ifinfomsg h = { .ifi_index = index };

	set_flags(&h, l);
	begin_change(q, l->kind < 0 ? RTM_SETLINK : RTM_NEWLINK, &h, l->name);
	if (l->rename)
		net_put_string(q, IFLA_IFNAME, l->rename);
	net_put_rows(q, common_rows, l);
	net_put_rows(q, alias_rows, l);
	put_mac(q, &l->address);
	if (master >= 0)
		net_put_u32(q, IFLA_MASTER, (uint32_t)master);
	if (l->up != 1)
		put_families(q, l);
	put_kind(q, l, 0);
	return end_change(q, &set_verb, l->name, index, f);
}

static int changes_more_than_port(const struct net_link *l, int64_t master)
{
	struct ifinfomsg h = { 0 };

	set_flags(&h, l);
	return h.ifi_change || l->rename || l->alias || master >= 0 || l->address.length > 0 ||
	       l->kind >= 0 || l->addrgenmode >= 0 || has_ipv4(l) || net_rows_given(common_rows, l);
}

static int change(struct net_queue *q, const struct net_link *l, int index, int64_t master, struct fault *f)
{
	int rc = 0;

	if (l->up == 1 && (l->addrgenmode >= 0 || has_ipv4(l)))
		rc = put_settings(q, l, index, f);
	if (rc == 0 && changes_more_than_port(l, master))
		rc = put_change(q, l, index, master, f);
	if (rc == 0 && net_link_port_given(l))
		rc = put_port(q, l, index, f);
	return rc;
}

/* Enslaved, a link answers to its own addresses no more: the machine would be cut off. */
static int check_default_route(struct net_socket *s, const struct net_link *l, int index, struct fault *f)
{
	char text[IFNAMSIZ];
	int rc = net_route_default(s, index, f);

	if (rc <= 0)
		return rc == -ENODEV ? 0 : rc; /* a batch is yet to make it */
	fault_set(f, EBUSY, set_verb.name, "%s", subject_of(l->name, index, text));
	fault_detail(f, "it carries the default route of this network namespace");
	return fault_hint(
		f, "as the port of a master it would no longer serve its addresses, and the machine be "
		   "cut off; move addresses and routes to the master first, or say force = true");
}

int net_link_set(struct net_socket *s, struct net_queue *q, const struct net_link *l, struct fault *f)
{
	int64_t master = l->master.name ? net_index(s, &l->master, &set_verb, f) : l->master.index;
	int64_t index = l->index < 0 ? 0 : l->index;
	int guarded = (l->master.name || master > 0) && l->force != 1;
	int rc = 0;

	if (l->master.name && master < 0)
		return (int)master;
	if (!index && (l->rename || guarded)) {
		index = net_index(s, &(struct net_ref){ .name = l->name }, &set_verb, f);
		if (index < 0)
			return (int)index;
	}
	if (guarded)
		rc = check_default_route(s, l, (int)index, f);
	return rc < 0 ? rc : change(q, l, (int)index, master, f);
}

/* The part of a new link that only a link that is there can take. */
static int complete(struct net_queue *q, const struct net_link *l, struct fault *f)
{
	struct net_link rest;

	net_link_init(&rest);
	rest.name = l->name;
	rest.up = l->up;
	rest.arp = l->arp;
	rest.multicast = l->multicast;
	rest.allmulticast = l->allmulticast;
	rest.promiscuous = l->promiscuous;
	rest.alias = l->alias;
	rest.addrgenmode = l->addrgenmode;
	memcpy(rest.ipv4, l->ipv4, sizeof rest.ipv4);
	rest.port = l->port;
	return change(q, &rest, 0, NET_ABSENT, f);
}

int net_link_make(struct net_socket *s, struct net_queue *q, const struct net_link *l, struct fault *f)
{
	struct net_ref made = { .name = l->name };
	int rc = net_link_add(s, q, l, f);

	if (rc < 0 || (rc = net_send(s, q, f)) < 0 || !net_link_needs_set(l))
		return rc;
	rc = complete(q, l, f);
	rc = rc < 0 ? rc : net_send(s, q, f);
	if (rc < 0 && net_link_delete(q, &made, NET_ABSENT, NULL) == 0)
		net_send(s, q, NULL);
	return rc;
}

int net_link_delete(struct net_queue *q, const struct net_ref *link, int64_t group, struct fault *f)
{
	struct ifinfomsg h = { .ifi_index = link->name || link->index < 0 ? 0 : (int)link->index };

	begin_change(q, RTM_DELLINK, &h, link->name);
	if (group < 0)
		return end_change(q, &delete_verb, link->name, h.ifi_index, f);
	net_put_u32(q, IFLA_GROUP, (uint32_t)group);
	return net_end(q, &delete_verb, f, "group %lld", (long long)group);
}

/* ---- asking ---- */

static int query_all(struct net_socket *s, const struct net_link_filter *filter, struct fault *f)
{
	struct ifinfomsg h = { 0 };
	int64_t master = net_index(s, &filter->master, &list_verb, f);
	struct nlattr *info;
	int rc;

	if (master < 0)
		return (int)master;
	net_queue_reset(&s->request);
	net_begin(&s->request, RTM_GETLINK, NLM_F_DUMP, &h, sizeof h);
	if (filter->nsid >= 0)
		net_put_u32(&s->request, IFLA_TARGET_NETNSID, (uint32_t)filter->nsid);
	if (master > 0)
		net_put_u32(&s->request, IFLA_MASTER, (uint32_t)master);
	if (filter->kind >= 0) {
		info = net_nest(&s->request, IFLA_LINKINFO);
		net_put_string(&s->request, IFLA_INFO_KIND, kinds[filter->kind].name);
		net_nest_end(&s->request, info);
	}
	rc = net_end(&s->request, &list_verb, f, "%s", "");
	return rc < 0 ? rc : net_query(s, f);
}

int net_link_query(struct net_socket *s, const struct net_link_filter *filter, struct fault *f)
{
	if (filter->link.name || filter->link.index > 0)
		return query_one(s, &filter->link, &list_verb, f);
	return query_all(s, filter, f);
}

/* ---- numbers of namespaces ---- */

int net_nsid(struct net_socket *s, int netns, int64_t *nsid, struct fault *f)
{
	struct rtgenmsg h = { .rtgen_family = AF_UNSPEC };
	const struct nlattr *a[NETNSA_MAX + 1];
	const struct nlmsghdr *m;
	int rc;

	net_queue_reset(&s->request);
	net_begin(&s->request, RTM_GETNSID, 0, &h, sizeof h);
	net_put_u32(&s->request, NETNSA_FD, (uint32_t)netns);
	rc = net_end(&s->request, &nsid_verb, f, "%d", netns);
	rc = rc < 0 ? rc : net_query(s, f);
	if (rc < 0)
		return rc;
	m = net_only(s, RTM_NEWNSID, sizeof h, f);
	if (!m)
		return -EBADMSG;
	net_attributes(m, sizeof h, a, NETNSA_MAX);
	*nsid = (int32_t)net_get_u32(a[NETNSA_NSID], (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
	return 0;
}

int net_nsid_set(struct net_socket *s, int netns, int64_t nsid, struct fault *f)
{
	struct rtgenmsg h = { .rtgen_family = AF_UNSPEC };
	int rc;

	net_queue_reset(&s->request);
	net_begin(&s->request, RTM_NEWNSID, 0, &h, sizeof h);
	net_put_u32(&s->request, NETNSA_FD, (uint32_t)netns);
	net_put_u32(&s->request, NETNSA_NSID, (uint32_t)nsid);
	rc = net_end(&s->request, &nsid_set_verb, f, "%lld", (long long)nsid);
	return rc < 0 ? rc : net_send(s, &s->request, f);
}
