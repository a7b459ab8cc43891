/* SPDX-License-Identifier: MIT */
#include "kernel/seccomp_profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/capability.h"
#include "kernel/util.h"

/* An int argument: the kernel does not look at the upper half of the register, so
 * neither must the filter, or a bit set up there walks around it. */
#define INT UINT64_C(0xffffffff)
#define ARG(index, mask, value) .count = 1, .arg = { index, SCMP_CMP_MASKED_EQ, mask, value }

/* The flags that make a namespace; the others make threads and processes. */
#define CLONE_NAMESPACES UINT64_C(0x7e020000)
#ifdef __s390x__
#define CLONE_FLAGS_INDEX 1
#else
#define CLONE_FLAGS_INDEX 0
#endif

#define TIOCSTI 0x5412
#define TIOCLINUX 0x541c

#define ALLOW(...)                                                                                           \
	{                                                                                                    \
		__VA_ARGS__, .action = SCMP_ACT_ALLOW                                                        \
	}
#define SOCKET(mask, value) ALLOW("socket", ARG(0, mask, value))
#define PERSONALITY(value) ALLOW("personality", ARG(0, INT, value))
#define WITH(capability, calls)                                                                              \
	{                                                                                                    \
		calls, .action = SCMP_ACT_ALLOW, .with = CAP_BIT(capability)                                 \
	}

const struct sec_group sec_groups[] = {
	/* files and descriptors */
	ALLOW("access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 "
	      "faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat "
	      "fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr file_getattr "
	      "file_setattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs "
	      "fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr "
	      "getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown "
	      "lchown32 lgetxattr link linkat listmount listxattr listxattrat llistxattr _llseek "
	      "lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at "
	      "newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 "
	      "read readahead readlink readlinkat readv removexattr removexattrat rename renameat renameat2 "
	      "rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 statmount "
	      "statx symlink symlinkat sync sync_file_range sync_file_range2 arm_sync_file_range "
	      "arm_fadvise64_64 syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat "
	      "utimensat_time64 utimes vmsplice write writev"),
	/* memory */
	ALLOW("brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock "
	      "mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc "
	      "pkey_free pkey_mprotect process_mrelease remap_file_pages"),
	/* processes, threads, signals, identity */
	ALLOW("alarm arch_prctl breakpoint cacheflush capget capset execve execveat exit exit_group fork "
	      "futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list "
	      "get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
	      "getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid "
	      "getresuid32 getrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill "
	      "modify_ldt pause pidfd_open pidfd_send_signal prctl prlimit64 process_vm_readv "
	      "process_vm_writev ptrace restart_syscall riscv_flush_icache rseq rt_sigaction "
	      "rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
	      "rt_sigtimedwait_time64 rt_tgsigqueueinfo s390_pci_mmio_read s390_pci_mmio_write "
	      "s390_runtime_instr sched_get_priority_max sched_get_priority_min sched_getaffinity "
	      "sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
	      "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
	      "sched_setscheduler sched_yield set_robust_list set_thread_area set_tid_address set_tls "
	      "setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setpgid "
	      "setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
	      "setreuid32 setrlimit setsid setuid setuid32 sigaltstack signalfd signalfd4 sigpending "
	      "sigprocmask sigreturn sigsuspend swapcontext tgkill tkill ugetrlimit uretprobe vfork wait4 "
	      "waitid waitpid"),
	/* waiting, time, events */
	ALLOW("adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
	      "clock_gettime64 clock_nanosleep clock_nanosleep_time64 epoll_create epoll_create1 epoll_ctl "
	      "epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 getitimer "
	      "gettimeofday io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup "
	      "io_submit nanosleep _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select "
	      "setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
	      "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
	      "timerfd_settime timerfd_settime64 times"),
	/* sockets and System V's and POSIX's ways to talk */
	ALLOW("accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr "
	      "mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
	      "mq_unlink msgctl msgget msgrcv msgsnd recv recvfrom recvmmsg recvmmsg_time64 recvmsg semctl "
	      "semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg sendto setsockopt shmat "
	      "shmctl shmdt shmget shutdown socketcall socketpair"),
	/* confining oneself further, and asking about the system */
	ALLOW("getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp sysinfo "
	      "uname"),

	/* Pushing keys into the terminal that the container was started from. EIO is what the kernel
	 * answers where dev.tty.legacy_tiocsti is 0. */
	{ "ioctl", .action = SCMP_ACT_ERRNO(EIO), ARG(1, INT, TIOCSTI) },
	{ "ioctl", .action = SCMP_ACT_ERRNO(EIO), ARG(1, INT, TIOCLINUX) },

	/* The families in use, as prefixes: 0 to 11, 13 to 18, 21, 22, 24, 26 to 33, 35, 36, 39,
	 * 41 to 45. Left out are AF_ALG (38), AF_VSOCK (40), which no namespace confines, and the dead ones.
	 */
	SOCKET(INT - 7, 0),
	SOCKET(INT - 3, 8),
	SOCKET(INT, 13),
	SOCKET(INT - 1, 14),
	SOCKET(INT - 1, 16),
	SOCKET(INT, 18),
	SOCKET(INT, 21),
	SOCKET(INT, 22),
	SOCKET(INT, 24),
	SOCKET(INT - 1, 26),
	SOCKET(INT - 3, 28),
	SOCKET(INT - 1, 32),
	SOCKET(INT, 35),
	SOCKET(INT, 36),
	SOCKET(INT, 39),
	SOCKET(INT, 41),
	SOCKET(INT - 1, 42),
	SOCKET(INT - 1, 44),

	/* Linux, Linux 32-bit, the same with UNAME26, and the question */
	PERSONALITY(0),
	PERSONALITY(8),
	PERSONALITY(0x20000),
	PERSONALITY(0x20008),
	PERSONALITY(0xffffffff),

	/* No filter can look behind clone3's pointer; ENOSYS has a libc use clone. */
	ALLOW("clone", ARG(CLONE_FLAGS_INDEX, CLONE_NAMESPACES, 0), .without = CAP_BIT(sys_admin)),
	{ "clone3", .action = SCMP_ACT_ERRNO(ENOSYS), .without = CAP_BIT(sys_admin) },

	/* what a capability that the container was given is for */
	WITH(sys_admin,
	     "clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
	     "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount "
	     "open_tree open_tree_attr quotactl quotactl_fd setdomainname sethostname setns umount "
	     "umount2 unshare"),
	{ "bpf", .action = SCMP_ACT_ALLOW, .with = CAP_BIT(sys_admin) | CAP_BIT(bpf) },
	{ "perf_event_open", .action = SCMP_ACT_ALLOW, .with = CAP_BIT(sys_admin) | CAP_BIT(perfmon) },
	{ "syslog", .action = SCMP_ACT_ALLOW, .with = CAP_BIT(sys_admin) | CAP_BIT(syslog) },
	WITH(dac_read_search, "open_by_handle_at"),
	WITH(sys_boot, "reboot"),
	WITH(sys_chroot, "chroot"),
	WITH(sys_module, "delete_module finit_module init_module"),
	WITH(sys_nice, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
	WITH(sys_pacct, "acct"),
	WITH(sys_ptrace, "kcmp pidfd_getfd process_madvise"),
	WITH(sys_rawio, "ioperm iopl"),
	WITH(sys_time, "clock_settime clock_settime64 settimeofday stime"),
	WITH(sys_tty_config, "vhangup"),
	{ NULL },
};

int sec_group_applies(const struct sec_group *g, uint64_t capabilities)
{
	return (!g->with || g->with & capabilities) && !(g->without & capabilities);
}

const char *sec_next_call(const char *calls, char name[SEC_NAME_SIZE])
{
	size_t length = strcspn(calls, " ");

	if (!length || length >= SEC_NAME_SIZE)
		return NULL;
	memcpy(name, calls, length);
	name[length] = '\0';
	return calls + length + (calls[length] == ' ');
}

/* Adds the rules of a group; calls that this architecture never had are left out. */
static int add_group(const struct sec_group *g, struct sec_rule *rules, size_t *count, struct fault *f)
{
	char name[SEC_NAME_SIZE];

	for (const char *s = g->calls; (s = sec_next_call(s, name));) {
		int number = sec_number(name);

		if (number == -ENOSYS)
			continue;
		if (number < 0)
			return fault_set(f, -number, "seccomp_syscall_resolve_name", "%s", name);
		rules[(*count)++] = (struct sec_rule){ number, g->action, g->count, { g->arg } };
	}
	return 0;
}

static size_t count_calls(uint64_t capabilities)
{
	char name[SEC_NAME_SIZE];
	size_t count = 0;

	for (const struct sec_group *g = sec_groups; g->calls; g++)
		for (const char *s = g->calls; (s = sec_next_call(s, name));)
			count += (size_t)sec_group_applies(g, capabilities);
	return count;
}

int sec_build_profile(uint64_t capabilities, struct fault *f)
{
	cleanup_free struct sec_rule *rules = calloc(count_calls(capabilities), sizeof *rules);
	struct sec_filter s = { SEC_PROFILE_OTHERWISE, SEC_PROFILE_NEWER, SEC_PROFILE_FOREIGN, rules, 0 };

	if (!rules)
		return fault_set(f, ENOMEM, "seccomp", "default profile");
	for (const struct sec_group *g = sec_groups; g->calls; g++) {
		int rc = sec_group_applies(g, capabilities) ? add_group(g, rules, &s.count, f) : 0;

		if (rc)
			return rc;
	}
	return sec_build(&s, f);
}
