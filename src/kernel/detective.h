/* SPDX-License-Identifier: MIT
 * The detectives: where a call has one errno for many rules, they look at the system after the failure, and
 * the fault's hint names the rule that was broken and the line that mends it.
 *
 * Each takes a fault that was just set, or null: then there is nobody to tell, and nothing is looked at. None
 * changes anything. Child-safe (but for that of links), since many a call fails between clone and exec, where
 * only the child sees what there is to see.
 */
#ifndef LUABOX_DETECTIVE_H
#define LUABOX_DETECTIVE_H

#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"
#include "kernel/idmap.h"
#include "kernel/mount.h"

struct net_socket;
struct nlmsghdr;

/* ---- mounts (detective_mount.c, detective_overlay.c) ---- */

void detect_mount(const struct mnt_mount *m, struct fault *f);
/* EINVAL and ELOOP of an overlay; both layers may be null, or all options be one text. */
void detect_overlay(const char *upper, const char *work, struct fault *f);
void detect_overlay_options(const char *data, struct fault *f);
void detect_move(const char *from, const char *to, struct fault *f);
void detect_propagation(const char *path, struct fault *f);
void detect_open_tree(const char *path, unsigned flags, struct fault *f);
void detect_change(const struct mount_attr *attr, struct fault *f); /* mount_setattr */
void detect_attach(int tree_fd, const char *target, struct fault *f);
void detect_umount(const char *target, struct fault *f);

/* ---- who uses a mount (detective_holder.c) ---- */

enum detect_use { DETECT_ANY_USE, DETECT_WRITERS };

/* Names in 'text' the first process that uses the mount that 'path' is on, or has files of its file system
 * open for writing, and how many others do. Returns 1 if one is seen. */
int detect_holder(const char *path, enum detect_use use, char *text, size_t size);

/* ---- roots (detective_root.c) ---- */

void detect_pivot_root(const char *new_root, const char *put_old, struct fault *f);
void detect_chroot(struct fault *f);

/* ---- namespaces and processes (detective_namespace.c) ---- */

void detect_unshare(int types, struct fault *f);
void detect_create(int type, struct fault *f); /* of a namespace by a child of luabox's own */
void detect_setns(int fd, int types, struct fault *f);
void detect_clone(uint64_t flags, int cgroup, struct fault *f);

/* ---- ids of user namespaces (detective_id.c) ---- */

/* 'file' is "uid_map" or "gid_map". EPERM: of a map that is written. */
void detect_id_map(const char *file, const struct idmap *map, struct fault *f);

/* Whether the caller's own map lacks one of the outside ids; then it is named. */
int detect_unmapped(const char *file, const struct idmap *map, struct fault *f);
void detect_setgroups(struct fault *f);
void detect_id(const char *map, int64_t id, struct fault *f); /* EINVAL: 'map' ("uid_map") lacks it */
void detect_owner(int64_t uid, int64_t gid, struct fault *f); /* EINVAL of chown; -1: not given */

/* ---- what belongs to a namespace, or to a cgroup (detective_system.c) ---- */

void detect_sysctl(const char *path, struct fault *f); /* below /proc/sys */
void detect_mknod(struct fault *f);
void detect_cgroup_entry(int cgroup, struct fault *f); /* a process that was to go into this directory */

/* ---- links (detective_link.c) ---- */

/* EEXIST: what has the name or the index that the message asked for, and where. Allocates. */
void detect_link(const struct net_socket *s, const struct nlmsghdr *asked, struct fault *f);

#endif
