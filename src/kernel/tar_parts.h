/* SPDX-License-Identifier: MIT
 * What the parts of unpacking share.
 */
#ifndef LUABOX_TAR_PARTS_H
#define LUABOX_TAR_PARTS_H

#include "kernel/tar.h"

/* ---- the place (tar_place.c) ---- */

/* 'path' without ".", "//" and a slash at the end, "" for the root, into 'clean' (PATH_MAX). Refuses what
 * leaves the root. */
int tar_clean_path(const char *path, char *clean, struct fault *f);

/* Goes to the directory that is to hold t->path, made if it is missing: t->parent. Returns the last name, or
 * null.
 */
const char *tar_enter(struct tar *t, struct fault *f);

/* The same without making or staying: of the target of a hard link. Returns the descriptor. */
int tar_open_parent(struct tar *t, const char *path, const char **name, struct fault *f);

int tar_leave(struct tar *t, struct fault *f);

/* ---- the thing (tar_entry.c) ---- */

/* Makes what the entry says at t->path; a regular file is left open, to be filled, then finished. */
int tar_make(struct tar *t, struct archive_entry *e, struct fault *f);
int tar_finish_file(struct tar *t, struct fault *f);

/* ---- what it is to have (tar_meta.c) ---- */

/* Of what the archive does not have: root's, or the caller's, mode 755, made now. */
void tar_default_meta(struct tar *t, struct tar_meta *m);

int tar_read_meta(struct tar *t, struct archive_entry *e, struct tar_meta *m, struct fault *f);

/* Of the name in a directory, or of the descriptor for "". */
int tar_set_owner(struct tar *t, int fd, const char *name, const struct tar_meta *m, struct fault *f);
int tar_set_mode_and_time(struct tar *t, int fd, const struct tar_meta *m, struct fault *f);

/* Extended attributes and access control lists. */
int tar_set_attributes(struct tar *t, int fd, struct archive_entry *e, struct fault *f);

/* ---- what is passed over or refused (tar.c) ---- */

void tar_skip(struct tar *t, enum tar_skip what, int error);

/* The fault of the system call 'op' on t->path. */
int tar_failed(struct tar *t, int error, const char *op, struct fault *f);

/* -EXDEV, with a sentence that says why. */
int tar_refuse(const char *path, struct fault *f, const char *sentence);

#endif
