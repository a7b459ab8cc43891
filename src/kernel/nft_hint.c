/* SPDX-License-Identifier: MIT */
#include "kernel/nft_hint.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "kernel/netlink_check.h"

/* What a kind of message does, and which of its attributes name its object. */
struct kind {
	const char *op;
	uint16_t name; /* attribute of the name under the table's; 0: none */
};

static const struct kind kinds[] = {
	[NFT_MSG_NEWTABLE] = { "add table", 0 },
	[NFT_MSG_DELTABLE] = { "delete table", 0 },
	[NFT_MSG_NEWCHAIN] = { "add chain", NFTA_CHAIN_NAME },
	[NFT_MSG_DELCHAIN] = { "delete chain", NFTA_CHAIN_NAME },
	[NFT_MSG_NEWRULE] = { "add rule", NFTA_RULE_CHAIN },
	[NFT_MSG_DELRULE] = { "delete rule", NFTA_RULE_CHAIN },
	[NFT_MSG_NEWSET] = { "add set", NFTA_SET_NAME },
	[NFT_MSG_DELSET] = { "delete set", NFTA_SET_NAME },
	[NFT_MSG_NEWSETELEM] = { "add element", NFTA_SET_ELEM_LIST_SET },
	[NFT_MSG_DELSETELEM] = { "delete element", NFTA_SET_ELEM_LIST_SET },
	[NFT_MSG_GETSET] = { "get set", NFTA_SET_NAME },
	[NFT_MSG_GETSETELEM] = { "list elements", NFTA_SET_ELEM_LIST_SET },
	[NFT_MSG_GETTABLE] = { "list tables", 0 },
	[NFT_MSG_GETCHAIN] = { "list chains", 0 },
	[NFT_MSG_GETRULE] = { "list rules", NFTA_RULE_CHAIN },
};

/* The attribute that holds the table's name is the first of every kind. */
#define TABLE_ATTRIBUTE 1

const char *nft_family_name(uint8_t family)
{
	static const struct {
		uint8_t family;
		const char *name;
	} names[] = { { NFPROTO_UNSPEC, "of any family" },
		      { NFPROTO_INET, "inet" },
		      { NFPROTO_IPV4, "ip" },
		      { NFPROTO_IPV6, "ip6" },
		      { NFPROTO_BRIDGE, "bridge" },
		      { NFPROTO_ARP, "arp" },
		      { NFPROTO_NETDEV, "netdev" } };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].family == family)
			return names[i].name;
	return "?";
}

static const char *attribute_text(const struct nlmsghdr *message, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, message,
			  sizeof(struct nfgenmsg)) if (type && mnl_attr_get_type(a) == type &&
						       mnl_attr_validate(a, MNL_TYPE_NUL_STRING) ==
							       0) return mnl_attr_get_str(a);
	return "";
}

/* The kernel's sentence and the offset of the attribute in question (0: none). */
static uint32_t read_extended_ack(const struct nlmsghdr *reply, char *text, size_t size)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(reply);
	size_t skip = sizeof *e;
	const struct nlattr *a;
	uint32_t offset = 0;

	if (!(reply->nlmsg_flags & NLM_F_ACK_TLVS))
		return 0;
	if (!(reply->nlmsg_flags & NLM_F_CAPPED))
		skip += MNL_ALIGN(e->msg.nlmsg_len) - sizeof e->msg;
	if (skip > mnl_nlmsg_get_payload_len(reply))
		return 0;
	mnl_attr_for_each(a, reply, (unsigned int)skip)
	{
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_OFFS &&
		    mnl_attr_get_payload_len(a) >= sizeof offset)
			offset = mnl_attr_get_u32(a);
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
			snprintf(text, size, "%s", mnl_attr_get_str(a));
	}
	return offset;
}

/* The type of the outermost attribute at 'offset', 0 if there is none. */
static uint16_t attribute_at(const struct nlmsghdr *message, uint32_t offset)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, message,
			  sizeof(struct nfgenmsg)) if ((size_t)((const char *)a - (const char *)message) ==
						       offset) return mnl_attr_get_type(a);
	return 0;
}

/* The end of an interval is listed like an element but is half of the one before. */
static int is_interval_end(const struct nlattr *element)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, element) if (mnl_attr_get_type(a) == NFTA_SET_ELEM_FLAGS) return 1;
	return 0;
}

/* The place of the element at 'offset' in its message from 1; 0 if it is no element. */
static uint32_t element_at(const struct nlmsghdr *message, uint32_t offset)
{
	const struct nlattr *a, *e;

	mnl_attr_for_each(a, message, sizeof(struct nfgenmsg))
	{
		uint32_t place = 0;

		if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(e, a)
		{
			place += !is_interval_end(e);
			if ((size_t)((const char *)e - (const char *)message) == offset)
				return place;
		}
	}
	return 0;
}

static int is_element_list(int type)
{
	return type == NFT_MSG_NEWSETELEM || type == NFT_MSG_DELSETELEM;
}

static void hint_missing(struct fault *f, int type, uint16_t attribute)
{
	if (attribute == TABLE_ATTRIBUTE)
		fault_hint(f, "the table does not exist here; add it first, in the same list if you like");
	else if ((type == NFT_MSG_NEWRULE || type == NFT_MSG_DELRULE) && attribute == NFTA_RULE_CHAIN)
		fault_hint(f, "the chain does not exist in that table");
	else if (type == NFT_MSG_DELRULE || attribute == NFTA_RULE_POSITION)
		fault_hint(f, "no rule has that handle; list them with rules()");
	else if (type == NFT_MSG_DELSETELEM)
		fault_hint(f, "the element is not in the set, or the set does not exist");
	else if (is_element_list(type) && attribute == NFTA_SET_ELEM_LIST_SET)
		fault_hint(f, "the set or map does not exist in that table");
	else if (type == NFT_MSG_NEWRULE)
		fault_hint(f, "a set, map or chain that the rule names does not exist, or the kernel has no "
			      "module for one of its expressions");
	else if (type == NFT_MSG_NEWCHAIN)
		fault_hint(f, "the kernel has no chain of this type for this family and hook");
}

static void hint_capability(struct fault *f)
{
	fault_hint(f, "it takes CAP_NET_ADMIN in the user namespace that owns the network namespace");
}

static void hint_denied(struct fault *f, uint16_t attribute)
{
	if (attribute == TABLE_ATTRIBUTE)
		fault_hint(f, "the table is owned by another process (flag owner): only the socket that made "
			      "it may change it; use another name");
	else
		hint_capability(f);
}

static uint32_t table_flags(const struct nlmsghdr *message)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, message,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(a) == NFTA_TABLE_FLAGS &&
						       mnl_attr_validate(a, MNL_TYPE_U32) ==
							       0) return be32toh(mnl_attr_get_u32(a));
	return 0;
}

/* Before Linux 5.12 the flag is just an invalid one: one code for all kernels. */
static int owner_unknown(struct fault *f, const struct nlmsghdr *message, int type)
{
	if (type != NFT_MSG_NEWTABLE || !(table_flags(message) & NFT_TABLE_F_OWNER) ||
	    (f->error != EINVAL && f->error != EOPNOTSUPP))
		return 0;
	f->error = EOPNOTSUPP;
	fault_hint(f, "either this kernel has no tables with an owner (they came with Linux 5.12), or the "
		      "table is there already without one");
	return 1;
}

static void hint_by_error(struct fault *f, int type, uint16_t attribute)
{
	switch (f->error) {
	case ENOENT:
		hint_missing(f, type, attribute);
		break;
	case EPERM:
		hint_denied(f, attribute);
		break;
	case EEXIST:
		fault_hint(f, is_element_list(type) ? "it is in the set already, with another value, or "
						      "overlaps an interval of it"
						    : "it is there already");
		break;
	case EBUSY:
		fault_hint(f, "it is still in use: by a rule that jumps to it, looks it up, or is in it");
		break;
	case EOPNOTSUPP:
		fault_hint(f, "the kernel does not do this for this family, chain type or hook (NAT wants a "
			      "chain of type nat; masquerade postrouting; redirect and dnat prerouting or "
			      "output), or lacks a module for it");
		break;
	case EINVAL:
		if (type == NFT_MSG_NEWRULE)
			fault_hint(f,
				   "an expression of the rule does not fit this chain's family, hook or the "
				   "set's types");
		break;
	default:
		break;
	}
}

void nft_hint_message(struct fault *f, const struct nlmsghdr *message, uint32_t element,
		      const struct nlmsghdr *reply)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(reply);
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(message);
	int type = NFNL_MSG_TYPE(message->nlmsg_type);
	const struct kind *kind = &kinds[type];
	const char *table = attribute_text(message, TABLE_ATTRIBUTE);
	const char *name = attribute_text(message, kind->name);
	char text[sizeof f->detail] = "";
	uint32_t offset = read_extended_ack(reply, text, sizeof text);
	uint32_t place = is_element_list(type) ? element_at(message, offset) : 0;

	fault_set(f, net_errno(e->error), kind->op, "%s%s%s%s%s", nft_family_name(nfg->nfgen_family),
		  *table ? " " : "", table, *name ? " " : "", name);
	if (place)
		snprintf(f->subject + strlen(f->subject), sizeof f->subject - strlen(f->subject),
			 " (element %u)", element + place);
	memcpy(f->detail, text, sizeof text);
	if (!owner_unknown(f, message, type))
		hint_by_error(f, type, attribute_at(message, offset));
}

void nft_hint_batch(struct fault *f, int error)
{
	fault_set(f, error, "nft", "the transaction as a whole");
	if (error == EPERM)
		hint_capability(f);
	if (error == EOPNOTSUPP || error == EINVAL)
		fault_hint(f, "this kernel has no nf_tables");
}
