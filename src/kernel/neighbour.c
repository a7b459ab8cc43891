/* SPDX-License-Identifier: MIT */
#include "kernel/neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>

static void explain(const struct net_op *op, struct fault *f)
{
	(void)op;
	if (f->error == EEXIST)
		fault_hint(f, "the link knows this neighbour already: replace = true");
	if (f->error == ENOENT)
		fault_hint(f, "the link does not know this neighbour");
}

static const struct net_verb add_verb = { "neighbour_add", explain };
static const struct net_verb delete_verb = { "neighbour_delete", explain };
static const struct net_verb list_verb = { "neighbours", NULL };

static int put_neighbour(struct net_socket *s, struct net_queue *q, int type, int flags,
			 const struct net_neighbour *n, const struct net_verb *verb, struct fault *f)
{
	int64_t index = net_index(s, &n->link, verb, f);
	struct ndmsg h = { .ndm_family = (uint8_t)n->address.family,
			   .ndm_ifindex = (int)index,
			   .ndm_state = (uint16_t)(n->state < 0 ? NUD_PERMANENT : n->state),
			   .ndm_flags = n->proxy > 0 ? NTF_PROXY : 0 };
	char text[NET_ADDRESS_TEXT];

	if (index < 0)
		return (int)index;
	net_begin(q, type, flags, &h, sizeof h);
	net_put(q, NDA_DST, n->address.bytes, net_address_size(&n->address));
	if (n->lladdr.length > 0)
		net_put(q, NDA_LLADDR, n->lladdr.bytes, (size_t)n->lladdr.length);
	net_address_format(n->address.family, n->address.bytes, -1, text);
	return net_end(q, verb, f, "%s", text);
}

int net_neighbour_add(struct net_socket *s, struct net_queue *q, const struct net_neighbour *n,
		      struct fault *f)
{
	int flags = NLM_F_CREATE | (n->replace > 0 ? NLM_F_REPLACE : NLM_F_EXCL);

	return put_neighbour(s, q, RTM_NEWNEIGH, flags, n, &add_verb, f);
}

int net_neighbour_delete(struct net_socket *s, struct net_queue *q, const struct net_neighbour *n,
			 struct fault *f)
{
	return put_neighbour(s, q, RTM_DELNEIGH, 0, n, &delete_verb, f);
}

int net_neighbour_query(struct net_socket *s, int family, const struct net_ref *link, int proxy,
			struct fault *f)
{
	struct ndmsg h = { .ndm_family = (uint8_t)family, .ndm_flags = proxy > 0 ? NTF_PROXY : 0 };
	int64_t index = net_index(s, link, &list_verb, f);
	int rc;

	if (index < 0)
		return (int)index;
	net_queue_reset(&s->request);
	net_begin(&s->request, RTM_GETNEIGH, NLM_F_DUMP, &h, sizeof h);
	if (index > 0 && proxy <= 0)
		net_put_u32(&s->request, NDA_IFINDEX, (uint32_t)index);
	rc = net_end(&s->request, &list_verb, f, "%s", "");
	rc = rc < 0 ? rc : net_query(s, f);
	return rc < 0 ? rc : (int)index;
}
