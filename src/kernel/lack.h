/* SPDX-License-Identifier: MIT
 * What to say of a system call that the kernel does not have.
 */
#ifndef LUABOX_LACK_H
#define LUABOX_LACK_H

#include "kernel/fault.h"

/* To a fault of ENOSYS: since which Linux there is 'call', and 'instead' (null: nothing), what to do without
 * it. Child-safe. */
void lack_explain(struct fault *f, const char *call, const char *instead);

#endif
