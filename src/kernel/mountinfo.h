/* SPDX-License-Identifier: MIT
 * Reading /proc/PID/mountinfo, line by line, into a buffer of the caller's. Child-safe.
 */
#ifndef LUABOX_MOUNTINFO_H
#define LUABOX_MOUNTINFO_H

#include <stddef.h>

/* One line of the table, taken apart in place: the strings point into the line. */
struct mnt_info {
	int id, parent;
	unsigned major, minor;
	char *root, *target; /* escapes decoded */
	char *flags;         /* of this mount: "rw,nosuid,relatime" */
	unsigned shared, master, propagate_from;
	int unbindable;
	char *type, *source, *options; /* of the file system; the source with escapes decoded */
};

/* Returns 0, or -EINVAL for a line that is not one of mountinfo's. */
int mnt_parse_line(char *line, struct mnt_info *info);

struct mnt_table {
	int fd; /* borrowed */
	char *buf;
	size_t size, start, end;
};

void mnt_table_init(struct mnt_table *t, int fd, char *buf, size_t size);

/* The next line, valid until the call after it. Returns 1, 0 at the end, or -errno; -ENOBUFS for
 * a line longer than the buffer. */
int mnt_table_next(struct mnt_table *t, struct mnt_info *info);

#endif
