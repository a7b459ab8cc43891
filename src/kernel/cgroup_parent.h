/* SPDX-License-Identifier: MIT
 * What the choice of the cgroup that groups are made in (cgroup_parent_choose.c) shares with the changes
 * there (cgroup_parent.c).
 */
#ifndef LUABOX_CGROUP_PARENT_H
#define LUABOX_CGROUP_PARENT_H

#include "kernel/cgroup.h"

#define CG_CONTROL "cgroup.subtree_control"
#define CG_WORDS 256 /* all names of controllers */

/* Those that a file of the directory names. Returns 0 or -errno. */
int cg_read_controllers(int dir, const char *file, unsigned int *controllers);

/* "+cpu +pids", or " cpu pids" as a note. Returns the length. */
size_t cg_write_controllers(char *text, size_t size, char sign, unsigned int controllers);

/* Whether it is this process, or one that this one has started. */
int cg_is_ours(pid_t pid);

/* What is to be done before it can have groups, or what rules it out. */
enum cg_verdict { CG_AS_IT_IS, CG_ENABLE, CG_MOVE, CG_OTHERS, CG_KIND, CG_LACKS, CG_REFUSED };

struct cg_judged {
	enum cg_verdict verdict;
	int error;            /* CG_REFUSED */
	unsigned int lacking; /* CG_LACKS */
	char kind[24];        /* CG_KIND */
	struct cg_names others;
};

enum cg_verdict cg_judge(const char *path, unsigned int need, struct cg_judged *j);

/* The fault of one that is ruled out. */
int cg_explain_parent(const char *path, const struct cg_judged *j, struct fault *f);

#endif
