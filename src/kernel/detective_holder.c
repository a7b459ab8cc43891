/* SPDX-License-Identifier: MIT
 * Who uses a mount: each process's directories, program, descriptors and mapped files say by their links in
 * /proc which mount they are on (statx(2)). A Unix socket keeps the mount that it is bound on, and is
 * found by its path.
 */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/detective.h"
#include "kernel/procfs.h"
#include "kernel/util.h"

struct search {
	enum detect_use use;
	struct statx place; /* the mount, and its file system */
	int own[3];         /* the search's own descriptors, which may be on that very mount */
	int is_own;         /* the process looked at is this one */
	char pid[16];       /* of the process looked at */
	const char *socket; /* looked for instead: "socket:[123]" */
	int found;          /* in this process */
	int others;         /* processes, after the first */
	char *text;         /* about the first; "" as long as there is none */
	size_t size;
};

static int open_directory(const char *path)
{
	return retry_eintr(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/* ---- one use ---- */

static int is_on_mount(const struct search *s, const char *path)
{
	struct statx st;

	/* what a link of /proc leads to is not opened; a remote file system is not asked */
	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
		return 0;
	if (s->use == DETECT_WRITERS)
		return st.stx_dev_major == s->place.stx_dev_major &&
		       st.stx_dev_minor == s->place.stx_dev_minor;
	return st.stx_mnt_id == s->place.stx_mnt_id;
}

static int is_for_writing(const struct search *s, const char *fd)
{
	char path[64], text[512];
	const char *flags;

	snprintf(path, sizeof path, "/proc/%s/fdinfo/%.16s", s->pid, fd);
	if (util_read_file(AT_FDCWD, path, text, sizeof text) <= 0)
		return 0;
	flags = strstr(text, "flags:");
	return flags && strtol(flags + strlen("flags:"), NULL, 8) & O_ACCMODE;
}

static int is_own_descriptor(const struct search *s, const char *name)
{
	int fd = atoi(name);

	return s->is_own && (fd == s->own[0] || fd == s->own[1] || fd == s->own[2]);
}

/* Notes what the first process does with what. */
static int note(struct search *s, const char *link, const char *before, const char *after)
{
	char command[20], what[PATH_MAX];
	ssize_t n = readlink(link, what, sizeof what - 1);

	s->found = 1;
	if (*s->text) {
		s->others++;
		return 1;
	}
	what[n < 0 ? 0 : n] = '\0';
	proc_name(atoi(s->pid), command, sizeof command);
	snprintf(s->text, s->size, "%s%s (pid %s) %s %.120s%s", s->is_own ? "this process itself, " : "",
		 command, s->pid, before, what, after);
	return 1;
}

/* ---- one process ---- */

static int visit_descriptor(int dir, const char *name, unsigned char type, void *data)
{
	struct search *s = data;
	char path[64], after[40], link[64];
	ssize_t n;

	(void)dir;
	(void)type;
	if (!isdigit((unsigned char)*name) || is_own_descriptor(s, name))
		return 0;
	snprintf(path, sizeof path, "/proc/%s/fd/%.16s", s->pid, name);
	snprintf(after, sizeof after, " open (descriptor %.16s)", name);
	if (s->socket) {
		n = readlink(path, link, sizeof link - 1);
		link[n < 0 ? 0 : n] = '\0';
		return !strcmp(link, s->socket);
	}
	if (!is_on_mount(s, path) || (s->use == DETECT_WRITERS && !is_for_writing(s, name)))
		return 0;
	return note(s, path, "has", after);
}

static int visit_mapping(int dir, const char *name, unsigned char type, void *data)
{
	struct search *s = data;
	char path[96];

	(void)dir;
	(void)type;
	if (*name == '.')
		return 0;
	snprintf(path, sizeof path, "/proc/%s/map_files/%.48s", s->pid, name);
	return is_on_mount(s, path) ? note(s, path, "has", " mapped") : 0;
}

/* Visits what is in a directory of the process's own. */
static int each_in(struct search *s, const char *name,
		   int (*visit)(int dir, const char *name, unsigned char type, void *data))
{
	char path[48];
	cleanup_fd int dir = -1;
	int rc;

	snprintf(path, sizeof path, "/proc/%s/%s", s->pid, name);
	dir = open_directory(path);
	s->own[1] = dir;
	rc = dir < 0 ? 0 : util_each_entry(dir, visit, s);
	s->own[1] = -1;
	return rc > 0;
}

static int visit_links(struct search *s)
{
	static const char *const links[][3] = {
		{ "cwd", "has its working directory on it:", "" },
		{ "root", "has its root directory on it:", "" },
		{ "exe", "runs", "" },
	};
	char path[48];

	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		snprintf(path, sizeof path, "/proc/%s/%s", s->pid, links[i][0]);
		if (is_on_mount(s, path))
			return note(s, path, links[i][1], links[i][2]);
	}
	return 0;
}

static int visit_process(int dir, const char *name, unsigned char type, void *data)
{
	struct search *s = data;

	(void)dir;
	(void)type;
	if (!isdigit((unsigned char)*name))
		return 0;
	snprintf(s->pid, sizeof s->pid, "%.15s", name);
	s->is_own = atoi(name) == getpid();
	if (s->socket)
		return each_in(s, "fd", visit_descriptor);
	if (s->use == DETECT_ANY_USE && visit_links(s))
		return 0;
	if (!each_in(s, "fd", visit_descriptor) && s->use == DETECT_ANY_USE)
		each_in(s, "map_files", visit_mapping);
	return 0;
}

static int each_process(struct search *s)
{
	cleanup_fd int proc = open_directory("/proc");
	int rc;

	s->own[0] = proc;
	rc = proc < 0 ? 0 : util_each_entry(proc, visit_process, s);
	s->own[0] = -1;
	return rc > 0;
}

/* ---- Unix sockets ---- */

/* A line of /proc/net/unix ends with the inode and, if it has one, the path. */
static int is_bound_on(const struct search *s, char *line, const char **path, unsigned long *inode)
{
	char *at = strchr(line, '/');

	if (!at || sscanf(line, "%*s %*s %*s %*s %*s %*s %lu", inode) != 1)
		return 0;
	*path = at;
	return is_on_mount(s, at);
}

static void note_socket(struct search *s, const char *path, unsigned long inode)
{
	char name[40], command[20];

	snprintf(name, sizeof name, "socket:[%lu]", inode);
	s->socket = name;
	if (each_process(s)) {
		proc_name(atoi(s->pid), command, sizeof command);
		snprintf(s->text, s->size, "%s (pid %s) has the Unix socket %.120s bound", command, s->pid,
			 path);
	} else {
		snprintf(s->text, s->size, "the Unix socket %.120s is bound on it", path);
	}
	s->socket = NULL;
}

static void look_at_sockets(struct search *s)
{
	cleanup_fd int fd = retry_eintr(open("/proc/net/unix", O_RDONLY | O_CLOEXEC));
	char text[4096], *end;
	size_t have = 0;
	unsigned long inode;
	const char *path;
	ssize_t n;

	s->own[2] = fd;
	while (fd >= 0 && !*s->text && (n = retry_eintr(read(fd, text + have, sizeof text - 1 - have))) > 0) {
		char *line = text;

		have += (size_t)n;
		text[have] = '\0';
		for (; !*s->text && (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			if (is_bound_on(s, line, &path, &inode))
				note_socket(s, path, inode);
		}
		have = strlen(line);
		memmove(text, line, have + 1);
	}
}

/* ---- the search ---- */

int detect_holder(const char *path, enum detect_use use, char *text, size_t size)
{
	struct search s = { .use = use, .own = { -1, -1, -1 }, .text = text, .size = size };
	size_t length;

	*text = '\0';
	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_MNT_ID, &s.place) < 0)
		return 0;
	each_process(&s);
	if (!*text && use == DETECT_ANY_USE)
		look_at_sockets(&s);
	length = strlen(text);
	if (s.others)
		snprintf(text + length, size - length, ", and %d more process%s use%s it", s.others,
			 s.others > 1 ? "es" : "", s.others > 1 ? "" : "s");
	return *text != '\0';
}
