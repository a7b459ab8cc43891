/* SPDX-License-Identifier: MIT
 * Signals by name, and what a child needs of them. signal(7)
 */
#ifndef LUABOX_SIGNAL_H
#define LUABOX_SIGNAL_H

#include <signal.h>

/* The number of "TERM", "SIGTERM", "RTMIN+3" or "15"; 0 if there is none. */
int sys_signal_number(const char *name);

/* "TERM" of SIGTERM; null for a number without a name (a real-time signal). */
const char *sys_signal_name(int number);

/* Puts every disposition back to the default, the ignored ones too: execve(2)
 * would keep those. Child-safe. */
void sys_signal_defaults(void);

/* The same for the ignored ones alone: execve resets the others. */
void sys_signal_unignore(void);

/* Holds back all signals; 'before' is for sys_signal_restore. Child-safe. */
void sys_signal_block_all(sigset_t *before);
void sys_signal_restore(const sigset_t *before);

/* Lets all signals through. Child-safe. */
void sys_signal_unblock_all(void);

#endif
