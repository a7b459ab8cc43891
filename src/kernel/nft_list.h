/* SPDX-License-Identifier: MIT
 * Reading nf_tables: dumps, and their messages as plain data.
 */
#ifndef LUABOX_NFT_LIST_H
#define LUABOX_NFT_LIST_H

#include "kernel/nft_object.h"
#include "kernel/nft_rule.h"

struct nft_found;

/* What the kernel answered. Zero is an empty one. */
struct nft_reply {
	char *data; /* owned */
	size_t length, size;
	struct nft_found *elements; /* owned: see nft_reply_elements */
	size_t count;
};

/* Names are copied out of the message: they are bounded by the kernel. */
struct nft_table_info {
	uint8_t family;
	char name[NFT_NAME_MAX + 1];
	uint32_t flags, rules;
	uint64_t handle;
};

struct nft_chain_info {
	struct nft_chain chain; /* points into this structure */
	char table[NFT_NAME_MAX + 1], name[NFT_NAME_MAX + 1], type[16];
	uint64_t handle;
};

struct nft_set_info {
	struct nft_set set; /* points into this structure */
	char table[NFT_NAME_MAX + 1], name[NFT_NAME_MAX + 1];
	uint32_t key_type, data_type; /* nft's numbers, also of types unknown here */
	uint64_t handle;
};

/* One element, or one interval of them. */
struct nft_found {
	uint8_t low[NFT_KEY_SIZE], high[NFT_KEY_SIZE], data[NFT_KEY_SIZE];
	int is_end; /* only while intervals are put together */
	int32_t verdict;
	char chain[NFT_NAME_MAX + 1];
	uint64_t timeout, expires; /* milliseconds */
	char comment[NFT_COMMENT_MAX + 1];
};

/* Asks for all objects of 'type' (NFT_MSG_GET*): of the table if not null, of the
 * chain or set 'name' if not null. Family 0 is all. Returns 0 or -errno. */
int nft_dump(int fd, int type, uint8_t family, const char *table, const char *name, struct nft_reply *reply,
	     struct fault *f);
void nft_reply_free(struct nft_reply *reply);

/* Asks for one set or map by its name. */
int nft_get_set(int fd, uint8_t family, const char *table, const char *name, struct nft_set_info *out,
		struct fault *f);

/* The message at *offset, which moves on; null after the last. */
const struct nlmsghdr *nft_reply_next(const struct nft_reply *reply, size_t *offset);

/* Each returns 0, or -errno for a message that is not what it should be. */
int nft_table_read(const struct nlmsghdr *m, struct nft_table_info *out);
int nft_chain_read(const struct nlmsghdr *m, struct nft_chain_info *out);
int nft_set_read(const struct nlmsghdr *m, struct nft_set_info *out);

/* Fills reply->elements from a dump of 'set', intervals put together and in order. */
int nft_reply_elements(struct nft_reply *reply, const struct nft_set *set);

#endif
