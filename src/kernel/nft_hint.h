/* SPDX-License-Identifier: MIT
 * What an error of nf_tables means: the kernel gives a number, at times a sentence,
 * and points at the attribute that it did not like.
 */
#ifndef LUABOX_NFT_HINT_H
#define LUABOX_NFT_HINT_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/fault.h"

/* Fills 'f' from the NLMSG_ERROR 'reply' to 'message': op "add rule", subject
 * "inet filter input". 'element' is the place of the message's first element. */
void nft_hint_message(struct fault *f, const struct nlmsghdr *message, uint32_t element,
		      const struct nlmsghdr *reply);

/* Fills 'f' for an error of the transaction as a whole. */
void nft_hint_batch(struct fault *f, int error);

/* "inet" for NFPROTO_INET and so on; "?" for others. */
const char *nft_family_name(uint8_t family);

#endif
