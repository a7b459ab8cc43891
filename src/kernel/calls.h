/* SPDX-License-Identifier: MIT
 * Which system calls there are, of those that not every kernel has or every sandbox lets through.
 */
#ifndef LUABOX_CALLS_H
#define LUABOX_CALLS_H

#include <stddef.h>

/* The names of the calls that can be asked for, by index; null behind the last. */
const char *calls_name(size_t index);

/* Makes a call in a way that does nothing and cannot succeed. 0 if the kernel knows it; -ENOSYS if not,
 * -EPERM if a filter refuses it. */
int calls_try(size_t index);

#endif
