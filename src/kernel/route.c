/* SPDX-License-Identifier: MIT */
#include "kernel/route.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netlink_check.h"

static void explain(const struct net_op *op, struct fault *f)
{
	(void)op;
	if (f->error == ENETUNREACH || f->error == EHOSTUNREACH)
		fault_hint(f, "no link that is up has the gateway in its network: add the link's address and "
			      "set it "
			      "up first, or say onlink = true with link");
	if (f->error == EEXIST)
		fault_hint(f,
			   "a route to this destination with this metric is there already: replace = true");
	if (f->error == ENETDOWN)
		fault_hint(f, "the link is down: up = true");
	if (f->error == ESRCH)
		fault_hint(f, "there is no route that has all of this");
	net_explain_family(f);
}

static const struct net_verb add_verb = { "route_add", explain };
static const struct net_verb delete_verb = { "route_delete", explain };
static const struct net_verb list_verb = { "routes", NULL };

static void put_address(struct net_queue *q, int attribute, const struct net_address *a)
{
	if (net_address_given(a))
		net_put(q, attribute, a->bytes, net_address_size(a));
}

/* An IPv4 route may go over an IPv6 neighbour; then the attribute tells the family. */
static void put_gateway(struct net_queue *q, int family, const struct net_address *gateway)
{
	struct {
		struct rtvia via;
		uint8_t room[16];
	} v = { .via.rtvia_family = (uint16_t)gateway->family };

	if (!net_address_given(gateway) || gateway->family == family) {
		put_address(q, RTA_GATEWAY, gateway);
		return;
	}
	memcpy(v.via.rtvia_addr, gateway->bytes, net_address_size(gateway));
	net_put(q, RTA_VIA, &v, sizeof v.via + net_address_size(gateway));
}

/* One hop of several: its length is only known when its attributes are there. */
static int put_hop(struct net_socket *s, struct net_queue *q, int family, const struct net_hop *hop,
		   const struct net_verb *verb, struct fault *f)
{
	int64_t index = net_index(s, &hop->link, verb, f);
	struct rtnexthop h = { .rtnh_ifindex = (int)index,
			       .rtnh_hops = (uint8_t)(hop->weight > 0 ? hop->weight - 1 : 0),
			       .rtnh_flags = hop->onlink > 0 ? RTNH_F_ONLINK : 0 };
	struct rtnexthop *written;

	if (index < 0)
		return (int)index;
	written = net_append(q, &h, sizeof h);
	put_gateway(q, family, &hop->gateway);
	if (written && !q->failed)
		written->rtnh_len = (uint16_t)((char *)nlmsg_tail(nlmsg_hdr(q->message)) - (char *)written);
	return 0;
}

static int put_hops(struct net_socket *s, struct net_queue *q, const struct net_route *r,
		    const struct net_verb *verb, struct fault *f)
{
	struct nlattr *nest = net_nest(q, RTA_MULTIPATH);
	int rc = 0;

	for (size_t i = 0; i < r->count && rc == 0; i++)
		rc = put_hop(s, q, r->family, &r->hops[i], verb, f);
	net_nest_end(q, nest);
	return rc;
}

static void put_metrics(struct net_queue *q, const struct net_route *r)
{
	struct nlattr *nest;

	if (r->mtu < 0)
		return;
	nest = net_nest(q, RTA_METRICS);
	net_put_u32(q, RTAX_MTU, (uint32_t)r->mtu);
	net_nest_end(q, nest);
}

static int end_route(struct net_queue *q, const struct net_route *r, const struct net_verb *verb,
		     struct fault *f)
{
	char text[NET_ADDRESS_TEXT];

	if (!net_address_given(&r->destination))
		return net_end(q, verb, f, "default");
	net_address_format(
		r->family, r->destination.bytes,
		r->destination.prefix < 0 ? net_address_bits(&r->destination) : r->destination.prefix, text);
	return net_end(q, verb, f, "%s", text);
}

static int put_route(struct net_socket *s, struct net_queue *q, int type, int flags, struct rtmsg *h,
		     const struct net_route *r, const struct net_verb *verb, struct fault *f)
{
	int64_t table = r->table < 0 ? RT_TABLE_MAIN : r->table, index = net_index(s, &r->hop.link, verb, f);
	int rc = 0;

	if (index < 0)
		return (int)index;
	h->rtm_family = (uint8_t)r->family;
	h->rtm_table = (uint8_t)(table < 256 ? table : RT_TABLE_UNSPEC);
	h->rtm_flags = r->hop.onlink > 0 ? RTNH_F_ONLINK : 0;
	if (net_address_given(&r->destination))
		h->rtm_dst_len = (uint8_t)(r->destination.prefix < 0 ? net_address_bits(&r->destination)
								     : r->destination.prefix);
	net_begin(q, type, flags, h, sizeof *h);
	put_address(q, RTA_DST, &r->destination);
	put_address(q, RTA_PREFSRC, &r->source);
	put_gateway(q, r->family, &r->hop.gateway);
	if (index > 0)
		net_put_u32(q, RTA_OIF, (uint32_t)index);
	net_put_u32(q, RTA_TABLE, (uint32_t)table);
	if (r->metric >= 0)
		net_put_u32(q, RTA_PRIORITY, (uint32_t)r->metric);
	put_metrics(q, r);
	if (r->count)
		rc = put_hops(s, q, r, verb, f);
	return rc < 0 ? rc : end_route(q, r, verb, f);
}

/* As ip(8) chooses: what needs no gateway is on the link, what is ours on the host. */
static uint8_t default_scope(const struct net_route *r, int64_t type)
{
	if (r->family == AF_INET6)
		return RT_SCOPE_UNIVERSE;
	if (type == RTN_LOCAL || type == RTN_NAT)
		return RT_SCOPE_HOST;
	if (type == RTN_UNICAST || type == RTN_BROADCAST || type == RTN_MULTICAST)
		return net_address_given(&r->hop.gateway) || r->count ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	return RT_SCOPE_UNIVERSE;
}

int net_route_add(struct net_socket *s, struct net_queue *q, const struct net_route *r, struct fault *f)
{
	int64_t type = r->type < 0 ? RTN_UNICAST : r->type;
	struct rtmsg h = {
		.rtm_type = (uint8_t)type,
		.rtm_protocol = (uint8_t)(r->protocol < 0 ? RTPROT_BOOT : r->protocol),
		.rtm_scope = r->scope < 0 ? default_scope(r, type) : (uint8_t)r->scope,
	};
	int flags = NLM_F_CREATE | (r->replace > 0 ? NLM_F_REPLACE : NLM_F_EXCL);

	return put_route(s, q, RTM_NEWROUTE, flags, &h, r, &add_verb, f);
}

int net_route_delete(struct net_socket *s, struct net_queue *q, const struct net_route *r, struct fault *f)
{
	struct rtmsg h = {
		.rtm_type = (uint8_t)(r->type < 0 ? RTN_UNSPEC : r->type),
		.rtm_protocol = (uint8_t)(r->protocol < 0 ? RTPROT_UNSPEC : r->protocol),
		.rtm_scope = (uint8_t)(r->scope < 0 ? RT_SCOPE_NOWHERE : r->scope),
	};

	return put_route(s, q, RTM_DELROUTE, 0, &h, r, &delete_verb, f);
}

int net_route_query(struct net_socket *s, const struct net_route_filter *filter, struct fault *f)
{
	struct rtmsg h = { .rtm_family = (uint8_t)filter->family };
	int64_t index = net_index(s, &filter->link, &list_verb, f);
	int rc;

	if (index < 0)
		return (int)index;
	net_queue_reset(&s->request);
	net_begin(&s->request, RTM_GETROUTE, NLM_F_DUMP, &h, sizeof h);
	if (filter->table >= 0)
		net_put_u32(&s->request, RTA_TABLE, (uint32_t)filter->table);
	if (index > 0)
		net_put_u32(&s->request, RTA_OIF, (uint32_t)index);
	rc = net_end(&s->request, &list_verb, f, "%s", "");
	rc = rc < 0 ? rc : net_query(s, f);
	if (rc != -ENOENT)
		return rc;
	s->reply.length = 0;
	return 0;
}

static int has_default(const struct net_socket *s)
{
	const struct nlmsghdr *m;
	size_t offset = 0;

	while ((m = net_next(s, &offset, RTM_NEWROUTE, sizeof(struct rtmsg))))
		if (((const struct rtmsg *)NLMSG_DATA(m))->rtm_dst_len == 0)
			return 1;
	return 0;
}

int net_route_default(struct net_socket *s, int index, struct fault *f)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 2; i++) {
		struct net_route_filter filter = { .family = families[i],
						   .link = { .index = index },
						   .table = NET_ABSENT };
		int rc = net_route_query(s, &filter, f);

		if (rc < 0)
			return rc;
		if (has_default(s))
			return 1;
	}
	return 0;
}
