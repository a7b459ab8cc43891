/* SPDX-License-Identifier: MIT
 * What iptables-nft writes into nf_tables as iptables' own extensions (NAT's targets, the type of an address)
 * in the terms of a rule.
 */
#ifndef LUABOX_NFT_XTABLES_H
#define LUABOX_NFT_XTABLES_H

#include "kernel/nft_rule.h"

struct nftnl_expr;

/* An expression "target" or "match". True if it is one of those known, and 'r' has it now. */
int nft_xtables_target(const struct nftnl_expr *e, struct nft_rule *r);
int nft_xtables_match(const struct nftnl_expr *e, struct nft_rule *r);

#endif
