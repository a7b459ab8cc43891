/* SPDX-License-Identifier: MIT */
#include "kernel/nft_list.h"

#include <endian.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/nft_hint.h"
#include "kernel/util.h"

#define DATAGRAM (32768 + 1) /* the most that the kernel puts into one, and the zero behind it */
#define ATTEMPTS 100         /* a dump is begun again when somebody changed the rules meanwhile */

/* ---- asking ---- */

/* A request with at most two names, in memory of its own. */
struct request {
	union {
		struct nlmsghdr header;
		char room[MNL_ALIGN(sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg)) + 1024];
	} m;
};

static void make_request(struct request *r, int type, uint8_t family, int flags, const char *table,
			 const char *name)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(r->m.room);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(m, sizeof *nfg);

	m->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	m->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	m->nlmsg_seq = 1;
	nfg->nfgen_family = family;
	/* the attribute of the table is number one, that of the chain or set two, in all kinds */
	if (table)
		mnl_attr_put_strz(m, NFTA_RULE_TABLE, table);
	if (name)
		mnl_attr_put_strz(m, NFTA_RULE_CHAIN, name);
}

static int room_for_more(struct nft_reply *reply)
{
	size_t wanted = reply->size ? 2 * reply->size : DATAGRAM;
	char *bigger;

	if (reply->size - reply->length >= DATAGRAM)
		return 0;
	bigger = realloc(reply->data, wanted);
	if (!bigger)
		return -ENOMEM;
	reply->data = bigger;
	reply->size = wanted;
	return 0;
}

/* Looks at one datagram: 1 after the last of the dump, 0 before, -errno. */
static int check_datagram(const struct request *r, const char *data, int length, struct fault *f)
{
	const struct nlmsghdr *m = (const struct nlmsghdr *)data;
	const struct nlmsgerr *e;

	for (; mnl_nlmsg_ok(m, length); m = mnl_nlmsg_next(m, &length)) {
		if (m->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EINTR;
		if (m->nlmsg_type == NLMSG_DONE)
			return 1;
		e = mnl_nlmsg_get_payload(m);
		if (m->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(m) >= sizeof *e && e->error) {
			nft_hint_message(f, &r->m.header, 0, m);
			return -f->error;
		}
		if (m->nlmsg_type == NLMSG_ERROR || !(m->nlmsg_flags & NLM_F_MULTI))
			return 1;
	}
	return 0;
}

/* Throws away what an interrupted dump still has to say. */
static void drain(int fd, struct nft_reply *reply)
{
	while (nft_receive(fd, reply->data, reply->size, MSG_DONTWAIT) >= 0)
		;
	reply->length = 0;
}

static int collect(int fd, const struct request *r, struct nft_reply *reply, struct fault *f)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int rc, n;

	if (retry_eintr(sendto(fd, r->m.room, r->m.header.nlmsg_len, 0, (struct sockaddr *)&kernel,
			       sizeof kernel)) < 0)
		return fault_set(f, errno, "nft", "list");
	do {
		if (room_for_more(reply))
			return fault_set(f, ENOMEM, "nft", "list");
		n = nft_receive(fd, reply->data + reply->length, DATAGRAM, 0);
		if (n < 0)
			return fault_set(f, -n, "recvmsg", "nft");
		rc = check_datagram(r, reply->data + reply->length, n, f);
		reply->length += (size_t)MNL_ALIGN(n);
	} while (rc == 0);
	return rc < 0 ? rc : 0;
}

static int ask(int fd, const struct request *r, struct nft_reply *reply, struct fault *f)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		int rc = collect(fd, r, reply, f);

		if (rc != -EINTR)
			return rc;
		drain(fd, reply);
	}
	fault_set(f, EAGAIN, "nft", "list");
	return fault_hint(f, "the rules kept changing while they were read");
}

int nft_dump(int fd, int type, uint8_t family, const char *table, const char *name, struct nft_reply *reply,
	     struct fault *f)
{
	struct request r;

	make_request(&r, type, family, NLM_F_DUMP, table, name);
	return ask(fd, &r, reply, f);
}

static void free_reply(struct nft_reply *reply)
{
	nft_reply_free(reply);
}

int nft_get_set(int fd, uint8_t family, const char *table, const char *name, struct nft_set_info *out,
		struct fault *f)
{
	__attribute__((cleanup(free_reply))) struct nft_reply reply = { 0 };
	const struct nlmsghdr *m;
	struct request r;
	size_t offset = 0;
	int rc;

	make_request(&r, NFT_MSG_GETSET, family, 0, table, name);
	rc = ask(fd, &r, &reply, f);
	if (rc < 0)
		return rc;
	m = nft_reply_next(&reply, &offset);
	if (!m || nft_set_read(m, out) < 0)
		return fault_set(f, EPROTO, "get set", "%s %s %s", nft_family_name(family), table, name);
	if (out->set.key.count && (!out->set.is_map || out->set.is_verdict_map || out->set.data.count))
		return 0;
	fault_set(f, EOPNOTSUPP, "get set", "%s %s %s", nft_family_name(family), table, name);
	return fault_hint(f, "it is of types other than ipv4_addr, ipv6_addr, inet_proto, inet_service, "
			     "mark and ifname");
}

void nft_reply_free(struct nft_reply *reply)
{
	free(reply->data);
	free(reply->elements);
	memset(reply, 0, sizeof *reply);
}

const struct nlmsghdr *nft_reply_next(const struct nft_reply *reply, size_t *offset)
{
	while (*offset < reply->length) {
		const struct nlmsghdr *m = (const struct nlmsghdr *)(reply->data + *offset);

		if (!mnl_nlmsg_ok(m, (int)(reply->length - *offset)))
			return NULL;
		*offset += MNL_ALIGN(m->nlmsg_len);
		if (m->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES &&
		    mnl_nlmsg_get_payload_len(m) >= sizeof(struct nfgenmsg))
			return m;
	}
	return NULL;
}

/* ---- tables ---- */

static void copy_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static void free_table(struct nftnl_table **t)
{
	if (*t)
		nftnl_table_free(*t);
}

int nft_table_read(const struct nlmsghdr *m, struct nft_table_info *out)
{
	__attribute__((cleanup(free_table))) struct nftnl_table *t = nftnl_table_alloc();

	if (!t)
		return -ENOMEM;
	if (nftnl_table_nlmsg_parse(m, t) < 0)
		return -EPROTO;
	out->family = (uint8_t)nftnl_table_get_u32(t, NFTNL_TABLE_FAMILY);
	copy_text(out->name, sizeof out->name, nftnl_table_get_str(t, NFTNL_TABLE_NAME));
	out->flags = nftnl_table_get_u32(t, NFTNL_TABLE_FLAGS);
	out->rules = nftnl_table_get_u32(t, NFTNL_TABLE_USE);
	out->handle = nftnl_table_get_u64(t, NFTNL_TABLE_HANDLE);
	return 0;
}

/* ---- chains ---- */

static void free_chain(struct nftnl_chain **c)
{
	if (*c)
		nftnl_chain_free(*c);
}

int nft_chain_read(const struct nlmsghdr *m, struct nft_chain_info *out)
{
	__attribute__((cleanup(free_chain))) struct nftnl_chain *c = nftnl_chain_alloc();
	int is_base;

	if (!c)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(m, c) < 0)
		return -EPROTO;
	is_base = nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM);
	copy_text(out->table, sizeof out->table, nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE));
	copy_text(out->name, sizeof out->name, nftnl_chain_get_str(c, NFTNL_CHAIN_NAME));
	copy_text(out->type, sizeof out->type, is_base ? nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE) : NULL);
	out->handle = nftnl_chain_get_u64(c, NFTNL_CHAIN_HANDLE);
	out->chain = (struct nft_chain){ .family = (uint8_t)nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY),
					 .table = out->table,
					 .name = out->name,
					 .type = is_base ? out->type : NULL,
					 .policy = -1 };
	if (!is_base)
		return 0;
	out->chain.hook = nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM);
	out->chain.priority = nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO);
	if (nftnl_chain_is_set(c, NFTNL_CHAIN_POLICY))
		out->chain.policy = (int32_t)nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY);
	return 0;
}

/* ---- sets ---- */

static void free_set(struct nftnl_set **s)
{
	if (*s)
		nftnl_set_free(*s);
}

/* Types that are not ours leave 'count' at 0; their numbers are kept. */
static void read_types(const struct nftnl_set *s, struct nft_set_info *out)
{
	struct nft_set *set = &out->set;

	out->key_type = nftnl_set_get_u32(s, NFTNL_SET_KEY_TYPE);
	out->data_type = nftnl_set_get_u32(s, NFTNL_SET_DATA_TYPE);
	if (nft_type_from_id(out->key_type, &set->key) < 0 ||
	    nft_type_length(&set->key) != nftnl_set_get_u32(s, NFTNL_SET_KEY_LEN))
		set->key.count = 0;
	set->is_map = set->flags & NFT_SET_MAP ? 1 : 0;
	set->is_verdict_map = set->is_map && out->data_type == NFT_DATA_VERDICT;
	if (!set->is_map || set->is_verdict_map)
		return;
	if (nft_type_from_id(out->data_type, &set->data) < 0 ||
	    nft_type_length(&set->data) != nftnl_set_get_u32(s, NFTNL_SET_DATA_LEN))
		set->data.count = 0;
}

int nft_set_read(const struct nlmsghdr *m, struct nft_set_info *out)
{
	__attribute__((cleanup(free_set))) struct nftnl_set *s = nftnl_set_alloc();

	if (!s)
		return -ENOMEM;
	if (nftnl_set_nlmsg_parse(m, s) < 0)
		return -EPROTO;
	copy_text(out->table, sizeof out->table, nftnl_set_get_str(s, NFTNL_SET_TABLE));
	copy_text(out->name, sizeof out->name, nftnl_set_get_str(s, NFTNL_SET_NAME));
	out->handle = nftnl_set_get_u64(s, NFTNL_SET_HANDLE);
	out->set = (struct nft_set){ .family = (uint8_t)nftnl_set_get_u32(s, NFTNL_SET_FAMILY),
				     .table = out->table,
				     .name = out->name,
				     .flags = nftnl_set_get_u32(s, NFTNL_SET_FLAGS),
				     .timeout = nftnl_set_get_u64(s, NFTNL_SET_TIMEOUT),
				     .size = nftnl_set_get_u32(s, NFTNL_SET_DESC_SIZE) };
	read_types(s, out);
	return 0;
}

/* ---- elements ---- */

static int collect_attribute(const struct nlattr *a, void *data)
{
	const struct nlattr **table = data;

	if (mnl_attr_get_type(a) <= NFTA_SET_ELEM_MAX)
		table[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

/* The bytes of NFTA_DATA_VALUE, cut to what there is room for. */
static void read_bytes(const struct nlattr *data, uint8_t *out)
{
	const struct nlattr *a;
	size_t length;

	if (!data)
		return;
	mnl_attr_for_each_nested(a, data)
	{
		if (mnl_attr_get_type(a) != NFTA_DATA_VALUE)
			continue;
		length = mnl_attr_get_payload_len(a);
		memcpy(out, mnl_attr_get_payload(a), length < NFT_KEY_SIZE ? length : NFT_KEY_SIZE);
	}
}

static void read_verdict(const struct nlattr *data, struct nft_found *e)
{
	const struct nlattr *verdict, *a;

	if (!data)
		return;
	mnl_attr_for_each_nested(verdict, data)
	{
		if (mnl_attr_get_type(verdict) != NFTA_DATA_VERDICT)
			continue;
		mnl_attr_for_each_nested(a, verdict)
		{
			if (mnl_attr_get_type(a) == NFTA_VERDICT_CODE)
				e->verdict = (int32_t)be32toh(mnl_attr_get_u32(a));
			if (mnl_attr_get_type(a) == NFTA_VERDICT_CHAIN)
				copy_text(e->chain, sizeof e->chain, mnl_attr_get_str(a));
		}
	}
}

/* nft's user data is a list of type, length, value, one byte each for the first two. */
static void read_comment(const struct nlattr *data, struct nft_found *e)
{
	const uint8_t *u = mnl_attr_get_payload(data), *end = u + mnl_attr_get_payload_len(data);

	for (; end - u >= 2 && end - u >= 2 + u[1]; u += 2 + u[1])
		if (u[0] == 0 && u[1] > 0 && u[1] <= sizeof e->comment && !u[1 + u[1]])
			memcpy(e->comment, u + 2, u[1]);
}

static void read_element(const struct nlattr *element, const struct nft_set *set, struct nft_found *e)
{
	const struct nlattr *a[NFTA_SET_ELEM_MAX + 1] = { 0 };

	memset(e, 0, sizeof *e);
	mnl_attr_parse_nested(element, collect_attribute, a);
	read_bytes(a[NFTA_SET_ELEM_KEY], e->low);
	memcpy(e->high, e->low, sizeof e->high);
	read_bytes(a[NFTA_SET_ELEM_KEY_END], e->high);
	if (set->is_verdict_map)
		read_verdict(a[NFTA_SET_ELEM_DATA], e);
	else
		read_bytes(a[NFTA_SET_ELEM_DATA], e->data);
	if (a[NFTA_SET_ELEM_FLAGS])
		e->is_end = be32toh(mnl_attr_get_u32(a[NFTA_SET_ELEM_FLAGS])) & NFT_SET_ELEM_INTERVAL_END;
	if (a[NFTA_SET_ELEM_TIMEOUT])
		e->timeout = be64toh(mnl_attr_get_u64(a[NFTA_SET_ELEM_TIMEOUT]));
	if (a[NFTA_SET_ELEM_EXPIRATION])
		e->expires = be64toh(mnl_attr_get_u64(a[NFTA_SET_ELEM_EXPIRATION]));
	if (a[NFTA_SET_ELEM_USERDATA])
		read_comment(a[NFTA_SET_ELEM_USERDATA], e);
}

/* Visits each element of the reply: counts them, and reads them if 'set' is given. */
static size_t each_element(struct nft_reply *reply, const struct nft_set *set)
{
	const struct nlmsghdr *m;
	const struct nlattr *a, *e;
	size_t offset = 0, n = 0;

	while ((m = nft_reply_next(reply, &offset))) {
		mnl_attr_for_each(a, m, sizeof(struct nfgenmsg))
		{
			if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
				continue;
			mnl_attr_for_each_nested(e, a)
			{
				if (set)
					read_element(e, set, &reply->elements[n]);
				n++;
			}
		}
	}
	return n;
}

/* By key; where one interval ends and the next begins, the end comes first. */
static int compare_elements(const void *a, const void *b)
{
	const struct nft_found *x = a, *y = b;
	int order = memcmp(x->low, y->low, sizeof x->low);

	return order ? order : !!y->is_end - !!x->is_end;
}

static void decrement(uint8_t *bytes, unsigned int length)
{
	while (length-- && bytes[length]-- == 0)
		;
}

/* An interval lasts until its end, or the next one's beginning, or the last value. */
static void join_intervals(struct nft_reply *reply, uint32_t length)
{
	size_t kept = 0;

	for (size_t i = 0; i < reply->count; i++) {
		struct nft_found e = reply->elements[i];

		if (e.is_end)
			continue;
		if (i + 1 < reply->count) {
			memcpy(e.high, reply->elements[i + 1].low, sizeof e.high);
			decrement(e.high, length);
		} else {
			memset(e.high, 0xff, length);
		}
		reply->elements[kept++] = e;
	}
	reply->count = kept;
}

int nft_reply_elements(struct nft_reply *reply, const struct nft_set *set)
{
	size_t n = each_element(reply, NULL);

	reply->elements = calloc(n ? n : 1, sizeof *reply->elements);
	if (!reply->elements)
		return -ENOMEM;
	reply->count = each_element(reply, set);
	qsort(reply->elements, n, sizeof *reply->elements, compare_elements);
	if (set->flags & NFT_SET_INTERVAL && set->key.count == 1)
		join_intervals(reply, nft_type_length(&set->key));
	return 0;
}
