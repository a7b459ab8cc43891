/* SPDX-License-Identifier: MIT */
#include "kernel/nft_object.h"

#include <endian.h>
#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#define NAME_ROOM 1024          /* two names and a few numbers */
#define ELEMENT_ROOM 1024       /* key, end, data, a chain's name, a comment */
#define LIST_LIMIT 65000        /* an attribute's length has 16 bits */
#define VERDICT_TYPE 0xffffff00 /* NFT_DATA_VERDICT */

/* enum byteorder of nft */
enum { ORDER_OF_FIELDS, ORDER_HOST, ORDER_BIG };

/* ---- flags by verb ---- */

static int new_flags(enum nft_verb verb)
{
	switch (verb) {
	case NFT_ADD:
		return NLM_F_CREATE;
	case NFT_CREATE:
		return NLM_F_CREATE | NLM_F_EXCL;
	default:
		return 0;
	}
}

static void put_be32(struct nlmsghdr *m, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(m, type, htobe32(value));
}

/* ---- tables and chains ---- */

void nft_put_table(struct nft_batch *b, enum nft_verb verb, uint8_t family, const char *name, uint32_t flags)
{
	int type = verb == NFT_DELETE ? NFT_MSG_DELTABLE : NFT_MSG_NEWTABLE;
	struct nlmsghdr *m = nft_batch_begin(b, type, family, new_flags(verb), NAME_ROOM);

	if (!m)
		return;
	mnl_attr_put_strz(m, NFTA_TABLE_NAME, name);
	if (verb != NFT_DELETE)
		put_be32(m, NFTA_TABLE_FLAGS, flags);
	nft_batch_end(b, m);
}

static void put_hook(struct nlmsghdr *m, const struct nft_chain *c)
{
	struct nlattr *nest = mnl_attr_nest_start(m, NFTA_CHAIN_HOOK);

	put_be32(m, NFTA_HOOK_HOOKNUM, c->hook);
	put_be32(m, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
	mnl_attr_nest_end(m, nest);
	mnl_attr_put_strz(m, NFTA_CHAIN_TYPE, c->type);
}

void nft_put_chain(struct nft_batch *b, enum nft_verb verb, const struct nft_chain *c)
{
	int type = verb == NFT_DELETE ? NFT_MSG_DELCHAIN : NFT_MSG_NEWCHAIN;
	struct nlmsghdr *m = nft_batch_begin(b, type, c->family, new_flags(verb), NAME_ROOM);

	if (!m)
		return;
	mnl_attr_put_strz(m, NFTA_CHAIN_TABLE, c->table);
	mnl_attr_put_strz(m, NFTA_CHAIN_NAME, c->name);
	if (c->type)
		put_hook(m, c);
	if (c->policy >= 0)
		put_be32(m, NFTA_CHAIN_POLICY, (uint32_t)c->policy);
	nft_batch_end(b, m);
}

void nft_put_flush(struct nft_batch *b, uint8_t family, const char *table, const char *chain)
{
	struct nlmsghdr *m = nft_batch_begin(b, NFT_MSG_DELRULE, family, 0, NAME_ROOM);

	if (!m)
		return;
	mnl_attr_put_strz(m, NFTA_RULE_TABLE, table);
	if (chain)
		mnl_attr_put_strz(m, NFTA_RULE_CHAIN, chain);
	nft_batch_end(b, m);
}

void nft_put_delete_rule(struct nft_batch *b, uint8_t family, const char *table, const char *chain,
			 uint64_t handle)
{
	struct nlmsghdr *m = nft_batch_begin(b, NFT_MSG_DELRULE, family, 0, NAME_ROOM);

	if (!m)
		return;
	mnl_attr_put_strz(m, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(m, NFTA_RULE_CHAIN, chain);
	mnl_attr_put_u64(m, NFTA_RULE_HANDLE, htobe64(handle));
	nft_batch_end(b, m);
}

/* ---- sets ---- */

/* Only of a concatenation that holds intervals does the kernel want the fields' lengths. */
static int has_fields(const struct nft_set *s)
{
	return s->key.count > 1 && s->flags & NFT_SET_INTERVAL;
}

static void put_description(struct nlmsghdr *m, const struct nft_set *s)
{
	struct nlattr *desc = mnl_attr_nest_start(m, NFTA_SET_DESC), *concat, *field;

	if (s->size)
		put_be32(m, NFTA_SET_DESC_SIZE, s->size);
	if (has_fields(s)) {
		concat = mnl_attr_nest_start(m, NFTA_SET_DESC_CONCAT);
		for (unsigned int i = 0; i < s->key.count; i++) {
			field = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
			put_be32(m, NFTA_SET_FIELD_LEN, nft_field_length(s->key.field[i]));
			mnl_attr_nest_end(m, field);
		}
		mnl_attr_nest_end(m, concat);
	}
	mnl_attr_nest_end(m, desc);
}

static uint32_t set_flags(const struct nft_set *s)
{
	uint32_t flags = s->flags;

	if (s->is_map)
		flags |= NFT_SET_MAP;
	if (has_fields(s))
		flags |= NFT_SET_CONCAT;
	if (s->timeout)
		flags |= NFT_SET_TIMEOUT;
	return flags;
}

static void put_data_type(struct nlmsghdr *m, const struct nft_set *s)
{
	put_be32(m, NFTA_SET_DATA_TYPE, s->is_verdict_map ? VERDICT_TYPE : nft_type_id(&s->data));
	if (!s->is_verdict_map)
		put_be32(m, NFTA_SET_DATA_LEN, nft_type_length(&s->data));
}

/* nft lists numbers in the machine's own order (marks, names) only if it is told here. */
static uint32_t byte_order(const struct nft_type *t)
{
	int is_host = t->field[0] == NFT_FIELD_MARK || t->field[0] == NFT_FIELD_IFNAME;

	return t->count > 1 ? ORDER_OF_FIELDS : is_host ? ORDER_HOST : ORDER_BIG;
}

static void put_user_data(struct nlmsghdr *m, const struct nft_set *s)
{
	uint32_t key = byte_order(&s->key), data = byte_order(&s->data);
	uint8_t u[12] = { NFTNL_UDATA_SET_KEYBYTEORDER, sizeof key };

	memcpy(u + 2, &key, sizeof key);
	u[6] = NFTNL_UDATA_SET_DATABYTEORDER;
	u[7] = sizeof data;
	memcpy(u + 8, &data, sizeof data);
	mnl_attr_put(m, NFTA_SET_USERDATA, s->is_map && !s->is_verdict_map ? 12 : 6, u);
}

static void put_set_body(struct nlmsghdr *m, const struct nft_set *s)
{
	put_be32(m, NFTA_SET_FLAGS, set_flags(s));
	put_be32(m, NFTA_SET_KEY_TYPE, nft_type_id(&s->key));
	put_be32(m, NFTA_SET_KEY_LEN, nft_type_length(&s->key));
	if (s->is_map)
		put_data_type(m, s);
	put_be32(m, NFTA_SET_ID, s->id);
	put_user_data(m, s);
	if (s->timeout)
		mnl_attr_put_u64(m, NFTA_SET_TIMEOUT, htobe64(s->timeout));
	if (s->size || has_fields(s))
		put_description(m, s);
}

void nft_put_set(struct nft_batch *b, enum nft_verb verb, const struct nft_set *s)
{
	int type = verb == NFT_DELETE ? NFT_MSG_DELSET : NFT_MSG_NEWSET;
	struct nlmsghdr *m = nft_batch_begin(b, type, s->family, new_flags(verb), NAME_ROOM);

	if (!m)
		return;
	mnl_attr_put_strz(m, NFTA_SET_TABLE, s->table);
	mnl_attr_put_strz(m, NFTA_SET_NAME, s->name);
	if (verb != NFT_DELETE)
		put_set_body(m, s);
	nft_batch_end(b, m);
}

/* ---- elements ---- */

static void open_list(struct nft_element_list *l)
{
	int type = l->verb == NFT_ADD || l->verb == NFT_CREATE ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
	struct nlmsghdr *m = nft_batch_begin(l->batch, type, l->set->family, new_flags(l->verb),
					     LIST_LIMIT + ELEMENT_ROOM);

	l->message = m;
	if (!m)
		return;
	l->batch->messages[l->batch->count - 1].element = l->count;
	mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_TABLE, l->set->table);
	mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_SET, l->set->name);
	if (l->set->id)
		put_be32(m, NFTA_SET_ELEM_LIST_SET_ID, l->set->id);
	l->nest = l->verb == NFT_FLUSH ? NULL : mnl_attr_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS);
}

void nft_elements_begin(struct nft_element_list *l, struct nft_batch *b, enum nft_verb verb,
			const struct nft_set *set)
{
	*l = (struct nft_element_list){ .batch = b, .set = set, .verb = verb };
	open_list(l);
}

void nft_elements_end(struct nft_element_list *l)
{
	if (!l->message)
		return;
	if (l->nest)
		mnl_attr_nest_end(l->message, l->nest);
	nft_batch_end(l->batch, l->message);
	l->message = NULL;
}

static void put_bytes(struct nlmsghdr *m, uint16_t type, const uint8_t *bytes, uint32_t length)
{
	struct nlattr *nest = mnl_attr_nest_start(m, type);

	mnl_attr_put(m, NFTA_DATA_VALUE, length, bytes);
	mnl_attr_nest_end(m, nest);
}

static void put_verdict(struct nlmsghdr *m, const struct nft_verdict *v)
{
	struct nlattr *data = mnl_attr_nest_start(m, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(m, NFTA_DATA_VERDICT);

	put_be32(m, NFTA_VERDICT_CODE, (uint32_t)v->code);
	if (v->chain)
		mnl_attr_put_strz(m, NFTA_VERDICT_CHAIN, v->chain);
	mnl_attr_nest_end(m, verdict);
	mnl_attr_nest_end(m, data);
}

size_t nft_comment_encode(const char *comment, uint8_t *out)
{
	size_t length = strlen(comment) + 1;

	out[0] = NFTNL_UDATA_RULE_COMMENT; /* type 0 for elements too */
	out[1] = (uint8_t)length;
	memcpy(out + 2, comment, length);
	return length + 2;
}

static void put_extras(struct nlmsghdr *m, const struct nft_element *e)
{
	uint8_t data[NFT_COMMENT_MAX + 3];

	if (e->timeout)
		mnl_attr_put_u64(m, NFTA_SET_ELEM_TIMEOUT, htobe64(e->timeout));
	if (e->comment)
		mnl_attr_put(m, NFTA_SET_ELEM_USERDATA, nft_comment_encode(e->comment, data), data);
}

static void put_one(struct nft_element_list *l, const struct nft_element *e, const uint8_t *key_end)
{
	const struct nft_set *s = l->set;
	struct nlattr *nest = mnl_attr_nest_start(l->message, NFTA_LIST_ELEM);

	put_bytes(l->message, NFTA_SET_ELEM_KEY, e->key, nft_type_length(&s->key));
	if (key_end)
		put_bytes(l->message, NFTA_SET_ELEM_KEY_END, key_end, nft_type_length(&s->key));
	if (l->verb != NFT_DELETE) {
		if (s->is_verdict_map)
			put_verdict(l->message, &e->verdict);
		else if (s->is_map)
			put_bytes(l->message, NFTA_SET_ELEM_DATA, e->data, nft_type_length(&s->data));
		put_extras(l->message, e);
	}
	mnl_attr_nest_end(l->message, nest);
}

int nft_increment(uint8_t *bytes, unsigned int length)
{
	while (length--)
		if (++bytes[length])
			return 0;
	return 1;
}

/* The first value that is no longer in the interval, marked as its end; an interval
 * that reaches the last value there is has none. */
static void put_interval_end(struct nft_element_list *l, const struct nft_element *e)
{
	uint32_t length = nft_type_length(&l->set->key);
	uint8_t after[NFT_KEY_SIZE];
	struct nlattr *nest;

	memcpy(after, e->key_end, sizeof after);
	if (nft_increment(after, length))
		return;
	nest = mnl_attr_nest_start(l->message, NFTA_LIST_ELEM);
	put_bytes(l->message, NFTA_SET_ELEM_KEY, after, length);
	put_be32(l->message, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	mnl_attr_nest_end(l->message, nest);
}

void nft_element_put(struct nft_element_list *l, const struct nft_element *e)
{
	int is_interval = l->set->flags & NFT_SET_INTERVAL ? 1 : 0;

	if (l->message && mnl_nlmsg_get_payload_len(l->message) > LIST_LIMIT - ELEMENT_ROOM) {
		nft_elements_end(l);
		open_list(l);
	}
	l->count++;
	if (!l->message)
		return;
	put_one(l, e, is_interval && l->set->key.count > 1 ? e->key_end : NULL);
	if (is_interval && l->set->key.count == 1)
		put_interval_end(l, e);
}
