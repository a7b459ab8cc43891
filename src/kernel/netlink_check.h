/* SPDX-License-Identifier: MIT
 * What must hold for an answer of netlink(7)'s before it is read.
 */
#ifndef LUABOX_NETLINK_CHECK_H
#define LUABOX_NETLINK_CHECK_H

#include <stddef.h>

struct fault;

/* Whether a datagram is made of whole messages. libmnl's functions are safe on no other: they take a length
 * of more than 2 GiB for a negative one. */
int net_is_whole(const void *data, size_t length);

/* The errno that an answer's error, which is not 0, stands for; EBADMSG if it is none. */
int net_errno(int error);

/* Hints that a request was about IPv6, where the kernel has none. */
int net_explain_family(struct fault *f);

#endif
