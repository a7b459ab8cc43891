/* SPDX-License-Identifier: MIT
 * nf_tables' socket and its transactions: messages are collected in a batch, which
 * the kernel applies as a whole or not at all (NFNL_MSG_BATCH_BEGIN and _END).
 */
#ifndef LUABOX_NFT_BATCH_H
#define LUABOX_NFT_BATCH_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/fault.h"

enum nft_verb { NFT_ADD, NFT_CREATE, NFT_INSERT, NFT_DELETE, NFT_FLUSH };

/* Where a message of the batch begins, and what it stands for. */
struct nft_message {
	size_t offset;
	uint32_t operation; /* the caller's count of operations when it was made */
	uint32_t element;   /* of an element list: its first one's place in the whole list */
};

/* Zero is an empty batch. Memory that could not be had is remembered in 'error' and
 * reported by nft_batch_commit; until then the functions do nothing. */
struct nft_batch {
	char *data; /* owned */
	size_t length, size;
	struct nft_message *messages; /* owned */
	size_t count, room;
	uint32_t operation; /* set by the caller before each operation */
	uint32_t sets;      /* ids given to sets that have no name yet */
	int error;          /* 0 or -ENOMEM */
};

/* A NETLINK_NETFILTER socket in the network namespace 'netns' (negative: the current
 * one) that reports the kernel's own words. Returns a descriptor or -errno. */
int nft_open(int netns, struct fault *f);

/* Begins a message with 'room' bytes for its attributes; null if there is no memory.
 * The message ends with nft_batch_end, with no other batch function in between. */
struct nlmsghdr *nft_batch_begin(struct nft_batch *b, int type, uint8_t family, int flags, size_t room);
void nft_batch_end(struct nft_batch *b, const struct nlmsghdr *message);

/* Sends the batch as one transaction and waits for its end. On failure nothing was
 * changed, *operation is the number of the operation that failed (-1: the batch as
 * such) and 'f' names what it was about. */
int nft_batch_commit(int fd, struct nft_batch *b, int64_t *operation, struct fault *f);

/* Frees what the batch owns; it is empty then. */
void nft_batch_free(struct nft_batch *b);

/* Receives one datagram of the kernel's; others' are dropped. 'flags' as recv(2).
 * A zero follows it: libnftnl reads strings to their end, wherever that is.
 * Returns its length or -errno. */
int nft_receive(int fd, void *buf, size_t size, int flags);

#endif
