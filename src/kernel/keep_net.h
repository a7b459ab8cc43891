/* SPDX-License-Identifier: MIT
 * Deleting a network link and an nftables table with messages on the stack, in the
 * current network namespace: rtnetlink(7). For the keeper, which must not allocate.
 */
#ifndef LUABOX_KEEP_NET_H
#define LUABOX_KEEP_NET_H

/* "INDEX NAME": -EINVAL if it is not that, -EEXIST if there is such a link. */
int keep_link_check(const char *arg);

/* Deletes the link with that name, if it has that index or the index is 0. */
int keep_link_delete(const char *arg);

/* "FAMILY NAME", the family as a number (NFPROTO_*). */
int keep_table_check(const char *arg);
int keep_table_delete(const char *arg);

#endif
