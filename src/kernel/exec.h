/* SPDX-License-Identifier: MIT
 * Running a program, and why it could not be run. execve(2), elf(5)
 */
#ifndef LUABOX_EXEC_H
#define LUABOX_EXEC_H

#include <stddef.h>
#include <sys/types.h>

#include "kernel/fault.h"

/* The PATH of an environment that has none. */
#define PROC_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Replaces the process by the program 'argv[0]', looked up in the PATH of 'env' if it
 * has no slash. Returns only -errno, with the cause looked up. Child-safe. */
int proc_exec(char *const argv[], char *const env[], struct fault *f);

/* What the kernel would load to run the open file: an ELF file's PT_INTERP or the
 * program of its "#!" line, ended by a zero. Returns its length, 0 if it needs none, or
 * -errno: -ENOEXEC if it is neither kind. Child-safe. */
ssize_t proc_interpreter(int fd, char *buf, size_t size);

#endif
