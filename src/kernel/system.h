/* SPDX-License-Identifier: MIT
 * Names, limits and parameters of the kernel: sethostname(2), prlimit(2), proc(5).
 */
#ifndef LUABOX_SYSTEM_H
#define LUABOX_SYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "kernel/fault.h"

#define SYS_SYSCTL_SIZE 256 /* of a sysctl's name, with its zero */
#define SYS_VALUE_SIZE 65536

/* Child-safe. The path below /proc/sys of a sysctl's name as sysctl(8) takes it: "net.ipv4.ip_forward" and
 * "net/ipv4/ip_forward", "net.ipv4.conf.eth0/100.mtu" and "net/ipv4/conf/eth0.100/mtu".
 * Returns -EINVAL for what is no such name: empty, absolute, with ".." or an empty part, too long. */
int sys_sysctl_path(const char *name, char path[SYS_SYSCTL_SIZE]);

/* Reads the value without its last newline, at most size - 1 bytes. Returns its length. */
ssize_t sys_sysctl_get(const char *name, char *value, size_t size, struct fault *f);

/* Child-safe. The value must have no newline: the kernel would take what follows it for more. */
int sys_sysctl_set(const char *name, const char *value, struct fault *f);

/* Child-safe. Of process 'pid', of the caller if 0. */
int sys_rlimit_set(pid_t pid, int resource, const char *name, const struct rlimit *limit, struct fault *f);

/* Child-safe. In the caller's UTS namespace. */
int sys_set_hostname(const char *name, struct fault *f);
int sys_set_domainname(const char *name, struct fault *f);

#endif
