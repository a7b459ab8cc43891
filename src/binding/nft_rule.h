/* SPDX-License-Identifier: MIT
 * What nft_rule.c and nft_nat.c share: a rule that is being read.
 */
#ifndef LUABOX_BINDING_NFT_RULE_H
#define LUABOX_BINDING_NFT_RULE_H

#include "binding/nft.h"

/* 'a' says where from, 'r' is what it becomes. Whatever 'r' points to stays on the stack
 * until the rule has been put into the batch. */
struct nft_reading {
	lua_State *L;
	struct nft_apply *a;
	struct nft_rule *r;
};

#define nft_rule_fail(x, name, ...) box_option_error((x)->L, (x)->a->arg, (x)->a->where, name, __VA_ARGS__)

/* Makes the rule one about IPv4 or IPv6; the option 'name' wants it. An argument error
 * if it is about the other one, or its table's family does not have it. */
void nft_rule_nfproto(const struct nft_reading *x, const char *name, uint8_t nfproto);

/* An argument error of the option 'name' unless the rule's protocol has ports. */
void nft_rule_need_ports(const struct nft_reading *x, const char *name);

/* Pushes the option if it is a table (1); true is 2; absent or false 0, and nothing pushed. */
int nft_rule_statement(const struct nft_reading *x, const char *name);

/* Reads the table at the top, which stays, against 'opts'. */
void nft_rule_options(const struct nft_reading *x, const char *name, const struct box_opt *opts, void *out);

/* Masquerade, snat, dnat and redirect; the verdict (nft_nat.c). */
void nft_rule_nat(const struct nft_reading *x);
void nft_rule_verdict(const struct nft_reading *x);

#endif
