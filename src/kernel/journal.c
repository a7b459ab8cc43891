/* SPDX-License-Identifier: MIT
 * The state directory, and the journals in it: a header, then one record a line,
 * each behind '+' (in force), '-' (struck out) or '?' (being written).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "kernel/keeper.h"
#include "kernel/procfs.h"
#include "kernel/util.h"

#define MAGIC "luabox-journal 1\n"
#define NAME "luabox"
#define TRIES 3
#define GRAIN 64         /* records take multiples of this, so that a freed place fits another */
#define BIGGEST 67108864 /* of a journal: hundreds of thousands of records */

/* ---- directory ---- */

static int check_dir(int dir, const char *path, struct fault *f)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return fault_set(f, errno, "stat", "%s", path);
	if (st.st_uid == geteuid() && !(st.st_mode & 077))
		return 0;
	fault_set(f, EPERM, "open", "%s", path);
	return fault_hint(
		f,
		"luabox trusts only a directory of user %u with mode 0700; this one is of user %u, mode %04o",
		geteuid(), st.st_uid, st.st_mode & 07777);
}

static int open_dir(const char *path, int create, struct fault *f)
{
	cleanup_fd int dir = -1;
	int rc, made = create && mkdir(path, 0700) == 0;

	if (create && !made && errno != EEXIST) {
		fault_set(f, errno, "mkdir", "%s", path);
		return fault_hint(f, "luabox notes here what it must undo if it is killed; %s",
				  f && f->error == EROFS ? "mount a tmpfs on /run"
				  : f && f->error == ENOSPC
					  ? "the file system that it is on is full"
					  : "/run, or $XDG_RUNTIME_DIR for an ordinary user, must be "
					    "writable");
	}
	dir = retry_eintr(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	rc = dir < 0 ? fault_set(f, errno, "open", "%s", path) : check_dir(dir, path, f);
	if (rc == -ENOTDIR || rc == -ELOOP)
		fault_hint(f, "it must be a directory, and no symbolic link");
	if (rc < 0 && made)
		rmdir(path);
	return rc < 0 ? rc : take_fd(&dir);
}

int keep_dir(int create, struct fault *f)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];
	int rc = -EACCES;

	if (geteuid() == 0)
		rc = open_dir("/run/" NAME, create, f);
	if ((rc != -EACCES && rc != -EROFS) || (!runtime && geteuid() == 0))
		return rc;
	if (!runtime || *runtime != '/') {
		fault_set(f, ENOENT, "open", "$XDG_RUNTIME_DIR/luabox");
		return fault_hint(
			f,
			"set XDG_RUNTIME_DIR to a directory of yours; luabox notes there what it must undo "
			"if it is killed");
	}
	if (snprintf(path, sizeof path, "%s/" NAME, runtime) >= (int)sizeof path)
		return fault_set(f, ENAMETOOLONG, "open", "$XDG_RUNTIME_DIR/luabox");
	return open_dir(path, create, f);
}

void keep_dir_leave(int dir)
{
	unlinkat(dir, "../" NAME, AT_REMOVEDIR);
}

int keep_lock_dir(int dir, struct fault *f)
{
	return retry_eintr(flock(dir, LOCK_EX)) < 0 ? fault_set(f, errno, "flock", "luabox's state directory")
						    : 0;
}

void keep_unlock_dir(int dir)
{
	for (int i = 0; i < TRIES && flock(dir, LOCK_UN) < 0; i++)
		; /* other runs wait for it */
}

/* ---- header ---- */

int keep_start_time(pid_t pid, uint64_t *start)
{
	char text[PROC_STAT_SIZE];
	unsigned long long ticks;
	int rc = proc_stat(pid, text);

	if (rc < 0)
		return rc;
	if (sscanf(text, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &ticks) != 1)
		return -EBADMSG;
	*start = ticks;
	return 0;
}

static int namespace_inode(const char *path, uint64_t *inode)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	*inode = st.st_ino;
	return 0;
}

static pid_t pid_in(const char *pid, const char *type, uint64_t inode)
{
	char path[NAME_MAX + 32];
	uint64_t found = 0;

	if (*pid < '1' || *pid > '9')
		return 0;
	snprintf(path, sizeof path, "/proc/%s/ns/%s", pid, type);
	return namespace_inode(path, &found) == 0 && found == inode ? (pid_t)strtol(pid, NULL, 10) : 0;
}

pid_t keep_find_process(const char *type, uint64_t inode)
{
	DIR *dir = opendir("/proc");
	const struct dirent *e;
	pid_t pid = 0;

	while (dir && !pid && (e = readdir(dir)))
		pid = pid_in(e->d_name, type, inode);
	if (dir)
		closedir(dir);
	return pid;
}

int keep_header_here(struct keep_header *h, struct fault *f)
{
	const struct {
		const char *path;
		uint64_t *inode;
	} namespaces[] = { { "/proc/self/ns/pid", &h->pid_ns },
			   { "/proc/self/ns/mnt", &h->mnt_ns },
			   { "/proc/self/ns/net", &h->net_ns } };
	const char *path = "/proc/sys/kernel/random/boot_id";
	ssize_t rc;

	memset(h, 0, sizeof *h);
	h->pid = getpid();
	rc = util_read_file(AT_FDCWD, path, h->boot, sizeof h->boot);
	h->boot[strcspn(h->boot, "\n")] = '\0';
	for (size_t i = 0; rc >= 0 && i < sizeof namespaces / sizeof *namespaces; i++)
		rc = namespace_inode(path = namespaces[i].path, namespaces[i].inode);
	if (rc >= 0)
		rc = keep_start_time(h->pid, &h->start), path = "/proc/self/stat";
	if (rc >= 0)
		rc = keep_net_cookie(&h->net_cookie), path = "the cookie of this network namespace";
	if (rc >= 0)
		return 0;
	fault_set(f, (int)-rc, "read", "%s", path);
	return rc == -ENOENT ? fault_hint(f, "mount proc on /proc") : (int)rc;
}

static int format_header(char *text, size_t size, const struct keep_header *h)
{
	return snprintf(text, size,
			MAGIC "boot %s\nrun %d %llu\nnamespaces pid %llu mnt %llu net %llu cookie %llu\n",
			h->boot, h->pid, (unsigned long long)h->start, (unsigned long long)h->pid_ns,
			(unsigned long long)h->mnt_ns, (unsigned long long)h->net_ns,
			(unsigned long long)h->net_cookie);
}

static int parse_header(const char *text, struct keep_header *h)
{
	unsigned long long start, pid_ns, mnt_ns, net_ns, cookie;

	if (strncmp(text, MAGIC, strlen(MAGIC)) ||
	    sscanf(text + strlen(MAGIC),
		   "boot %39s\nrun %d %llu\nnamespaces pid %llu mnt %llu net %llu cookie %llu", h->boot,
		   &h->pid, &start, &pid_ns, &mnt_ns, &net_ns, &cookie) != 7)
		return -EBADMSG;
	h->start = start;
	h->pid_ns = pid_ns;
	h->mnt_ns = mnt_ns;
	h->net_ns = net_ns;
	h->net_cookie = cookie;
	return 0;
}

/* ---- making and opening ---- */

static int lock_file(int journal, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	return fcntl(journal, F_SETLK, &lock) < 0 ? -errno : 0;
}

int keep_journal_lock(int journal)
{
	return lock_file(journal, F_RDLCK);
}

void keep_journal_name(const struct keep_header *h, int n, char name[KEEP_NAME])
{
	snprintf(name, KEEP_NAME, "%d-%llu-%d" KEEP_SUFFIX, h->pid, (unsigned long long)h->start, n);
}

static int write_header(int dir, const struct keep_header *h, const char *name, struct fault *f)
{
	cleanup_fd int fd =
		retry_eintr(openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	char text[512];
	int length = format_header(text, sizeof text, h), rc;

	if (fd < 0)
		return fault_set(f, errno, "create", "journal %s", name);
	rc = keep_journal_lock(fd);
	if (rc == 0 && retry_eintr(write(fd, text, (size_t)length)) != length)
		rc = -errno;
	if (rc == 0)
		return take_fd(&fd);
	unlinkat(dir, name, 0);
	return fault_set(f, -rc, "write", "journal %s", name);
}

int keep_journal_create(int dir, const struct keep_header *h, const char *name, struct fault *f)
{
	int rc = keep_lock_dir(dir, f);

	if (rc < 0)
		return rc;
	rc = write_header(dir, h, name, f);
	keep_unlock_dir(dir);
	return rc;
}

static int check_journal(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1)
		return -EBADMSG;
	return lock_file(fd, F_WRLCK);
}

int keep_journal_open(int dir, const char *name, struct fault *f)
{
	cleanup_fd int fd = -1;
	int rc = keep_lock_dir(dir, f);

	if (rc < 0)
		return rc;
	fd = retry_eintr(openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
	rc = fd < 0 ? -errno : check_journal(fd);
	keep_unlock_dir(dir);
	if (rc == 0)
		return take_fd(&fd);
	rc = rc == -EAGAIN || rc == -EACCES ? -EBUSY : rc == -ELOOP ? -EBADMSG : rc;
	return fault_set(f, -rc, "open", "journal %s", name);
}

/* ---- reading ---- */

/* "+12 cgroup /a": a record in force. */
static const char *parse_record(const char *line, uint32_t *id)
{
	char *end;
	unsigned long value;

	if (*line != '+' || line[1] < '1' || line[1] > '9')
		return NULL;
	value = strtoul(line + 1, &end, 10);
	if (*end != ' ' || value > UINT32_MAX)
		return NULL;
	*id = (uint32_t)value;
	return end + 1;
}

ssize_t keep_journal_size(int journal)
{
	struct stat st;

	if (fstat(journal, &st) < 0)
		return -errno;
	return st.st_size > BIGGEST ? -EFBIG : (ssize_t)st.st_size;
}

ssize_t keep_journal_load(int journal, char *text, size_t size, struct keep_header *h)
{
	ssize_t n = retry_eintr(pread(journal, text, size, 0));
	int rc;

	if (n < 0)
		return -errno;
	text[n] = '\0';
	rc = parse_header(text, h);
	return rc < 0 ? rc : n;
}

/* A line without its end was being written when the machine stopped. */
const char *keep_journal_next(char *text, size_t length, size_t *at, uint32_t *id, size_t *offset)
{
	char *end;

	while ((end = memchr(text + *at, '\n', length - *at))) {
		const char *record;

		*end = '\0';
		*offset = *at;
		*at = (size_t)(end - text) + 1;
		record = parse_record(text + *offset, id);
		if (record)
			return record;
	}
	return NULL;
}

int keep_journal_strike(int journal, off_t offset)
{
	return retry_eintr(pwrite(journal, "-", 1, offset)) == 1 ? 0 : -errno;
}

/* ---- the list of a live run ---- */

/* A free place that is large enough, or a new one at the end. */
static struct keep_slot *find_slot(struct keep_list *l, size_t size)
{
	struct keep_slot *s;

	for (size_t i = 0; i < l->count; i++)
		if (!l->slots[i].id && l->slots[i].size >= size)
			return &l->slots[i];
	if (l->count == l->size) {
		size_t n = l->size ? l->size * 2 : 64;
		void *p = realloc(l->slots, n * sizeof *l->slots);

		if (!p)
			return NULL;
		l->slots = p;
		l->size = n;
	}
	s = &l->slots[l->count];
	*s = (struct keep_slot){ .fd = -1, .offset = l->end, .size = size, .line = malloc(size) };
	if (!s->line)
		return NULL;
	l->count++;
	l->end += (off_t)size;
	return s;
}

/* In two steps: killed between them, the record is not in force, and the run was not
 * answered and has made nothing. Empty lines fill the place. */
static int write_slot(const struct keep_list *l, const struct keep_slot *s, uint32_t id)
{
	char text[KEEP_LINE + GRAIN + 16];
	int length = snprintf(text, sizeof text, "?%u %s", id, s->line);

	memset(text + length, '\n', s->size - (size_t)length);
	if (retry_eintr(pwrite(l->journal, text, s->size, s->offset)) != (ssize_t)s->size)
		return errno ? -errno : -ENOSPC;
	return retry_eintr(pwrite(l->journal, "+", 1, s->offset)) == 1 ? 0 : -errno;
}

int keep_list_add(struct keep_list *l, uint32_t id, const char *line, size_t length, int fd)
{
	size_t size =
		(length + 16 + GRAIN - 1) / GRAIN * GRAIN; /* 16: the state, the id, a space, a newline */
	struct keep_slot *s;
	int rc;

	if (length >= KEEP_LINE)
		return -ENAMETOOLONG;
	s = find_slot(l, size);
	if (!s)
		return -ENOMEM;
	memcpy(s->line, line, length);
	s->line[length] = '\0';
	rc = write_slot(l, s, id);
	if (rc < 0)
		return rc;
	s->id = id;
	s->fd = fd;
	return 0;
}

struct keep_slot *keep_list_last(struct keep_list *l)
{
	struct keep_slot *last = NULL;

	for (size_t i = 0; i < l->count; i++)
		if (l->slots[i].id && (!last || l->slots[i].id > last->id))
			last = &l->slots[i];
	return last;
}

struct keep_slot *keep_list_find(struct keep_list *l, uint32_t id)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->slots[i].id == id)
			return &l->slots[i];
	return NULL;
}

void keep_list_drop(struct keep_list *l, struct keep_slot *s)
{
	keep_journal_strike(l->journal, s->offset);
	util_close(s->fd);
	s->fd = -1;
	s->id = 0;
}
