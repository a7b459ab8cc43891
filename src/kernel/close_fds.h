/* SPDX-License-Identifier: MIT
 * Closing all descriptors from one number on.
 */
#ifndef LUABOX_CLOSE_FDS_H
#define LUABOX_CLOSE_FDS_H

/* close_range(2): 'first' to 'last' are closed or, with 'on_exec', marked for that. Before Linux 5.9 (5.11
 * for the mark) one by one: those that /proc lists or, without /proc, every number there may be. Child-safe.
 */
int close_fds(unsigned int first, unsigned int last, int on_exec);

/* The highest number that a descriptor may have, for those who must close one by one. */
unsigned int close_fds_highest(void);

#endif
