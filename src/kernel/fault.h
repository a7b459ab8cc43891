/* SPDX-License-Identifier: MIT
 * What went wrong on the kernel side: plain data of a fixed size, so that it is
 * filled without allocation and crosses a pipe in one atomic write (pipe(7)).
 */
#ifndef LUABOX_FAULT_H
#define LUABOX_FAULT_H

#define FAULT_ERRNO_MAX 4095 /* the kernel's MAX_ERRNO */

struct fault {
	int error;         /* from 1 to FAULT_ERRNO_MAX */
	char op[32];       /* the system call or step, "pivot_root" */
	char subject[256]; /* on what: a path, a link; "" where there is nothing to name */
	char detail[256];  /* a sentence of the kernel's (extended ack) or a library's own, or "" */
	char hint[512];    /* why, and what to do; or "" */
};

/* Fills 'f' (null is allowed) and returns -error, so that a caller can write
 * `return fault_set(f, errno, "mount", "%s", target);`. Keeps no pointer; a text
 * too long is cut. Safe between clone and exec: no allocation, no locale. */
int fault_set(struct fault *f, int error, const char *op, const char *subject, ...)
	__attribute__((format(printf, 4, 5)));

/* Adds the sentence of whoever refused it, the kernel or a library (null: it said nothing), to a fault that
 * was just set (null as well). Returns its -error. */
int fault_detail(struct fault *f, const char *sentence);

/* Adds what to do to a fault that was just set (null as well). Returns its -error. */
int fault_hint(struct fault *f, const char *hint, ...) __attribute__((format(printf, 2, 3)));

#endif
