/* SPDX-License-Identifier: MIT */
#include "kernel/nsscan.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/util.h"

int ns_scan_open(DIR **proc, struct fault *f)
{
	*proc = opendir("/proc");
	return *proc ? 0 : fault_set(f, errno, "open", "/proc");
}

/* "PID (NAME) STATE PARENT …"; a name may have anything in it, a parenthesis too. */
static int parse_stat(char *stat, struct ns_process *p)
{
	char *open = strchr(stat, '('), *close = strrchr(stat, ')');
	int parent;

	if (!open || !close || close < open || sscanf(close, ") %*c %d", &parent) != 1)
		return -EINVAL;
	*close = '\0';
	snprintf(p->name, sizeof p->name, "%s", open + 1);
	p->parent = parent;
	return 0;
}

static int read_stat(int dir, const char *path, struct ns_process *p)
{
	cleanup_fd int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	char text[512];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	n = retry_eintr(read(fd, text, sizeof text - 1));
	if (n <= 0)
		return n < 0 ? -errno : -ESRCH;
	text[n] = '\0';
	p->uid = st.st_uid;
	return parse_stat(text, p);
}

/* fstatat follows the link to the namespace itself, whose inode number is its id. */
static void read_ids(int dir, const char *path, struct ns_process *p)
{
	cleanup_fd int ns = openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	for (int i = 0; i < NS_TYPES; i++)
		p->ids[i] = ns >= 0 && fstatat(ns, ns_types[i].name, &st, 0) == 0 ? st.st_ino : 0;
}

static int read_process(int dir, const char *name, struct ns_process *p)
{
	char path[32];

	if (strlen(name) > 10)
		return -EINVAL;
	p->pid = (pid_t)strtol(name, NULL, 10);
	snprintf(path, sizeof path, "%.10s/ns", name);
	read_ids(dir, path, p);
	snprintf(path, sizeof path, "%.10s/stat", name);
	return read_stat(dir, path, p);
}

int ns_scan_next(DIR *proc, struct ns_process *p, struct fault *f)
{
	struct dirent *entry;

	while ((errno = 0, entry = readdir(proc)))
		if (isdigit((unsigned char)*entry->d_name) &&
		    read_process(dirfd(proc), entry->d_name, p) == 0)
			return 1;
	return errno ? fault_set(f, errno, "read", "/proc") : 0;
}
