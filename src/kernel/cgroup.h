/* SPDX-License-Identifier: MIT
 * Control groups behind version 2's names, whatever the kernel has mounted:
 * cgroups(7), the kernel's admin-guide/cgroup-v1 and cgroup-v2.
 *
 * A group is one directory in each hierarchy that it needs: in cgroup2 if that is
 * mounted (there it is tracked, frozen and killed, also beside version 1), and in
 * those of version 1 that have a controller a limit was asked for.
 */
#ifndef LUABOX_CGROUP_H
#define LUABOX_CGROUP_H

#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"

#define CG_NAME_MAX 200
#define CG_PREFIX "luabox-"
#define CG_LEAF "luabox.self" /* where luabox moves itself */
#define CG_MAX UINT64_MAX     /* "max" */

enum cg_controller { CG_CPU, CG_CPUSET, CG_IO, CG_MEMORY, CG_PIDS, CG_FREEZER, CG_CONTROLLERS };

/* ---- where things are (cgroup_layout.c) ---- */

struct cg_layout {
	char *v2;                 /* where cgroup2's own (or the parent's) directory is; null: not mounted */
	char *v2_top;             /* the highest of its directories that is there for the caller */
	char *v1[CG_CONTROLLERS]; /* the same of version 1's hierarchy with that controller */
	unsigned int v2_controllers; /* bits 1 << enum cg_controller: those of the highest */
};

/* Finds the directories of the caller's own cgroups, or those of the cgroup 'parent'
 * ("/a/b", as in /proc/self/cgroup) if not null. Release it also after a failure. */
int cg_layout_read(struct cg_layout *l, const char *parent, struct fault *f);
void cg_layout_release(struct cg_layout *l);

/* Version 2's name of a controller; "freezer" is only there in version 1. */
const char *cg_controller_name(enum cg_controller c);

/* The bits of the controllers in a list "cpu memory pids". */
unsigned int cg_controllers_of(const char *names);

/* ---- limits (cgroup_limits.c) ---- */

enum cg_limit {
	CG_MEMORY_MAX,
	CG_MEMORY_HIGH,
	CG_SWAP_MAX,
	CG_CPU_MAX,
	CG_CPU_WEIGHT,
	CG_PIDS_MAX,
	CG_CPUSET_CPUS,
	CG_IO_MAX,
	CG_LIMITS
};

struct cg_limits {
	unsigned int set; /* bits 1 << enum cg_limit: which of the following count */
	uint64_t memory_max, memory_high, swap_max, pids_max;
	uint64_t cpu_quota, cpu_period; /* microseconds */
	uint64_t cpu_weight;
	const char *cpus;
	const char *io; /* lines "8:0 rbps=1048576 wiops=max\n" */
};

/* Fails: version 1 has nothing like memory.high. */
int cg_no_high(struct fault *f);

/* ---- processes by name (cgroup_tree.c) ---- */

struct cg_names {
	char text[400]; /* "sleep (1234), sh (1235)" */
	size_t length;
};

/* Adds one to the struct cg_names at 'data'; the full text ends a walk. */
int cg_add_name(pid_t pid, void *data);

/* ---- cgroup2's directory that groups are made in (cgroup_parent.c) ---- */

struct cg_parent {
	char *path;
	char *instead_of;       /* the caller's own, if that cannot have groups */
	struct cg_names others; /* the processes that are the reason */
	unsigned int need;      /* controllers that it must hand on */
	int moved;              /* processes that were moved to CG_LEAF */
};

/* Chooses the caller's own cgroup, or the nearest above that can have groups with these controllers; the
 * given one and no other if 'given'. Changes nothing. cg_parent_release is due also after a failure. */
int cg_parent_choose(struct cg_parent *p, const struct cg_layout *l, int given, unsigned int need,
		     struct fault *f);
void cg_parent_release(struct cg_parent *p);

/* A descriptor of it, to be closed when the group is made. */
int cg_parent_lock(const struct cg_parent *p, struct fault *f);

/* Has it, open as 'dir', hand on the controllers. The caller, and all that it has started, move to a
 * directory CG_LEAF below it if they are in it. */
int cg_parent_prepare(struct cg_parent *p, int dir, struct fault *f);

/* Undoes what luabox did there, unless groups of luabox's are left or somebody uses a controller since.
 * Allocates no memory. 0 also if there is nothing to do; -EBUSY if the processes in CG_LEAF cannot go back.
 */
int cg_parent_restore(const char *path);

#define CG_HINT_READ_ONLY "cgroups are mounted read-only here, as in most containers"
#define CG_HINT_NO_PARENT "the cgroup above it does not exist in this hierarchy"
#define CG_HINT_NOT_OWNED                                                                                    \
	"the cgroup above belongs to another user; run as root, or in a delegated cgroup, as "               \
	"`systemd-run --user --scope -p Delegate=yes luabox …` makes one"

/* ---- a group (cgroup.c) ---- */

struct cg_dir {
	int fd, version, made;
	char *path;
};

struct cgroup {
	int count;
	struct cg_dir dir[CG_CONTROLLERS + 1];
	int of[CG_CONTROLLERS]; /* the index in 'dir' of a controller, or -1 */
	int tracker;            /* the index of the directory to track and kill by */
	struct cg_parent parent;
	int restores; /* cg_remove does so; else whoever keeps account does */
};

/* Version 2's name of a limit, and the controller that it belongs to. */
const char *cg_limit_name(enum cg_limit l);
enum cg_controller cg_limit_controller(enum cg_limit l);

/* Sets the directories that a group of that name with those limits takes; makes
 * nothing. cg_release is due also after a failure. */
int cg_plan(struct cgroup *cg, const char *name, const char *parent, unsigned int set, struct fault *f);

/* Makes the directories; after a failure none is left. EEXIST if one is there. */
int cg_make(struct cgroup *cg, const struct cg_limits *limits, struct fault *f);

/* Closes descriptors and frees memory; the directories stay. */
void cg_release(struct cgroup *cg);

int cg_set_limits(const struct cgroup *cg, const struct cg_limits *limits, struct fault *f);

/* Reads a limit back into 'out' (the fields of that limit only; 'text' takes cpus and
 * io). Returns 1, 0 if the group has no directory that would know it, or -errno. */
int cg_get_limit(const struct cgroup *cg, enum cg_limit l, struct cg_limits *out, char *text, size_t size);

/* The directory with a controller, or null. */
const struct cg_dir *cg_dir_of(const struct cgroup *cg, enum cg_controller c);

/* A number from a file that holds only a number ("max" is CG_MAX), or from the line
 * that begins with 'key' if that is not null. Returns 1, 0 if it is not there, or -errno. */
int cg_read_number(const struct cg_dir *d, const char *file, const char *key, uint64_t *out);

/* The same of what was read. */
int cg_find_number(const char *text, const char *key, uint64_t *out);

/* Reads a file by version 2's name and in its form, whichever version has the numbers (cgroup_read.c):
 * "cpu.stat", "memory.events", "pids.events", "cpu.pressure", "memory.pressure", "io.pressure". */
int cg_read(const struct cgroup *cg, const char *name, char *text, size_t size, struct fault *f);

/* The names, up to a null. */
extern const char *const cg_readable[];

/* A descriptor to which a task with one thread writes "0" to move itself: 40 us on
 * version 1, where it is 'tasks' and takes no lock; milliseconds on cgroup2. */
int cg_attach_fd(const struct cg_dir *d, struct fault *f);

int cg_attach(const struct cgroup *cg, pid_t pid, struct fault *f);

/* Returns when all have stopped; ETIMEDOUT after two seconds (a task in an uninterruptible
 * wait), and they are going to stop then too. */
int cg_freeze(const struct cgroup *cg, int frozen, struct fault *f);

/* Sends SIGKILL to all in it and below; frozen or forking ones too. Does not wait. */
int cg_kill(const struct cgroup *cg, struct fault *f);

/* Removes the directories once they are empty, waiting at most 'timeout' (ms) for
 * processes that are exiting. EBUSY names those that are not. */
int cg_remove(struct cgroup *cg, int timeout, struct fault *f);

/* ---- on directories; no memory is allocated, so that the keeper can (cgroup_tree.c) ---- */

/* 1 or 2 for a directory of that version of cgroupfs, else 0. */
int cg_version(int dir);
int cg_version_at(const char *path);

/* Calls 'visit' for each process in the directory and below, until it returns non-zero. */
int cg_each_process(int dir, int (*visit)(pid_t pid, void *data), void *data);
int cg_each_process_here(int dir, int (*visit)(pid_t pid, void *data), void *data); /* not below */

/* A visit that ends at the first. */
int cg_any(pid_t pid, void *data);

/* Of util_each_entry's names, those of cgroups. */
int cg_is_subdirectory(const char *name, unsigned char type);

int cg_kill_dir(int dir);

/* Waits until there is no process in the directory and below: 0 or -ETIMEDOUT. */
int cg_wait_empty(int dir, int timeout);

/* Waits until all in a directory that was told to freeze have stopped: likewise. */
int cg_wait_frozen(int dir, int timeout);

/* Removes the directory at 'path' and those below, waiting as cg_remove does. */
int cg_remove_dir(const char *path, int timeout);

/* Kills all that is in the directory at 'path' and removes it; 0 if it is not there,
 * -EINVAL if it is no cgroup. */
int cg_destroy(const char *path, int timeout);

#endif
