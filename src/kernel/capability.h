/* SPDX-License-Identifier: MIT
 * Capability sets of a process, by the system calls themselves: capabilities(7),
 * capget(2), prctl(2). Sets are masks of 1 << number.
 */
#ifndef LUABOX_CAPABILITY_H
#define LUABOX_CAPABILITY_H

#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"

/* Every capability up to Linux 6.x in the order of their numbers, which need not be
 * in the headers that this is built with. */
#define CAP_LIST(X)                                                                                          \
	X(chown)                                                                                             \
	X(dac_override)                                                                                      \
	X(dac_read_search)                                                                                   \
	X(fowner)                                                                                            \
	X(fsetid)                                                                                            \
	X(kill)                                                                                              \
	X(setgid)                                                                                            \
	X(setuid)                                                                                            \
	X(setpcap)                                                                                           \
	X(linux_immutable)                                                                                   \
	X(net_bind_service)                                                                                  \
	X(net_broadcast)                                                                                     \
	X(net_admin)                                                                                         \
	X(net_raw)                                                                                           \
	X(ipc_lock)                                                                                          \
	X(ipc_owner)                                                                                         \
	X(sys_module)                                                                                        \
	X(sys_rawio)                                                                                         \
	X(sys_chroot)                                                                                        \
	X(sys_ptrace)                                                                                        \
	X(sys_pacct)                                                                                         \
	X(sys_admin)                                                                                         \
	X(sys_boot)                                                                                          \
	X(sys_nice)                                                                                          \
	X(sys_resource)                                                                                      \
	X(sys_time)                                                                                          \
	X(sys_tty_config)                                                                                    \
	X(mknod)                                                                                             \
	X(lease)                                                                                             \
	X(audit_write)                                                                                       \
	X(audit_control)                                                                                     \
	X(setfcap)                                                                                           \
	X(mac_override)                                                                                      \
	X(mac_admin)                                                                                         \
	X(syslog)                                                                                            \
	X(wake_alarm)                                                                                        \
	X(block_suspend)                                                                                     \
	X(audit_read)                                                                                        \
	X(perfmon)                                                                                           \
	X(bpf)                                                                                               \
	X(checkpoint_restore)

#define CAP_NUMBER(name) CAP_NUMBER_##name,
enum { CAP_LIST(CAP_NUMBER) CAP_COUNT };
#undef CAP_NUMBER

#define CAP_BIT(name) (UINT64_C(1) << CAP_NUMBER_##name)
#define CAP_ALL ((UINT64_C(1) << CAP_COUNT) - 1)

/* What a container gets: podman's eleven. Without MKNOD, NET_RAW and AUDIT_WRITE, which
 * Docker gives; ping works by net.ipv4.ping_group_range instead of NET_RAW. */
#define CAP_DEFAULT                                                                                          \
	(CAP_BIT(chown) | CAP_BIT(dac_override) | CAP_BIT(fowner) | CAP_BIT(fsetid) | CAP_BIT(kill) |        \
	 CAP_BIT(net_bind_service) | CAP_BIT(setfcap) | CAP_BIT(setgid) | CAP_BIT(setpcap) |                 \
	 CAP_BIT(setuid) | CAP_BIT(sys_chroot))

struct cap_sets {
	uint64_t effective, permitted, inheritable, bounding, ambient;
	int keep;         /* PR_SET_KEEPCAPS: the permitted set outlives a change of uid away from 0 */
	int no_new_privs; /* only told by cap_get */
};

/* The sets of process 'pid', by /proc; of the caller if 0, by system calls alone.
 * 'keep' is not told of another process and is 0 then. */
int cap_get(pid_t pid, struct cap_sets *s, struct fault *f);

/* Child-safe. Makes the caller's sets those of 's': bounding first, while CAP_SETPCAP is
 * still there, then permitted, effective and inheritable at once, then ambient, which
 * the kernel holds within permitted and inheritable.
 *
 * With a change of uid: either before it, with CAP_SETUID and CAP_SETGID in 's' (the kernel
 * then clears permitted, effective and ambient for a uid other than 0; inheritable and bounding stay);
 * or cap_limit with 'keep' before it and cap_apply after it, if the new user is to have capabilities
 * or 's' has no CAP_SETUID. */
int cap_apply(const struct cap_sets *s, struct fault *f);

/* Child-safe. Takes from the bounding set what is not in 'bounding', and sets KEEPCAPS to 'keep'. */
int cap_limit(uint64_t bounding, int keep, struct fault *f);

/* Child-safe. No execve gives privileges from here on (PR_SET_NO_NEW_PRIVS). */
int cap_no_new_privs(struct fault *f);

#endif
