/* SPDX-License-Identifier: MIT
 * What a child does to itself and its surroundings before it runs its program: a flat
 * list, checked and prepared by the parent. Child-safe, but a step that calls Lua.
 */
#ifndef LUABOX_STEPS_H
#define LUABOX_STEPS_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/capability.h"
#include "kernel/fault.h"
#include "kernel/mount.h"
#include "kernel/user.h"

enum step_create { STEP_CREATE_NOTHING, STEP_CREATE_DIRECTORY, STEP_CREATE_FILE };

struct steps {
	struct step *list;
	size_t count;
	size_t copied; /* the trees of which steps_prepare has taken copies */
	int calls;     /* some step calls Lua, so the child is a fork */
	int old_root;  /* the child's: a descriptor between "root" and "detach_root", or -1 */
	int (*call)(void *context, int function, struct fault *f);
	void *context;
};

/* The types of the fields are those that the options framework stores. */
struct step {
	int (*run)(struct step *, struct steps *, struct fault *);
	union {
		struct {
			int fd;
			uint64_t types;
		} namespaces;
		struct {
			const int *fds;
			size_t count;
		} cgroup;
		struct {
			const char *path;
			uint64_t flags;
		} propagation;
		struct mnt_root root; /* 'fd': a detached tree */
		struct {
			const char *type, *source, *target, *data;
			uint64_t flags;
			int64_t create;
			int nofollow;
		} mount;
		struct {
			const char *source; /* or a detached tree: */
			int tree;           /* -1: none, or not opened yet */
			int is_place;       /* 'tree' is no detached one, but the source itself */
			const char *target;
			uint64_t attributes; /* MOUNT_ATTR_* */
			int recursive;
			int64_t create;
			int inside;   /* 'source' is meant in the new root, and opened at its turn */
			int optional; /* nothing to do without source or target */
			int missing;
		} bind;
		struct {
			const char *path, *target, *data;
			int64_t mode; /* -1: as the umask leaves it */
			int64_t type, major, minor, uid, gid;
			int parents, append;
		} file;
		struct {
			const char *name, *value;
		} text;
		struct {
			int64_t resource;
			const char *name;
			uint64_t soft, hard;
		} rlimit;
		struct {
			uint64_t effective, permitted, inheritable, bounding, ambient;
			unsigned given; /* STEP_CAP_* of those that are not left as they are */
			int keep;
		} capabilities;
		const struct sock_fprog *filter;
		struct proc_user user;
		struct {
			const char *path; /* or a descriptor: */
			int fd;
		} place;
		int64_t number;
		int function;
	};
};

#define STEP_CAP_EFFECTIVE 1U
#define STEP_CAP_PERMITTED 2U
#define STEP_CAP_INHERITABLE 4U
#define STEP_CAP_BOUNDING 8U
#define STEP_CAP_AMBIENT 16U

/* Before the clone: takes copies of the detached trees that steps attach, so that the handles
 * serve again; the kernel makes them only in the mount namespace where a tree was made. What it
 * took is closed by steps_release, also after a failure. */
int steps_prepare(struct steps *s, struct fault *f);
void steps_release(struct steps *s);

/* Runs the list; returns 0, or -errno with the step that failed, counted from 1, in 'failed'.
 * An old root that no step detaches is detached at the end. */
int steps_run(struct steps *s, int *failed, struct fault *f);

typedef int step_function(struct step *, struct steps *, struct fault *);

/* namespaces and limits (steps.c) */
step_function step_setns, step_unshare, step_cgroup, step_hostname, step_domainname, step_sysctl, step_rlimit,
	step_umask, step_no_new_privs, step_capabilities, step_seccomp, step_user, step_chdir, step_setsid,
	step_session_keyring, step_oom_score_adj, step_call;

/* the file system (steps_file.c) */
step_function step_propagation, step_root, step_detach_root, step_mount, step_bind, step_mkdir, step_symlink,
	step_mknod, step_write, step_unlink, step_chmod, step_chown, step_mask, step_readonly, step_chroot;

#endif
