/* Paths of a hostile root, by openat2 and by hand: both give the same, and never what is outside. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/path.h"
#include "kernel/util.h"
#include "tap.h"

#define DIR "/tmp/path"
#define TRIES 20000

static int root;

static void put(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
}

static void link_to(const char *text, const char *path)
{
	if (symlink(text, path) < 0)
		perror(path);
}

/* Each file holds its own name as the root has it. */
static int make_root(void)
{
	static const char *const directories[] = { DIR,
						   DIR "/root",
						   DIR "/root/a",
						   DIR "/root/a/b",
						   DIR "/root/etc",
						   DIR "/root/proc",
						   DIR "/root/mnt" };
	int rc = 0;

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
		rc = mkdir(directories[i], 0755) < 0 ? -1 : rc;
	put(DIR "/secret", "outside");
	put(DIR "/root/secret", "/secret");
	put(DIR "/root/etc/passwd", "/etc/passwd");
	put(DIR "/root/a/b/file", "/a/b/file");
	link_to("../../secret", DIR "/root/a/up");
	link_to("../../../../../../../../etc/passwd", DIR "/root/a/b/far");
	link_to("/etc/passwd", DIR "/root/a/absolute");
	link_to("/", DIR "/root/a/root");
	link_to("..", DIR "/root/parent");
	link_to("loop", DIR "/root/loop");
	link_to("a/b/", DIR "/root/slash");
	link_to("nowhere", DIR "/root/dangling");
	link_to("/proc/self/root", DIR "/root/escape");
	if (rc < 0 || mount("proc", DIR "/root/proc", "proc", 0, NULL) < 0 ||
	    mount("tmpfs", DIR "/root/mnt", "tmpfs", 0, NULL) < 0)
		return -1;
	put(DIR "/root/mnt/file", "/mnt/file");
	return open(DIR "/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

#define IN_ROOT (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
#define BENEATH (RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)

/* What the opened file says, or what refuses. */
static const struct {
	const char *path;
	int flags;
	uint64_t resolve;
	const char *text;
	int error;
} cases[] = {
	{ "/secret", O_RDONLY, IN_ROOT, "/secret", 0 },
	{ "../secret", O_RDONLY, IN_ROOT, "/secret", 0 },
	{ "a/../../../secret", O_RDONLY, IN_ROOT, "/secret", 0 },
	{ "a/b/../b/./file", O_RDONLY, IN_ROOT, "/a/b/file", 0 },
	{ "a/up", O_RDONLY, IN_ROOT, "/secret", 0 },
	{ "a/b/far", O_RDONLY, IN_ROOT, "/etc/passwd", 0 },
	{ "a/absolute", O_RDONLY, IN_ROOT, "/etc/passwd", 0 },
	{ "a/root/secret", O_RDONLY, IN_ROOT, "/secret", 0 },
	{ "a/root/../parent/parent/secret", O_RDONLY, IN_ROOT, "/secret", 0 },
	{ "a/b/../../parent/a/absolute", O_RDONLY, IN_ROOT, "/etc/passwd", 0 },
	{ "slash/file", O_RDONLY, IN_ROOT, "/a/b/file", 0 },
	{ "mnt/file", O_RDONLY, IN_ROOT, "/mnt/file", 0 },
	{ "mnt/../secret", O_RDONLY, IN_ROOT, "/secret", 0 },
	{ "loop", O_RDONLY, IN_ROOT, NULL, ELOOP },
	{ "dangling", O_RDONLY, IN_ROOT, NULL, ENOENT },
	{ "dangling/x", O_RDONLY, IN_ROOT, NULL, ENOENT },
	{ "secret/", O_RDONLY, IN_ROOT, NULL, ENOTDIR },
	{ "secret/x", O_RDONLY, IN_ROOT, NULL, ENOTDIR },
	{ "a/up/", O_RDONLY, IN_ROOT, NULL, ENOTDIR },
	{ "", O_RDONLY, IN_ROOT, NULL, ENOENT },
	{ "a", O_WRONLY, IN_ROOT, NULL, EISDIR },
	{ "a/", O_RDONLY | O_DIRECTORY, IN_ROOT, "", 0 },
	{ "secret", O_PATH | O_DIRECTORY, IN_ROOT, NULL, ENOTDIR },
	{ "a/up", O_RDONLY | O_NOFOLLOW, IN_ROOT, NULL, ELOOP },
	{ "a/up", O_PATH | O_NOFOLLOW, IN_ROOT, "", 0 },
	{ "secret", O_WRONLY | O_CREAT | O_EXCL, IN_ROOT, NULL, EEXIST },
	{ "dangling", O_WRONLY | O_CREAT | O_EXCL, IN_ROOT, NULL, EEXIST },
	{ "escape/tmp/path/secret", O_RDONLY, IN_ROOT, NULL, ELOOP },
	{ "proc/self/root", O_PATH, IN_ROOT, NULL, ELOOP },
	{ "proc/self/exe", O_RDONLY, IN_ROOT, NULL, ELOOP },
	{ "proc/self/fd/0", O_RDONLY, IN_ROOT, NULL, ELOOP },
	{ "proc/thread-self/cwd/x", O_RDONLY, IN_ROOT, NULL, ELOOP },
	{ "proc/self/status", O_PATH, IN_ROOT, "", 0 },
	{ "proc/mounts", O_PATH, IN_ROOT, "", 0 },
	{ "/secret", O_RDONLY, BENEATH, NULL, EXDEV },
	{ "..", O_PATH, BENEATH, NULL, EXDEV },
	{ "a/../secret", O_RDONLY, BENEATH, "/secret", 0 },
	{ "a/absolute", O_RDONLY, BENEATH, NULL, EXDEV },
	{ "a/b/far", O_RDONLY, BENEATH, NULL, EXDEV },
	{ "slash/file", O_RDONLY, BENEATH, "/a/b/file", 0 },
	{ "slash/file", O_RDONLY, BENEATH | RESOLVE_NO_SYMLINKS, NULL, ELOOP },
	{ "a/up", O_PATH | O_NOFOLLOW, BENEATH | RESOLVE_NO_SYMLINKS, "", 0 },
	{ "mnt/file", O_RDONLY, BENEATH | RESOLVE_NO_XDEV, NULL, EXDEV },
	{ "a/b/file", O_RDONLY, BENEATH | RESOLVE_NO_XDEV, "/a/b/file", 0 },
};

static void check(size_t i, const char *how, int fd)
{
	char text[64] = "";

	if (fd >= 0 && cases[i].text && *cases[i].text && read(fd, text, sizeof text - 1) < 0)
		perror("read");
	if (cases[i].text)
		ok(fd >= 0 && !strcmp(text, cases[i].text), "%s: \"%s\" is %s (%s)", how, cases[i].path,
		   *cases[i].text ? cases[i].text : "opened", fd < 0 ? strerrorname_np(-fd) : text);
	else
		is_integer(fd, -cases[i].error, "%s: \"%s\" is refused", how, cases[i].path);
	if (fd >= 0)
		close(fd);
}

static void test_cases(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check(i, "the kernel",
		      path_open(root, cases[i].path, cases[i].flags, 0600, cases[i].resolve));
		check(i, "by hand", path_walk(root, cases[i].path, cases[i].flags, 0600, cases[i].resolve));
	}
}

static void test_create(void)
{
	struct stat st;
	int fd = path_walk(root, "dangling", O_WRONLY | O_CREAT, 0600, IN_ROOT);

	ok(fd >= 0 && stat(DIR "/root/nowhere", &st) == 0 && (st.st_mode & 07777) == 0600,
	   "makes what a link names, with the mode");
	util_close(fd);
	unlink(DIR "/root/nowhere");
	is_integer(path_walk(root, "new/", O_WRONLY | O_CREAT, 0600, IN_ROOT), -ENOENT,
		   "no directory by open");
	ok(access(DIR "/root/new", F_OK) < 0, "and nothing is left of it");
}

/* In our own root, not confined: links of /proc are refused all the same. */
static void test_own(void)
{
	int fd = path_walk(AT_FDCWD, DIR "/root/a/../../secret", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS);

	ok(fd >= 0, "goes up where it may");
	util_close(fd);
	is_integer(path_walk(AT_FDCWD, DIR "/root/escape", O_PATH, 0, RESOLVE_NO_MAGICLINKS), -ELOOP,
		   "not through a link of /proc");
}

/* For ever: puts a link where a directory was, and takes a directory out of the root. */
static void disturb(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		renameat2(AT_FDCWD, DIR "/root/a/b", AT_FDCWD, DIR "/root/a/out", RENAME_EXCHANGE);
		renameat2(AT_FDCWD, DIR "/root/a/b", AT_FDCWD, DIR "/root/a/out", RENAME_EXCHANGE);
		rename(DIR "/root/c/d", DIR "/d");
		rename(DIR "/d", DIR "/root/c/d");
	}
}

static int is_outside(const char *path, const struct stat *secret)
{
	cleanup_fd int fd = path_walk(root, path, O_RDONLY, 0, IN_ROOT);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == secret->st_ino;
}

static void test_race(void)
{
	struct stat secret;
	int outside = 0;
	pid_t pid;

	link_to(DIR, DIR "/root/a/out"); /* by a walk that takes it for a directory: all of ours */
	if (mkdir(DIR "/root/c", 0755) < 0 || mkdir(DIR "/root/c/d", 0755) < 0 ||
	    stat(DIR "/secret", &secret) < 0)
		perror(DIR);
	pid = fork();
	if (pid == 0)
		disturb();
	for (int i = 0; i < TRIES; i++) {
		outside += is_outside("a/b/secret", &secret);
		outside += is_outside("c/d/../../secret", &secret); /* /tmp/path/d/../../… */
		outside += is_outside("c/d/../secret", &secret);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	is_integer(outside, 0, "nobody who renames meanwhile leads it out");
}

int main(void)
{
	root = make_root();
	if (!ok(root >= 0, "a root"))
		return done_testing();
	test_cases();
	test_create();
	test_own();
	test_race();
	close(root);
	umount2(DIR "/root/proc", MNT_DETACH);
	umount2(DIR "/root/mnt", MNT_DETACH);
	return system("rm -rf " DIR) ? 1 : done_testing();
}
