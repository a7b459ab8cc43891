/* SPDX-License-Identifier: MIT
 * From nf_tables' expressions back to the rule that was meant.
 */
#ifndef LUABOX_NFT_DECODE_H
#define LUABOX_NFT_DECODE_H

#include "kernel/nft_rule.h"

#define NFT_RAW_MAX 16

/* The others of NAT's flags only repeat what is given. */
#define NFT_NAT_FLAGS (NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PROTO_RANDOM_FULLY | NF_NAT_RANGE_PERSISTENT)

struct nftnl_rule;

/* A rule read from the kernel. Matches with sets keep the set's name, a list of values
 * written in place being a set "__set0" and so on. */
struct nft_decoded {
	struct nftnl_rule *owner; /* owned; the texts of 'rule' are in it */
	struct nft_rule rule;
	struct nft_value values[NFT_SEL_COUNT];
	char comment[NFT_COMMENT_MAX + 1];
	unsigned int raws;
	/* Names of expressions that luabox cannot write, of iptables their own. */
	const char *raw[NFT_RAW_MAX];
};

/* Reads a NFT_MSG_NEWRULE. Frees what 'd' held before. Returns 0 or -errno. */
int nft_decode(const struct nlmsghdr *m, struct nft_decoded *d);
void nft_decoded_free(struct nft_decoded *d);

#endif
