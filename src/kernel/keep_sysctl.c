/* SPDX-License-Identifier: MIT
 * Sysctls that several runs need at once, sysctl(8) names under /proc/sys.
 *
 * One file in the state directory for each sysctl and network namespace holds what was
 * there before. Who needs the sysctl has a shared lock on it (flock, which the run and
 * its keeper share, so the claim lives as long as either); whoever lets go and then gets
 * the exclusive lock was the last and puts the value back, unless somebody has changed
 * it since. All under the lock on the directory.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kernel/keeper.h"
#include "kernel/util.h"

#define MAGIC "luabox-sysctl 1"
#define VALUE 256
#define LINE 512 /* "was PATH VALUE" */

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* ---- names and values ---- */

/* As sysctl(8): the first separator tells which of '.' and '/' parts the names. */
static int path_of(const char *name, char path[NAME_MAX])
{
	size_t first = strcspn(name, "./"), length = strlen(name);

	if (!length || length >= KEEP_SYSCTL_NAME || !name[first] || strstr(name, "..") ||
	    strstr(name, "//") || *name == '/' || *name == '.' || strpbrk(name, " \n!"))
		return -EINVAL;
	for (size_t i = 0; i <= length; i++) {
		path[i] = name[i];
		if (name[first] == '.' && name[i] == '.')
			path[i] = '/';
		else if (name[first] == '.' && name[i] == '/')
			path[i] = '.';
	}
	return 0;
}

static int open_root(void)
{
	return open("/proc/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int read_value(int root, const char *path, char value[VALUE])
{
	ssize_t n = util_read_file(root, path, value, VALUE);

	if (n > 0 && value[n - 1] == '\n')
		value[n - 1] = '\0';
	return n < 0 ? (int)n : strchr(value, '\n') ? -EFBIG : 0;
}

/* "1024 65000" is written, "1024<tab>65000" is read. */
static int same_value(const char *a, const char *b)
{
	for (;;) {
		size_t la, lb;

		a += strspn(a, " \t");
		b += strspn(b, " \t");
		la = strcspn(a, " \t");
		lb = strcspn(b, " \t");
		if (la != lb || memcmp(a, b, la))
			return 0;
		if (!la)
			return 1;
		a += la;
		b += lb;
	}
}

uint64_t keep_net_cookie(void)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t size = sizeof cookie;
	struct stat st;

	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0)
		return cookie;
	return stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0; /* before Linux 5.14 */
}

/* Only those under net/ are a network namespace's own. */
static uint64_t cookie_for(const char *path)
{
	return strncmp(path, "net/", 4) ? 0 : keep_net_cookie();
}

static void file_of(const char *path, char file[NAME_MAX + 1])
{
	int n = snprintf(file, NAME_MAX + 1, KEEP_CLAIM "%llu-", (unsigned long long)cookie_for(path));

	for (const char *s = path; n < NAME_MAX; s++) {
		file[n++] = *s == '/' ? '!' : *s;
		if (!*s)
			return;
	}
	file[n] = '\0';
}

int keep_sysctl_file(const char *name, char file[NAME_MAX + 1])
{
	char path[NAME_MAX];
	int rc = path_of(name, path);

	if (rc == 0)
		file_of(path, file);
	return rc;
}

/* ---- the file ---- */

/* The line at *offset, without its end; false at the end of the file. */
static int next_line(int fd, off_t *offset, char line[LINE])
{
	ssize_t n = pread(fd, line, LINE - 1, *offset);
	char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;

	if (!end)
		return 0;
	*end = '\0';
	*offset += end - line + 1;
	return 1;
}

static int has_boot(const char *line)
{
	char boot[64];

	if (util_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, sizeof boot) < 0)
		return 0;
	boot[strcspn(boot, "\n")] = '\0';
	return !strncmp(line, "boot ", 5) && !strcmp(line + 5, boot);
}

/* Gives the value that the runs have set and where the notes of what was begin;
 * false if the file was not written to its end, or before the machine was started. */
static int read_head(int fd, char value[VALUE], off_t *notes)
{
	char line[LINE], last[LINE] = "";
	off_t at = 0;

	if (!next_line(fd, &at, line) || strcmp(line, MAGIC))
		return 0;
	if (!next_line(fd, &at, line) || !has_boot(line))
		return 0;
	if (!next_line(fd, &at, line) || strncmp(line, "set ", 4) || strlen(line) >= VALUE)
		return 0;
	snprintf(value, VALUE, "%.*s", VALUE - 1, line + 4);
	*notes = at;
	while (next_line(fd, &at, last))
		;
	return !strcmp(last, "end");
}

static int note(FILE *out, int root, const char *path)
{
	char value[VALUE];

	/* one that cannot be read, or is gone, cannot be put back */
	return read_value(root, path, value) == 0 ? fprintf(out, "was %s %s\n", path, value) : 0;
}

/* Forwarding for all is copied to the default and to every device there is. */
static void note_devices(FILE *out, int root, const char *conf)
{
	int fd = openat(root, conf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!dir)
		util_close(fd);
	while (dir && (e = readdir(dir))) {
		char path[NAME_MAX + 64];

		if (e->d_name[0] == '.' || !strcmp(e->d_name, "all"))
			continue;
		snprintf(path, sizeof path, "%s/%s/forwarding", conf, e->d_name);
		note(out, root, path);
	}
	if (dir)
		closedir(dir);
}

static void note_all(FILE *out, int root, const char *path)
{
	note(out, root, path);
	if (!strcmp(path, "net/ipv4/ip_forward") || !strcmp(path, "net/ipv4/conf/all/forwarding")) {
		note(out, root, "net/ipv4/conf/all/accept_redirects");
		note_devices(out, root, "net/ipv4/conf");
	}
	if (!strcmp(path, "net/ipv6/conf/all/forwarding"))
		note_devices(out, root, "net/ipv6/conf");
}

static int write_file(int fd, int root, const char *path, const char *value)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), failed;
	FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
	char boot[64] = "";

	if (!out) {
		util_close(copy);
		return -ENOMEM;
	}
	util_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, sizeof boot);
	boot[strcspn(boot, "\n")] = '\0';
	failed = ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0;
	fprintf(out, MAGIC "\nboot %s\nset %s\n", boot, value);
	note_all(out, root, path);
	fputs("end\n", out);
	failed |= ferror(out);
	return fclose(out) || failed ? -(errno ? errno : EIO) : 0;
}

/* ---- putting back ---- */

static void put_back(int root, char *text)
{
	char *value = strchr(text, ' '), now[VALUE];

	if (!value)
		return;
	*value++ = '\0';
	if (read_value(root, text, now) == 0 && !same_value(now, value))
		util_write_file(root, text, value);
}

/* Whether the sysctl itself, which is the first noted, still has the value 'set'. */
static int still_set(int fd, off_t notes, int root, const char *set)
{
	char line[LINE], now[VALUE];

	if (!next_line(fd, &notes, line) || strncmp(line, "was ", 4))
		return 0;
	line[4 + strcspn(line + 4, " ")] = '\0';
	return read_value(root, line + 4, now) == 0 && same_value(now, set);
}

/* The sysctl first, since that resets the devices', then those that differ. A value
 * that is no longer the runs' is somebody's, and stays. */
static void restore(int fd, int root)
{
	char set[VALUE], line[LINE];
	off_t at;

	if (!read_head(fd, set, &at) || !still_set(fd, at, root, set))
		return;
	while (next_line(fd, &at, line) && !strncmp(line, "was ", 4))
		put_back(root, line + 4);
}

/* ---- claiming ---- */

struct claim {
	int dir, root;
	const char *path, *value, *file;
	char now[VALUE];
};

static int refuse(const struct claim *c, const char *set, struct fault *f)
{
	fault_set(f, EBUSY, "set sysctl", "%s to %s", c->path, c->value);
	return fault_hint(
		f,
		"another luabox run needs it to be %s; run this one in a network namespace of its own, "
		"or after the other",
		set);
}

/* Nobody else holds the file: what is in it is of runs that were killed with their
 * keepers, and the first value noted is still the one to put back. */
static int claim_alone(const struct claim *c, int fd, struct fault *f)
{
	char set[VALUE];
	off_t notes;
	int rc;

	if (read_head(fd, set, &notes) && still_set(fd, notes, c->root, set)) {
		if (same_value(set, c->value))
			return 1;
		restore(fd, c->root);
	}
	if (same_value(c->now, c->value)) {
		unlinkat(c->dir, c->file, 0);
		return 0;
	}
	rc = write_file(fd, c->root, c->path, c->value);
	if (rc == 0)
		return 1;
	unlinkat(c->dir, c->file, 0);
	return fault_set(f, -rc, "write", "%s", c->file);
}

/* Returns 1 if the claim is needed, 0 if the host has that value anyway. */
static int claim_file(const struct claim *c, int fd, struct fault *f)
{
	char set[VALUE];
	off_t notes;
	int rc = 1;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		rc = claim_alone(c, fd, f);
	else if (read_head(fd, set, &notes) && !same_value(set, c->value))
		return refuse(c, set, f);
	if (rc == 1 && flock(fd, LOCK_SH) < 0) /* at once: we hold the directory */
		return fault_set(f, errno, "flock", "%s", c->file);
	return rc;
}

static int claim_locked(struct claim *c, int *fd, struct fault *f)
{
	cleanup_fd int file = -1;
	int rc = read_value(c->root, c->path, c->now);

	if (rc < 0) {
		fault_set(f, -rc, "read sysctl", "%s", c->path);
		return rc == -ENOENT
			       ? fault_hint(f, "this kernel has no such sysctl, or a module is not loaded")
			       : rc;
	}
	file = openat(c->dir, c->file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return fault_set(f, errno, "open", "%s", c->file);
	rc = claim_file(c, file, f);
	if (rc == 1)
		*fd = take_fd(&file);
	return rc;
}

int keep_sysctl_claim(int dir, const char *name, const char *value, int *fd, char file[NAME_MAX + 1],
		      struct fault *f)
{
	cleanup_fd int root = open_root();
	char path[NAME_MAX];
	struct claim c = { .dir = dir, .root = root, .path = path, .value = value, .file = file };
	int rc;

	*fd = -1;
	if (path_of(name, path) < 0)
		return fault_set(f, EINVAL, "set sysctl", "%s", name);
	if (strlen(value) >= KEEP_SYSCTL_VALUE || strchr(value, '\n'))
		return fault_set(f, EINVAL, "set sysctl", "%s", name);
	if (root < 0)
		return fault_set(f, errno, "open", "/proc/sys");
	file_of(path, file);
	rc = keep_lock_dir(dir, f);
	if (rc < 0)
		return rc;
	rc = claim_locked(&c, fd, f);
	if (rc != 1)
		keep_unlock_dir(dir);
	return rc < 0 ? rc : 0;
}

int keep_sysctl_set(int dir, const char *name, const char *value, struct fault *f)
{
	cleanup_fd int root = open_root();
	char path[NAME_MAX];
	int rc = path_of(name, path);

	rc = rc < 0 ? rc : util_write_file(root, path, value);
	keep_unlock_dir(dir);
	if (rc == 0)
		return 0;
	fault_set(f, -rc, "set sysctl", "%s to %s", name, value);
	if (rc == -EACCES || rc == -EPERM || rc == -EROFS)
		fault_hint(f, "it takes root in the namespace that owns it, and /proc/sys must be writable");
	else if (rc == -EINVAL)
		fault_hint(f, "the kernel does not take this value");
	return rc;
}

/* ---- letting go ---- */

static int is_other_namespace(const char *file)
{
	unsigned long long cookie;

	return sscanf(file, KEEP_CLAIM "%llu-", &cookie) == 1 && cookie && cookie != keep_net_cookie();
}

static int drop_locked(int dir, const char *file, int fd)
{
	cleanup_fd int own = -1, root = open_root();

	if (root < 0)
		return -errno;
	if (fd < 0)
		fd = own = openat(dir, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		restore(fd, root);
		unlinkat(dir, file, 0);
	}
	flock(fd, LOCK_UN); /* or the others need it still: the last of them puts it back */
	return 0;
}

int keep_sysctl_discard(int dir, const char *file)
{
	cleanup_fd int fd = -1;
	int rc;

	if (strncmp(file, KEEP_CLAIM, strlen(KEEP_CLAIM)) || strchr(file, '/'))
		return -EINVAL;
	rc = keep_lock_dir(dir, NULL);
	if (rc < 0)
		return rc;
	fd = openat(dir, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(dir, file, 0);
	keep_unlock_dir(dir);
	return 0;
}

int keep_sysctl_drop(int dir, const char *file, int fd)
{
	int rc;

	if (strncmp(file, KEEP_CLAIM, strlen(KEEP_CLAIM)) || strchr(file, '/'))
		return -EINVAL;
	if (is_other_namespace(file))
		return -EXDEV;
	rc = keep_lock_dir(dir, NULL);
	if (rc < 0)
		return rc;
	rc = drop_locked(dir, file, fd);
	keep_unlock_dir(dir);
	return rc;
}
