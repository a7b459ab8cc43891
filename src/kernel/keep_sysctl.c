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
#include "kernel/system.h"
#include "kernel/util.h"

#define MAGIC "luabox-sysctl 1"
#define VALUE 256
#define LINE 512 /* "was PATH VALUE" */
#define TRIES 3

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* ---- names and values ---- */

/* Not the characters that part the words of a record and of a file's name. */
static int path_of(const char *name, char path[SYS_SYSCTL_SIZE])
{
	if (strlen(name) >= KEEP_SYSCTL_NAME || !name[strcspn(name, "./")] || strpbrk(name, " \n!"))
		return -EINVAL;
	return sys_sysctl_path(name, path);
}

static int open_root(void)
{
	return retry_eintr(open("/proc/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
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

int keep_net_cookie(uint64_t *cookie)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof *cookie;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &size) == 0)
		return 0;
	if (errno != ENOPROTOOPT)
		return -errno;
	if (stat("/proc/self/ns/net", &st) < 0) /* before Linux 5.14 */
		return -errno;
	*cookie = st.st_ino;
	return 0;
}

/* Only those under net/ are a network namespace's own. */
static int file_of(const char *path, char file[NAME_MAX + 1])
{
	uint64_t cookie = 0;
	int n = strncmp(path, "net/", 4) ? 0 : keep_net_cookie(&cookie);

	if (n < 0)
		return n;
	n = snprintf(file, NAME_MAX + 1, KEEP_CLAIM "%llu-", (unsigned long long)cookie);
	for (const char *s = path; n < NAME_MAX; s++) {
		file[n++] = *s == '/' ? '!' : *s;
		if (!*s)
			return 0;
	}
	file[n] = '\0';
	return 0;
}

int keep_sysctl_file(const char *name, char file[NAME_MAX + 1])
{
	char path[SYS_SYSCTL_SIZE];
	int rc = path_of(name, path);

	return rc < 0 ? rc : file_of(path, file);
}

/* ---- the file ---- */

/* The line at *offset, without its end. 1; 0 at the end of the file; -errno. */
static int next_line(int fd, off_t *offset, char line[LINE])
{
	ssize_t n = retry_eintr(pread(fd, line, LINE - 1, *offset));
	char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;

	if (n < 0)
		return -errno;
	if (!end)
		return 0;
	*end = '\0';
	*offset += end - line + 1;
	return 1;
}

static int read_boot(char boot[64])
{
	ssize_t n = util_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, 64);

	if (n < 0)
		return (int)n;
	boot[strcspn(boot, "\n")] = '\0';
	return 0;
}

/* Gives the value that the runs have set and where the notes of what was begin. 1; 0 if the file
 * was not written to its end, or before the machine was started; -errno. */
static int read_head(int fd, char value[VALUE], off_t *notes)
{
	char line[LINE], last[LINE] = "", boot[64];
	off_t at = 0;
	int rc;

	if ((rc = next_line(fd, &at, line)) <= 0 || strcmp(line, MAGIC) ||
	    (rc = next_line(fd, &at, line)) <= 0 || strncmp(line, "boot ", 5) || (rc = read_boot(boot)) < 0 ||
	    strcmp(line + 5, boot) || (rc = next_line(fd, &at, line)) <= 0 || strncmp(line, "set ", 4) ||
	    strlen(line) >= VALUE)
		return rc < 0 ? rc : 0;
	snprintf(value, VALUE, "%.*s", VALUE - 1, line + 4);
	*notes = at;
	while ((rc = next_line(fd, &at, last)) > 0)
		;
	return rc < 0 ? rc : !strcmp(last, "end");
}

static int note(FILE *out, int root, const char *path)
{
	char value[VALUE];
	int rc = read_value(root, path, value);

	if (rc == -ENOENT || rc == -EACCES || rc == -EFBIG)
		return 0; /* one that cannot be read, or is gone, cannot be put back */
	if (rc < 0)
		return rc;
	return fprintf(out, "was %s %s\n", path, value) < 0 ? -ENOMEM : 0;
}

/* Forwarding for all is copied to the default and to every device there is. */
static int note_devices(FILE *out, int root, const char *conf)
{
	int fd = retry_eintr(openat(root, conf, O_RDONLY | O_DIRECTORY | O_CLOEXEC)), rc = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!dir) {
		rc = fd < 0 && errno == ENOENT ? 0 : -errno; /* without IPv6 */
		util_close(fd);
		return rc;
	}
	while (rc == 0 && (errno = 0, e = readdir(dir))) {
		char path[NAME_MAX + 64];

		if (e->d_name[0] == '.' || !strcmp(e->d_name, "all"))
			continue;
		snprintf(path, sizeof path, "%s/%s/forwarding", conf, e->d_name);
		rc = note(out, root, path);
	}
	rc = rc < 0 ? rc : -errno;
	closedir(dir);
	return rc;
}

static int note_all(FILE *out, int root, const char *path)
{
	int rc = note(out, root, path);

	if (rc == 0 &&
	    (!strcmp(path, "net/ipv4/ip_forward") || !strcmp(path, "net/ipv4/conf/all/forwarding"))) {
		rc = note(out, root, "net/ipv4/conf/all/accept_redirects");
		rc = rc < 0 ? rc : note_devices(out, root, "net/ipv4/conf");
	}
	if (rc == 0 && !strcmp(path, "net/ipv6/conf/all/forwarding"))
		rc = note_devices(out, root, "net/ipv6/conf");
	return rc;
}

static int write_file(int fd, int root, const char *path, const char *value)
{
	FILE *out;
	char boot[64];
	int copy, rc = read_boot(boot);

	if (rc < 0)
		return rc;
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	out = copy < 0 ? NULL : fdopen(copy, "w");
	if (!out) {
		rc = -errno;
		util_close(copy);
		return rc;
	}
	fprintf(out, MAGIC "\nboot %s\nset %s\n", boot, value);
	rc = note_all(out, root, path);
	fputs("end\n", out);
	if (rc == 0 && (fflush(out) || ferror(out)))
		rc = errno ? -errno : -EIO;
	fclose(out);
	return rc;
}

/* ---- putting back ---- */

static int put_back(int root, const char *path, const char *value)
{
	char now[VALUE];
	int rc = read_value(root, path, now);

	if (rc == 0 && !same_value(now, value))
		rc = util_write_file(root, path, value);
	return rc == -ENOENT ? 0 : rc;
}

/* Whether the sysctl itself, which is the first noted, still has the value 'set'. 1, 0 or -errno. */
static int still_set(int fd, off_t notes, int root, const char *set)
{
	char line[LINE], now[VALUE];
	int rc = next_line(fd, &notes, line);

	if (rc <= 0 || strncmp(line, "was ", 4))
		return rc < 0 ? rc : 0;
	line[4 + strcspn(line + 4, " ")] = '\0';
	rc = read_value(root, line + 4, now);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	return same_value(now, set);
}

/* The first is the sysctl itself; when it is back, the rest can be put back only now: so what may
 * be for a moment (ENOMEM) is tried again. */
static int put_back_all(int fd, int root, off_t at)
{
	char line[LINE], path[SYS_SYSCTL_SIZE];
	int rc, result = 0;

	while ((rc = next_line(fd, &at, line)) > 0 && !strncmp(line, "was ", 4)) {
		char *value = strchr(line + 4, ' ');

		if (!value)
			continue;
		*value++ = '\0';
		if (sys_sysctl_path(line + 4, path) < 0) /* the file is damaged */
			continue;
		for (int i = 0; i < TRIES && (rc = put_back(root, path, value)) < 0; i++)
			;
		result = result ? result : rc;
	}
	return result ? result : rc < 0 ? rc : 0;
}

/* The sysctl first, since that resets the devices', then those that differ. A value
 * that is no longer the runs' is somebody's, and stays. */
static int restore(int fd, int root)
{
	char set[VALUE];
	off_t at;
	int rc = read_head(fd, set, &at);

	rc = rc <= 0 ? rc : still_set(fd, at, root, set);
	return rc <= 0 ? rc : put_back_all(fd, root, at);
}

/* ---- the locks ---- */

/* Whether nobody else holds the file: 1, 0 or -errno. */
static int lock_alone(int fd)
{
	if (retry_eintr(flock(fd, LOCK_EX | LOCK_NB)) == 0)
		return 1;
	return errno == EWOULDBLOCK ? 0 : -errno;
}

/* With the directory locked: the last one puts back what was there, and removes the file. */
static int drop_locked(int dir, const char *file, int fd)
{
	cleanup_fd int own = -1, root = open_root();
	int rc;

	if (root < 0)
		return -errno;
	if (fd < 0)
		fd = own = retry_eintr(openat(dir, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC));
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = lock_alone(fd);
	if (rc > 0) {
		rc = restore(fd, root);
		if (rc == 0 && unlinkat(dir, file, 0) < 0 && errno != ENOENT)
			rc = -errno;
	}
	flock(fd, LOCK_UN); /* or the others need it still: the last of them puts it back */
	return rc;
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
	int rc = read_head(fd, set, &notes);

	rc = rc <= 0 ? rc : still_set(fd, notes, c->root, set);
	if (rc > 0) {
		if (same_value(set, c->value))
			return 1;
		rc = restore(fd, c->root);
	}
	if (rc < 0)
		return fault_set(f, -rc, "read", "%s", c->file);
	rc = same_value(c->now, c->value) ? 0 : write_file(fd, c->root, c->path, c->value);
	if (rc < 0)
		return fault_set(f, -rc, "write", "%s", c->file);
	return !same_value(c->now, c->value);
}

/* Returns 1 if the claim is needed, 0 if the host has that value anyway. */
static int claim_file(const struct claim *c, int fd, struct fault *f)
{
	char set[VALUE];
	off_t notes;
	int rc = lock_alone(fd);

	if (rc > 0) {
		rc = claim_alone(c, fd, f);
		if (rc <= 0)
			return rc;
	} else if (rc == 0) {
		rc = read_head(fd, set, &notes);
		if (rc > 0 && !same_value(set, c->value))
			return refuse(c, set, f);
	}
	if (rc >= 0 && retry_eintr(flock(fd, LOCK_SH)) < 0) /* at once: we hold the directory */
		rc = -errno;
	return rc < 0 ? fault_set(f, -rc, "flock", "%s", c->file) : 1;
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
	file = retry_eintr(openat(c->dir, c->file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
	if (file < 0)
		return fault_set(f, errno, "open", "%s", c->file);
	rc = claim_file(c, file, f);
	if (rc == 1)
		*fd = take_fd(&file);
	else
		drop_locked(c->dir, c->file, file);
	return rc;
}

int keep_sysctl_claim(int dir, const char *name, const char *value, int *fd, char file[NAME_MAX + 1],
		      struct fault *f)
{
	cleanup_fd int root = open_root();
	char path[SYS_SYSCTL_SIZE];
	struct claim c = { .dir = dir, .root = root, .path = path, .value = value, .file = file };
	int rc;

	*fd = -1;
	if (path_of(name, path) < 0)
		return fault_set(f, EINVAL, "set sysctl", "%s", name);
	if (strlen(value) >= KEEP_SYSCTL_VALUE || strchr(value, '\n'))
		return fault_set(f, EINVAL, "set sysctl", "%s", name);
	if (root < 0)
		return fault_set(f, errno, "open", "/proc/sys");
	rc = file_of(path, file);
	if (rc < 0)
		return fault_set(f, -rc, "read", "the cookie of this network namespace");
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
	char path[SYS_SYSCTL_SIZE];
	int rc = root < 0 ? -errno : path_of(name, path);

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

/* 0 if the claim is on a sysctl of this network namespace, or of none. */
static int check_namespace(const char *file)
{
	unsigned long long cookie;
	uint64_t here;
	int rc;

	if (sscanf(file, KEEP_CLAIM "%llu-", &cookie) != 1 || !cookie)
		return 0;
	rc = keep_net_cookie(&here);
	return rc < 0 ? rc : cookie == here ? 0 : -EXDEV;
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
	fd = retry_eintr(openat(dir, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC));
	rc = fd < 0 ? -errno : lock_alone(fd);
	if (rc > 0)
		rc = unlinkat(dir, file, 0) < 0 ? -errno : 0;
	keep_unlock_dir(dir);
	return rc == -ENOENT ? 0 : rc;
}

int keep_sysctl_drop(int dir, const char *file, int fd)
{
	int rc;

	if (strncmp(file, KEEP_CLAIM, strlen(KEEP_CLAIM)) || strchr(file, '/'))
		return -EINVAL;
	rc = check_namespace(file);
	rc = rc < 0 ? rc : keep_lock_dir(dir, NULL);
	if (rc < 0)
		return rc;
	rc = drop_locked(dir, file, fd);
	keep_unlock_dir(dir);
	return rc;
}
