/* SPDX-License-Identifier: MIT */
#include "kernel/address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netlink_check.h"

static void explain_add(const struct net_op *op, struct fault *f)
{
	(void)op;
	if (f->error == EEXIST)
		fault_hint(f, "the link has this address already");
	if (f->error == EACCES)
		fault_hint(f, "IPv6 is off on this link: net.ipv6.conf.<link>.disable_ipv6");
	if (f->error == ENODEV)
		fault_hint(f, "there is no such link in this network namespace");
	net_explain_family(f);
}

static void explain_delete(const struct net_op *op, struct fault *f)
{
	(void)op;
	if (f->error == EADDRNOTAVAIL)
		fault_hint(f, "the link does not have this address");
}

static const struct net_verb add_verb = { "address_add", explain_add };
static const struct net_verb delete_verb = { "address_delete", explain_delete };
static const struct net_verb list_verb = { "addresses", NULL };

/* The address with all bits of the host set; a network of one or two hosts has none. */
static void put_broadcast(struct net_queue *q, const struct net_ifaddr *a, int prefix)
{
	struct net_address b = a->address;

	if (net_address_given(&a->broadcast)) {
		net_put(q, IFA_BROADCAST, a->broadcast.bytes, net_address_size(&a->broadcast));
		return;
	}
	if (a->auto_broadcast <= 0 || b.family != AF_INET || prefix > 30)
		return;
	for (int bit = prefix; bit < 32; bit++)
		b.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	net_put(q, IFA_BROADCAST, b.bytes, 4);
}

static uint32_t flags_of(const struct net_ifaddr *a)
{
	return (a->noprefixroute > 0 ? IFA_F_NOPREFIXROUTE : 0) | (a->nodad > 0 ? IFA_F_NODAD : 0);
}

/* As ip(8) chooses: what is of the host itself goes no further. */
static uint8_t scope_of(const struct net_ifaddr *a)
{
	if (a->scope >= 0)
		return (uint8_t)a->scope;
	return a->address.family == AF_INET && a->address.bytes[0] == 127 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
}

/* IFA_LOCAL is the link's own address, IFA_ADDRESS the other end's or the same. */
static int put_address(struct net_socket *s, struct net_queue *q, int type, int flags,
		       const struct net_ifaddr *a, const struct net_verb *verb, struct fault *f)
{
	const struct net_address *other = net_address_given(&a->peer) ? &a->peer : &a->address;
	int prefix = other->prefix < 0 ? net_address_bits(other) : other->prefix;
	int64_t index = net_index(s, &a->link, verb, f);
	struct ifaddrmsg h = { .ifa_family = (uint8_t)a->address.family,
			       .ifa_prefixlen = (uint8_t)prefix,
			       .ifa_index = (uint32_t)index,
			       .ifa_scope = scope_of(a) };
	char text[NET_ADDRESS_TEXT];

	if (index < 0)
		return (int)index;
	net_begin(q, type, flags, &h, sizeof h);
	net_put(q, IFA_LOCAL, a->address.bytes, net_address_size(&a->address));
	net_put(q, IFA_ADDRESS, other->bytes, net_address_size(other));
	put_broadcast(q, a, prefix);
	if (a->label)
		net_put_string(q, IFA_LABEL, a->label);
	if (flags_of(a))
		net_put_u32(q, IFA_FLAGS, flags_of(a));
	net_address_format(a->address.family, a->address.bytes, prefix, text);
	return a->link.name ? net_end(q, verb, f, "%s dev %s", text, a->link.name)
			    : net_end(q, verb, f, "%s dev %lld", text, (long long)index);
}

int net_address_add(struct net_socket *s, struct net_queue *q, const struct net_ifaddr *a, struct fault *f)
{
	int flags = NLM_F_CREATE | (a->replace > 0 ? NLM_F_REPLACE : NLM_F_EXCL);

	return put_address(s, q, RTM_NEWADDR, flags, a, &add_verb, f);
}

int net_address_delete(struct net_socket *s, struct net_queue *q, const struct net_ifaddr *a, struct fault *f)
{
	return put_address(s, q, RTM_DELADDR, 0, a, &delete_verb, f);
}

int net_address_query(struct net_socket *s, const struct net_address_filter *filter, struct fault *f)
{
	int64_t index = net_index(s, &filter->link, &list_verb, f);
	struct ifaddrmsg h = { .ifa_family = (uint8_t)filter->family, .ifa_index = (uint32_t)index };
	int rc;

	if (index < 0)
		return (int)index;
	net_queue_reset(&s->request);
	net_begin(&s->request, RTM_GETADDR, NLM_F_DUMP, &h, sizeof h);
	if (filter->nsid >= 0)
		net_put_u32(&s->request, IFA_TARGET_NETNSID, (uint32_t)filter->nsid);
	rc = net_end(&s->request, &list_verb, f, "%s", "");
	return rc < 0 ? rc : net_query(s, f);
}
