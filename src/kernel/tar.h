/* SPDX-License-Identifier: MIT
 * Unpacking a tar, whose maker is not trusted, below a directory. libarchive reads; what is written is
 * written here, each entry relative to the descriptor of its directory, to which no symbolic link leads.
 */
#ifndef LUABOX_TAR_H
#define LUABOX_TAR_H

#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>

#include "kernel/archive.h"
#include "kernel/fault.h"
#include "kernel/idmap.h"

struct tar_options {
	int owners; /* as the archive has them; else the caller's, and nothing is setuid */
	/* Where an owner of the archive ("inside") is "outside"; count 0: where it is. */
	struct idmap uid, gid;
	int64_t max_size; /* bytes of all files; 0: no limit */
};

/* What was passed over. */
enum tar_skip { TAR_DEVICE, TAR_ATTRIBUTE, TAR_ACL, TAR_SKIPS };

struct tar_skipped {
	uint64_t count;
	int error;      /* of the first, */
	char path[256]; /* which is this, cut if it is longer */
};

struct tar_counts {
	uint64_t entries, bytes;
	struct tar_skipped skipped[TAR_SKIPS];
};

/* An entry's owner, mode and time. */
struct tar_meta {
	uid_t uid;
	gid_t gid;
	mode_t mode;
	struct timespec times[2]; /* for futimens */
};

/* The directory that was last written to: entries come by directory. It has its time back when it is left. */
struct tar_directory {
	int fd; /* -1: none */
	int is_dirty, is_widened;
	struct stat st;
	char path[PATH_MAX];
};

#define TAR_BLOCK (64 << 10)

/* All of one unpacking; large. 'tar_close' may be called on one that is zeroed. */
struct tar {
	const struct archive_functions *lib;
	struct archive *archive; /* null: not open */
	const char *name;        /* the archive's, for errors; borrowed */
	int fd, root;            /* borrowed */
	int read_error;          /* of the last read from it */
	struct tar_options options;
	struct tar_counts counts;
	mode_t root_mode;
	int has_root, is_root_shut;
	struct tar_meta root_meta;
	struct tar_directory parent;
	struct archive_entry *entry; /* of what is made: */
	struct tar_meta meta;
	int file; /* that is being filled, or -1 */
	int64_t file_end;
	char path[PATH_MAX]; /* of the entry, without "." and doubled slashes */
	char block[TAR_BLOCK];
};

/* Begins to unpack what 'fd' reads into the empty directory 'root', both of the caller, who keeps them,
 * 'name' and what 'options' points to until tar_close. */
int tar_open(struct tar *t, int fd, const char *name, int root, const struct tar_options *options,
	     struct fault *f);

/* Does a part: an entry, or some megabytes of one. Returns 1 if there is more, 0 at the end; then the root
 * has its owner, mode and time. -EINTR: a signal came while the archive was waited for. */
int tar_step(struct tar *t, struct fault *f);

/* Before the end: what was unpacked stays, and the root gets its mode back. */
void tar_close(struct tar *t);

#endif
