/* SPDX-License-Identifier: MIT
 * nf_tables: values, the bytes of messages, lists that are too long for one
 * attribute, and what errors of kernels that are not at hand mean.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "kernel/nft_hint.h"
#include "kernel/nft_object.h"
#include "kernel/nft_rule.h"
#include "tap.h"

/* ---- values ---- */

struct value_case {
	enum nft_field field;
	const char *text, *formatted; /* null: refused; null: as written */
};

static const struct value_case value_cases[] = {
	{ NFT_FIELD_IPV4, "10.0.0.1", "10.0.0.1" },
	{ NFT_FIELD_IPV4, "10.0.0.9/29", "10.0.0.8/29" },
	{ NFT_FIELD_IPV4, "10.0.0.9/32", "10.0.0.9" },
	{ NFT_FIELD_IPV4, "0.0.0.0/0", "0.0.0.0/0" },
	{ NFT_FIELD_IPV4, "10.0.0.1-10.0.0.2", "10.0.0.1-10.0.0.2" },
	{ NFT_FIELD_IPV4, "10.0.0.0-10.0.0.255", "10.0.0.0/24" },
	{ NFT_FIELD_IPV4, "10.0.0.1-10.0.0.1", "10.0.0.1" },
	{ NFT_FIELD_IPV4, "10.0.0.2-10.0.0.1", NULL },
	{ NFT_FIELD_IPV4, "10.0.0.1/33", NULL },
	{ NFT_FIELD_IPV4, "10.0.0.1/", NULL },
	{ NFT_FIELD_IPV4, "10.0.0.1/-1", NULL },
	{ NFT_FIELD_IPV4, "10.0.0.1/ 8", NULL },
	{ NFT_FIELD_IPV4, "", NULL },
	{ NFT_FIELD_IPV4, "1111111111111111111111111111111111111111111111111111", NULL },
	{ NFT_FIELD_IPV6, "fd00::1/65", "fd00::/65" },
	{ NFT_FIELD_IPV6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127" },
	{ NFT_FIELD_IPV6, "10.0.0.1", NULL },
	{ NFT_FIELD_SERVICE, "80", "80" },
	{ NFT_FIELD_SERVICE, "80-90", "80-90" },
	{ NFT_FIELD_SERVICE, "80-65536", NULL },
	{ NFT_FIELD_SERVICE, "80/8", NULL },
	{ NFT_FIELD_SERVICE, "http", NULL },
	{ NFT_FIELD_PROTO, "tcp", "tcp" },
	{ NFT_FIELD_PROTO, "ipv6-icmp", "icmpv6" },
	{ NFT_FIELD_PROTO, "200", "200" },
	{ NFT_FIELD_PROTO, "256", NULL },
	{ NFT_FIELD_MARK, "0xffffffff", "4294967295" },
	{ NFT_FIELD_MARK, "4294967296", NULL },
	{ NFT_FIELD_MARK, "1-2", NULL },
	{ NFT_FIELD_IFNAME, "eth0", "eth0" },
	{ NFT_FIELD_IFNAME, "veth12345678901", "veth12345678901" },
	{ NFT_FIELD_IFNAME, "veth123456789012", NULL },
	{ NFT_FIELD_IFNAME, "*", NULL },
	{ NFT_FIELD_IFNAME, "a b", NULL },
};

static void values(void)
{
	for (size_t i = 0; i < sizeof value_cases / sizeof *value_cases; i++) {
		const struct value_case *c = &value_cases[i];
		char text[NFT_VALUE_TEXT] = "";
		struct nft_value v;
		int rc = nft_value_parse(c->field, c->text, &v);

		if (!c->formatted) {
			is_integer(rc, -EINVAL, "'%s' is refused", c->text);
			continue;
		}
		nft_value_format(c->field, v.low, v.high, text);
		is_string(text, c->formatted, "'%s' is read and written", c->text);
	}
}

static void types(void)
{
	struct nft_type t = { 2, { NFT_FIELD_PROTO, NFT_FIELD_SERVICE } }, back;

	is_integer(nft_type_id(&t), 12 << 6 | 13, "a concatenation has nft's number");
	is_integer(nft_type_length(&t), 8, "its fields take whole registers");
	is_integer(nft_type_from_id(12 << 6 | 13, &back), 0, "the number is read back");
	ok(back.count == 2 && back.field[0] == NFT_FIELD_PROTO && back.field[1] == NFT_FIELD_SERVICE,
	   "in the same order");
	is_integer(nft_type_from_id(26, &back), -EINVAL, "a type that is not among ours is refused");
	is_integer(nft_type_from_id(UINT32_MAX, &back), -EINVAL, "nonsense is refused");
}

static void increments(void)
{
	uint8_t carry[] = { 0, 255 }, last[] = { 255, 255 };

	ok(!nft_increment(carry, 2) && carry[0] == 1 && carry[1] == 0, "one is added with carry");
	ok(nft_increment(last, 2), "after the last value there is none");
}

/* ---- messages ---- */

/* The bytes of the batch's first message after BATCH_BEGIN, as hexadecimal digits. */
static void first_message(const struct nft_batch *b, char *out)
{
	const struct nlmsghdr *m = (const struct nlmsghdr *)(b->data + b->messages[0].offset);
	const unsigned char *bytes = (const unsigned char *)m;

	for (uint32_t i = 0; i < m->nlmsg_len; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
}

static void golden_table(void)
{
	struct nft_batch b = { 0 };
	char hex[512];

	nft_put_table(&b, NFT_CREATE, NFPROTO_INET, "t", NFT_TABLE_F_OWNER);
	first_message(&b, hex);
	is_string(hex,
		  "24000000000a01060100000000000000" /* NEWTABLE, REQUEST|CREATE|EXCL, number 1 */
		  "01000000"                         /* inet */
		  "0600010074000000"                 /* its name */
		  "0800020000000002",                /* flag owner */
		  "a table's message");
	nft_batch_free(&b);
}

static void golden_element(void)
{
	static const struct nft_set set = { .family = NFPROTO_IPV4,
					    .table = "t",
					    .name = "s",
					    .is_map = 1,
					    .key = { 2, { NFT_FIELD_PROTO, NFT_FIELD_SERVICE } },
					    .data = { 1, { NFT_FIELD_IPV4 } } };
	static const struct nft_element e = { .key = { 6, 0, 0, 0, 0, 80 }, .data = { 10, 0, 0, 2 } };
	struct nft_element_list list;
	struct nft_batch b = { 0 };
	char hex[512];

	nft_elements_begin(&list, &b, NFT_ADD, &set);
	nft_element_put(&list, &e);
	nft_elements_end(&list);
	first_message(&b, hex);
	is_string(hex,
		  "480000000c0a01040100000000000000" /* NEWSETELEM, REQUEST|CREATE */
		  "02000000"                         /* ip */
		  "0600010074000000"                 /* the table */
		  "0600020073000000"                 /* the map */
		  "2400038020000180"                 /* the list, its only element */
		  "100001800c0001000600000000500000" /* tcp, port 80 */
		  "0c000280080001000a000002",        /* 10.0.0.2 */
		  "an element's message");
	nft_batch_free(&b);
}

/* ---- long lists ---- */

static uint32_t count_elements(const struct nft_batch *b, int *too_long)
{
	const struct nlattr *a, *e;
	uint32_t n = 0;

	for (size_t i = 0; i < b->count; i++) {
		const struct nlmsghdr *m = (const struct nlmsghdr *)(b->data + b->messages[i].offset);

		if (b->messages[i].element != n)
			*too_long = 1;
		mnl_attr_for_each(a, m, sizeof(struct nfgenmsg))
		{
			if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
				continue;
			mnl_attr_for_each_nested(e, a) n++;
			*too_long |= mnl_attr_get_len(a) > 65532;
		}
	}
	return n;
}

static void long_lists(void)
{
	static const struct nft_set set = {
		.family = NFPROTO_INET, .table = "t", .name = "s", .key = { 1, { NFT_FIELD_IPV6 } }
	};
	struct nft_element_list list;
	struct nft_batch b = { 0 };
	int wrong = 0;

	nft_elements_begin(&list, &b, NFT_ADD, &set);
	for (uint32_t i = 0; i < 10000; i++) {
		struct nft_element e = { 0 };

		memcpy(e.key, &i, sizeof i);
		nft_element_put(&list, &e);
	}
	nft_elements_end(&list);
	is_integer(count_elements(&b, &wrong), 10000, "a long list is complete");
	ok(!wrong, "each part fits its length and knows its place");
	ok(b.count > 1, "it took more than one message");
	nft_batch_free(&b);
}

/* ---- errors ---- */

/* The fault for an answer of 'error' to a new table with an owner. */
static void owner_fault(int error, uint32_t flags, struct fault *f)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr e;
	} reply = { { .nlmsg_len = sizeof reply, .nlmsg_type = NLMSG_ERROR, .nlmsg_flags = NLM_F_CAPPED },
		    { .error = -error } };
	struct nft_batch b = { 0 };

	nft_put_table(&b, NFT_ADD, NFPROTO_INET, "t", flags);
	nft_hint_message(f, (const struct nlmsghdr *)(b.data + b.messages[0].offset), 0, &reply.header);
	nft_batch_free(&b);
}

static void old_kernels(void)
{
	struct fault f;

	owner_fault(EINVAL, NFT_TABLE_F_OWNER, &f);
	is_integer(f.error, EOPNOTSUPP, "an owner before Linux 5.12 is one code");
	ok(strstr(f.hint, "5.12") != NULL, "that says since when there are owners");
	owner_fault(EOPNOTSUPP, NFT_TABLE_F_OWNER, &f);
	is_integer(f.error, EOPNOTSUPP, "whatever the kernel calls it");
	owner_fault(EINVAL, 0, &f);
	is_integer(f.error, EINVAL, "another table's error is left alone");
	is_string(f.op, "add table", "the operation");
	is_string(f.subject, "inet t", "the subject");
}

static void batch_faults(void)
{
	struct fault f;

	nft_hint_batch(&f, EPERM);
	ok(strstr(f.hint, "CAP_NET_ADMIN") != NULL, "what a transaction takes");
	nft_hint_batch(&f, EOPNOTSUPP);
	is_string(f.hint, "this kernel has no nf_tables", "a kernel without nf_tables");
}

int main(void)
{
	values();
	types();
	increments();
	golden_table();
	golden_element();
	long_lists();
	old_kernels();
	batch_faults();
	return done_testing();
}
