/* SPDX-License-Identifier: MIT
 * System call filters: described as rules, compiled into BPF, kept as BPF and loaded as
 * often as wanted. seccomp(2).
 *
 * libseccomp knows the calls' names and numbers. The compiler is our own (seccomp_compile.c): loading costs
 * by the instruction, in the kernel's check, its JIT and its cache of allowed calls, and libseccomp's
 * programs have one for each call, ours one for each range of them. libseccomp also takes milliseconds, and
 * silently drops a rule with compares where the same call has one without.
 */
#ifndef LUABOX_SECCOMP_H
#define LUABOX_SECCOMP_H

#include <linux/filter.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/fault.h"

#define SEC_ARGS 6
#define SEC_NEWEST 469   /* the last call that this knows of: file_setattr */
#define SEC_NAME_SIZE 64 /* no call's name is longer, with its zero */

/* One call with one action; a rule with compares applies where all of them hold, and
 * goes before one without for the same call. */
struct sec_rule {
	int number; /* as sec_number gives it */
	uint32_t action;
	unsigned count;
	struct scmp_arg_cmp args[SEC_ARGS];
};

struct sec_filter {
	uint32_t otherwise; /* for a call that no rule names or whose compares do not hold */
	uint32_t newer;     /* for a number that did not exist when luabox was written */
	uint32_t foreign;   /* for a call of another architecture, x32 included */
	const struct sec_rule *rules;
	size_t count;
};

/* The number of a call on this architecture; -ENOSYS for one that this architecture
 * never had (most profiles name some), -EINVAL for a name that is nobody's. */
int sec_number(const char *name);

/* Compiles a filter. Returns a descriptor of a memfd that holds the BPF, as `bwrap --seccomp` reads it too.
 */
int sec_build(const struct sec_filter *s, struct fault *f);

/* A descriptor as sec_build's of a program that was built before. */
int sec_keep(const struct sock_filter *program, size_t count, struct fault *f);

/* Maps what sec_build returned, for as long as the caller wants; sec_unmap undoes it. */
int sec_map(int fd, struct sock_fprog *program, struct fault *f);
void sec_unmap(struct sock_fprog *program);

/* Child-safe. The filter binds the caller and all that come from it, for ever. */
int sec_load(const struct sock_fprog *program, struct fault *f);

#endif
