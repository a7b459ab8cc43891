/* SPDX-License-Identifier: MIT */
#include "kernel/nft_xtables.h"

#include <stdio.h> /* before libnftnl, which forgets it */

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <string.h>

#include "kernel/nft_decode.h"

/* ---- NAT ---- */

static void set_bounds(struct nft_value *v, const void *low, const void *high, uint8_t length)
{
	*v = (struct nft_value){ .kind = memcmp(low, high, length) ? NFT_RANGE : NFT_SINGLE,
				 .length = length };
	memcpy(v->low, low, length);
	memcpy(v->high, high, length);
}

static void set_nat(struct nft_nat *nat, const struct nf_nat_range *range, uint8_t length)
{
	nat->flags = range->flags & NFT_NAT_FLAGS;
	if (range->flags & NF_NAT_RANGE_MAP_IPS)
		set_bounds(&nat->address, &range->min_addr, &range->max_addr, length);
	if (range->flags & NF_NAT_RANGE_PROTO_SPECIFIED)
		set_bounds(&nat->port, &range->min_proto, &range->max_proto, 2);
}

/* The first form of IPv4's targets has a list of one range of its own shape. */
static int read_old_range(const void *info, uint32_t length, struct nf_nat_range *range)
{
	struct nf_nat_ipv4_multi_range_compat old;

	if (length < sizeof old)
		return 0;
	memcpy(&old, info, sizeof old);
	if (old.rangesize != 1)
		return 0;
	range->flags = old.range[0].flags;
	range->min_addr.ip = old.range[0].min_ip;
	range->max_addr.ip = old.range[0].max_ip;
	range->min_proto = old.range[0].min;
	range->max_proto = old.range[0].max;
	return 1;
}

/* Later forms begin like this one. */
static int read_range(const void *info, uint32_t length, struct nf_nat_range *range)
{
	if (length < sizeof *range)
		return 0;
	memcpy(range, info, sizeof *range);
	return 1;
}

static enum nft_nat_kind kind_of(const char *name)
{
	static const struct {
		const char *name;
		enum nft_nat_kind kind;
	} kinds[] = { { "MASQUERADE", NFT_NAT_MASQUERADE },
		      { "SNAT", NFT_NAT_SOURCE },
		      { "DNAT", NFT_NAT_DESTINATION },
		      { "REDIRECT", NFT_NAT_REDIRECT } };

	for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, name))
			return kinds[i].kind;
	return NFT_NAT_NONE;
}

int nft_xtables_target(const struct nftnl_expr *e, struct nft_rule *r)
{
	enum nft_nat_kind kind = kind_of(nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME));
	int is_ipv4 = r->family == NFPROTO_IPV4;
	struct nf_nat_range range = { 0 };
	uint32_t length = 0;
	const void *info = nftnl_expr_get(e, NFTNL_EXPR_TG_INFO, &length);

	if (kind == NFT_NAT_NONE || !info || (!is_ipv4 && r->family != NFPROTO_IPV6))
		return 0;
	if (is_ipv4 && nftnl_expr_get_u32(e, NFTNL_EXPR_TG_REV) == 0) {
		if (!read_old_range(info, length, &range))
			return 0;
	} else if (!read_range(info, length, &range)) {
		return 0;
	}
	r->nat.kind = kind;
	set_nat(&r->nat, &range, is_ipv4 ? 4 : 16);
	return 1;
}

/* ---- the type of an address ---- */

/* iptables has a set of types, a bit for each; a rule here has one. */
static int set_type(struct nft_rule *r, enum nft_selector selector, uint16_t types, int negate)
{
	struct nft_match *m = &r->match[selector];
	unsigned int type = 0;

	while (type < 16 && types != 1U << type)
		type++;
	if (type == 16 || m->present)
		return 0;
	*m = (struct nft_match){ .present = 1, .negate = negate, .bits = type };
	return 1;
}

int nft_xtables_match(const struct nftnl_expr *e, struct nft_rule *r)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_MT_NAME);
	struct xt_addrtype_info_v1 info;
	uint32_t length = 0;
	const void *data = nftnl_expr_get(e, NFTNL_EXPR_MT_INFO, &length);

	if (!name || strcmp(name, "addrtype") != 0 || !data || length < sizeof info ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_MT_REV) != 1)
		return 0;
	memcpy(&info, data, sizeof info);
	if (info.flags & ~(uint32_t)(XT_ADDRTYPE_INVERT_SOURCE | XT_ADDRTYPE_INVERT_DEST) ||
	    (info.source && info.dest) || (!info.source && !info.dest))
		return 0;
	if (info.source)
		return set_type(r, NFT_SEL_SADDR_TYPE, info.source,
				(info.flags & XT_ADDRTYPE_INVERT_SOURCE) != 0);
	return set_type(r, NFT_SEL_DADDR_TYPE, info.dest, (info.flags & XT_ADDRTYPE_INVERT_DEST) != 0);
}
