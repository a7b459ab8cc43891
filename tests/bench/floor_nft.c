/* SPDX-License-Identifier: MIT
 * The least that N port maps cost: libnftnl and libmnl alone. One table, one map from a TCP port to an
 * address and port, one rule that looks it up, in one transaction.
 *
 * floor_nft N TIMES: TIMES over: makes the table, prints the microseconds from the open of the
 * socket to the kernel's acknowledgement, deletes it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TABLE "floor"
#define FIRST_PORT 10000
#define PORT 0x0d           /* nft's number of the type inet_service */
#define ADDRESS_PORT 0x01cd /* ipv4_addr . inet_service */
#define BUFFER (1 << 18)

static char buffer[BUFFER];

static struct nlmsghdr *begin(struct mnl_nlmsg_batch *b, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(b), type, NFPROTO_IPV4, flags, 1);
}

static void add_table(struct mnl_nlmsg_batch *b, uint16_t type, uint16_t flags)
{
	struct nftnl_table *t = nftnl_table_alloc();

	nftnl_table_set_str(t, NFTNL_TABLE_NAME, TABLE);
	nftnl_table_nlmsg_build_payload(begin(b, type, flags), t);
	nftnl_table_free(t);
	mnl_nlmsg_batch_next(b);
}

static void add_chain(struct mnl_nlmsg_batch *b)
{
	struct nftnl_chain *c = nftnl_chain_alloc();

	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, TABLE);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, "prerouting");
	nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "nat");
	nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, NF_INET_PRE_ROUTING);
	nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, -100);
	nftnl_chain_nlmsg_build_payload(begin(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE), c);
	nftnl_chain_free(c);
	mnl_nlmsg_batch_next(b);
}

static void add_element(struct nftnl_set *s, int i)
{
	struct nftnl_set_elem *e = nftnl_set_elem_alloc();
	uint32_t key = htons((uint16_t)(FIRST_PORT + i));
	uint32_t data[2] = { htonl(0x0a400002u + (uint32_t)i), htons(80) };

	nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, &key, sizeof(uint16_t));
	nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, data, sizeof data);
	nftnl_set_elem_add(s, e);
}

/* NFTA_SET_ELEM_LIST_ELEMENTS is 65535 bytes long at most; 1000 maps take 44000. */
static void add_map(struct mnl_nlmsg_batch *b, int count)
{
	struct nftnl_set *s = nftnl_set_alloc();

	nftnl_set_set_str(s, NFTNL_SET_TABLE, TABLE);
	nftnl_set_set_str(s, NFTNL_SET_NAME, "ports");
	nftnl_set_set_u32(s, NFTNL_SET_ID, 1);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_MAP);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, PORT);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, sizeof(uint16_t));
	nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, ADDRESS_PORT);
	nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, 2 * sizeof(uint32_t));
	for (int i = 0; i < count; i++)
		add_element(s, i);
	nftnl_set_nlmsg_build_payload(begin(b, NFT_MSG_NEWSET, NLM_F_CREATE), s);
	mnl_nlmsg_batch_next(b);
	nftnl_set_elems_nlmsg_build_payload(begin(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE), s);
	mnl_nlmsg_batch_next(b);
	nftnl_set_free(s);
}

static struct nftnl_expr *add_expr(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	nftnl_rule_add_expr(r, e);
	return e;
}

static void match_tcp(struct nftnl_rule *r)
{
	struct nftnl_expr *e = add_expr(r, "meta");
	uint8_t tcp = IPPROTO_TCP;

	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_L4PROTO);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
	e = add_expr(r, "cmp");
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, &tcp, sizeof tcp);
}

/* tcp dport → map → dnat */
static void look_up(struct nftnl_rule *r)
{
	struct nftnl_expr *e = add_expr(r, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, 2);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, 2);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG32_00);
	e = add_expr(r, "lookup");
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, "ports");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, 1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG32_00);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG32_04);
	e = add_expr(r, "nat");
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG32_04);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG32_05);
}

static void add_rule(struct mnl_nlmsg_batch *b)
{
	struct nftnl_rule *r = nftnl_rule_alloc();

	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, TABLE);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, "prerouting");
	match_tcp(r);
	look_up(r);
	nftnl_rule_nlmsg_build_payload(begin(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK), r);
	nftnl_rule_free(r);
	mnl_nlmsg_batch_next(b);
}

/* Sends the batch; its last message asks for the one acknowledgement. */
static void commit(struct mnl_nlmsg_batch *b)
{
	struct mnl_socket *s = mnl_socket_open(NETLINK_NETFILTER);
	char reply[8192];
	ssize_t n;

	nftnl_batch_end(mnl_nlmsg_batch_current(b), 2);
	mnl_nlmsg_batch_next(b);
	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		err(1, "netlink");
	if (mnl_socket_sendto(s, mnl_nlmsg_batch_head(b), mnl_nlmsg_batch_size(b)) < 0)
		err(1, "send");
	n = mnl_socket_recvfrom(s, reply, sizeof reply);
	if (n < 0 || mnl_cb_run(reply, (size_t)n, 0, mnl_socket_get_portid(s), NULL, NULL) < 0)
		err(1, "transaction");
	mnl_socket_close(s);
	mnl_nlmsg_batch_stop(b);
}

static struct mnl_nlmsg_batch *start(void)
{
	struct mnl_nlmsg_batch *b = mnl_nlmsg_batch_start(buffer, BUFFER);

	nftnl_batch_begin(mnl_nlmsg_batch_current(b), 0);
	mnl_nlmsg_batch_next(b);
	return b;
}

static void make(int count)
{
	struct mnl_nlmsg_batch *b = start();

	add_table(b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	add_chain(b);
	add_map(b, count);
	add_rule(b);
	commit(b);
}

static void drop(void)
{
	struct mnl_nlmsg_batch *b = start();

	add_table(b, NFT_MSG_DELTABLE, NLM_F_ACK);
	commit(b);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	int count = argc == 3 ? atoi(argv[1]) : 0, times = argc == 3 ? atoi(argv[2]) : 0;

	if (count < 1 || count > 1400)
		errx(2, "usage: floor_nft N TIMES, N at most 1400");
	for (int i = 0; i < times; i++) {
		double begin = now();

		make(count);
		printf("%.1f\n", now() - begin);
		drop();
	}
	return 0;
}
