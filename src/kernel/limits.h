/* SPDX-License-Identifier: MIT
 * The program's own limit on descriptors: raised at the start, given back to children.
 */
#ifndef LUABOX_LIMITS_H
#define LUABOX_LIMITS_H

#include <sys/resource.h>

/* Raises the soft RLIMIT_NOFILE to the hard one: a run of many containers holds many
 * descriptors, and the soft limit is 1024 for the sake of select(2) alone. A failure
 * leaves the limit as it was. */
void limits_raise(void);

/* RLIMIT_NOFILE as it was before limits_raise, which a child that runs another program
 * gets back; null if it was not changed. Child-safe. */
const struct rlimit *limits_original(void);

#endif
