/* SPDX-License-Identifier: MIT
 * Which capability was missing, where an operation was not permitted.
 */
#ifndef LUABOX_CAPABILITY_HINT_H
#define LUABOX_CAPABILITY_HINT_H

#include "kernel/fault.h"

/* To a fault of EPERM or EACCES: names what the operation takes and the caller's effective set lacks, unless
 * there is a hint already that names it, or another reason. Child-safe. */
void cap_explain(struct fault *f);

#endif
