/* SPDX-License-Identifier: MIT
 * nf_tables' objects as messages of a batch: tables, chains, sets, maps and their
 * elements. Names are at most NFT_NAME_MAX bytes long; the caller has checked that.
 */
#ifndef LUABOX_NFT_OBJECT_H
#define LUABOX_NFT_OBJECT_H

#include <netinet/in.h> /* before linux/in.h, which linux/netfilter.h includes */

#include "kernel/nft_batch.h"
#include "kernel/nft_value.h"

#define NFT_NAME_MAX 255
#define NFT_COMMENT_MAX 127 /* what nft itself allows */
#define NFT_LINK_TYPE_MAX 15

/* A chain's verdict: NF_ACCEPT, NF_DROP, NFT_RETURN, NFT_JUMP or NFT_GOTO. */
struct nft_verdict {
	int32_t code;
	const char *chain; /* of jump and goto */
};

struct nft_chain {
	uint8_t family;
	const char *table, *name;
	const char *type; /* null: no base chain */
	uint32_t hook;
	int32_t priority;
	int32_t policy; /* NF_ACCEPT, NF_DROP, or -1 */
};

struct nft_set {
	uint8_t family;
	const char *table, *name;
	uint32_t flags; /* NFT_SET_*; NFT_SET_MAP and NFT_SET_CONCAT are added */
	uint32_t id;    /* of a set without a name yet; else 0 */
	struct nft_type key, data;
	int is_map, is_verdict_map;
	uint64_t timeout; /* milliseconds; 0: none */
	uint32_t size;    /* 0: no limit */
};

struct nft_element {
	uint8_t key[NFT_KEY_SIZE], key_end[NFT_KEY_SIZE], data[NFT_KEY_SIZE];
	struct nft_verdict verdict; /* of a verdict map */
	int is_range;               /* key to key_end, both included */
	uint64_t timeout;           /* milliseconds; 0: the set's */
	const char *comment;
};

/* A list of elements being put into a batch. */
struct nft_element_list {
	struct nft_batch *batch;
	const struct nft_set *set;
	enum nft_verb verb;
	struct nlmsghdr *message; /* null: none open */
	struct nlattr *nest;
	uint32_t count;
};

void nft_put_table(struct nft_batch *b, enum nft_verb verb, uint8_t family, const char *name, uint32_t flags);
void nft_put_chain(struct nft_batch *b, enum nft_verb verb, const struct nft_chain *c);
void nft_put_set(struct nft_batch *b, enum nft_verb verb, const struct nft_set *s);

/* Flushing: the rules of a chain (null: of all chains of the table). */
void nft_put_flush(struct nft_batch *b, uint8_t family, const char *table, const char *chain);
void nft_put_delete_rule(struct nft_batch *b, uint8_t family, const char *table, const char *chain,
			 uint64_t handle);

/* Elements of 'set': begin, add each, end. A list of any length is split into messages
 * whose attributes fit their 16-bit lengths. Flushing is a list without elements. */
void nft_elements_begin(struct nft_element_list *l, struct nft_batch *b, enum nft_verb verb,
			const struct nft_set *set);
void nft_element_put(struct nft_element_list *l, const struct nft_element *e);
void nft_elements_end(struct nft_element_list *l);

/* Adds one to a big-endian number; returns whether it wrapped to zero. */
int nft_increment(uint8_t *bytes, unsigned int length);

/* Writes a comment as nft keeps it in an object's user data; returns its length (at
 * most NFT_COMMENT_MAX + 3 bytes). */
size_t nft_comment_encode(const char *comment, uint8_t *out);

#endif
