/* SPDX-License-Identifier: MIT
 * Small operations on files, each inside a root if one is given: a directory's descriptor that no
 * path leaves, whatever its symbolic links say (path.h). A negative root means
 * none: paths are the process's own.
 */
#ifndef LUABOX_FILE_H
#define LUABOX_FILE_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "kernel/fault.h"

/* open(2), close-on-exec. Returns the descriptor. */
int file_open(int root, const char *path, int flags, mode_t mode, struct fault *f);

/* Of what the path names or, with 'nofollow', of the symbolic link that it ends in. */
int file_stat(int root, const char *path, int nofollow, struct stat *st, struct fault *f);
int file_chown(int root, const char *path, int nofollow, uid_t uid, gid_t gid, struct fault *f);
int file_chmod(int root, const char *path, mode_t mode, struct fault *f);

struct file_write {
	const char *data;
	size_t size;
	mode_t mode; /* of a file that is made */
	int append, exclusive;
	int atomic; /* a new file beside it takes its place when it is complete */
};

/* Inside a root only to a regular file. */
int file_write(int root, const char *path, const struct file_write *w, struct fault *f);

/* With 'parents' those that are missing are made too (mode 755), and a directory that is there is no error.
 */
int file_mkdir(int root, const char *path, mode_t mode, int parents, struct fault *f);

int file_symlink(int root, const char *target, const char *path, struct fault *f);

/* A second name inside 'root' for a file of the process's own paths. */
int file_link(const char *from, int root, const char *path, struct fault *f);

/* 'flags' as unlinkat(2): 0, or AT_REMOVEDIR for a directory. */
int file_unlink(int root, const char *path, int flags, struct fault *f);

/* The text of a link, or the path without links (seen from the root). 'size' is PATH_MAX. */
int file_readlink(int root, const char *path, char *target, size_t size, struct fault *f);
int file_realpath(int root, const char *path, char *real, size_t size, struct fault *f);

#endif
