/* SPDX-License-Identifier: MIT
 * Process 1 of a pid namespace: a small loop in the cloned child, without Lua.
 * pid_namespaces(7)
 */
#ifndef LUABOX_INIT_H
#define LUABOX_INIT_H

#include "kernel/fault.h"

/* Starts 'program' (null: nothing) as a child, passes signals on to it, reaps whatever is
 * orphaned, and ends when the program has: then it writes its struct proc_end to 'status', for the
 * status of process 1 cannot say which signal killed another. Without a program it ends by TERM or INT.
 * 'report' gets a byte and is closed once the program runs. Returns only -errno. Child-safe. */
int proc_init(int (*program)(void *), void *argument, int status, int report, struct fault *f);

#endif
