/* SPDX-License-Identifier: MIT
 * A rule as plain data, and its way into a batch as nf_tables' expressions. The
 * matches that others need (nfproto before an address in family inet, the transport
 * protocol before a TCP reset) are added here.
 */
#ifndef LUABOX_NFT_RULE_H
#define LUABOX_NFT_RULE_H

#include "kernel/nft_object.h"

/* In the order in which they are written. */
enum nft_selector {
	NFT_SEL_IIFNAME,
	NFT_SEL_OIFNAME,
	NFT_SEL_SADDR,
	NFT_SEL_DADDR,
	NFT_SEL_SADDR_TYPE,
	NFT_SEL_DADDR_TYPE,
	NFT_SEL_PROTOCOL,
	NFT_SEL_SPORT,
	NFT_SEL_DPORT,
	NFT_SEL_CT_STATE,
	NFT_SEL_CT_STATUS,
	NFT_SEL_MARK,
	NFT_SEL_COUNT
};

/* One comparison: with a set by name, with the 'count' values, or with 'bits'. */
struct nft_match {
	int present, negate;
	enum nft_field field; /* of an address: which */
	const char *set;
	const struct nft_value *values; /* not owned */
	uint32_t count;
	uint32_t bits; /* ct_state, ct_status: any of them; address types: the one */
};

/* What is looked up in a map, and what the map holds. */
struct nft_lookup {
	const char *map;
	uint8_t count;
	uint8_t key[NFT_TYPE_FIELDS]; /* enum nft_selector */
	struct nft_type data;         /* count 0: a verdict */
};

enum nft_nat_kind { NFT_NAT_NONE, NFT_NAT_SOURCE, NFT_NAT_DESTINATION, NFT_NAT_MASQUERADE, NFT_NAT_REDIRECT };

struct nft_nat {
	enum nft_nat_kind kind;
	uint32_t flags;                 /* NF_NAT_RANGE_* */
	struct nft_value address, port; /* length 0: none */
	struct nft_lookup lookup;       /* map null: none */
};

struct nft_rule {
	uint8_t family, nfproto; /* nfproto: NFPROTO_IPV4 or _IPV6 that the packet must be, or 0 */
	const char *table, *chain, *comment;
	uint64_t handle, position; /* 0: none */
	struct nft_match match[NFT_SEL_COUNT];
	int counter, log, reject, mark, verdict; /* which statements there are */
	uint64_t packets, bytes;
	const char *log_prefix;
	int32_t log_level, log_group; /* -1: none given */
	uint32_t new_mark;
	uint32_t reject_type, reject_code;
	struct nft_nat nat;
	struct nft_lookup verdict_lookup; /* map null: none */
	struct nft_verdict to;
};

/* NFT_ADD (at the chain's end, or after 'position') or NFT_INSERT (at its beginning, or before). */
void nft_put_rule(struct nft_batch *b, enum nft_verb verb, const struct nft_rule *r);

/* The field behind a selector in a key; addresses are of 'nfproto'. */
enum nft_field nft_selector_field(enum nft_selector selector, uint8_t nfproto);

#endif
