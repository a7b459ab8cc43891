/* Binds without the calls of Linux 5.2 and 5.12, and paths that are hidden or made read-only. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/mount.h"
#include "kernel/util.h"
#include "tap.h"

static int do_mount(const char *source, const char *target, unsigned long flags)
{
	return mkdir(target, 0755) < 0 && errno != EEXIST ? -errno
							  : mount(source, target, "tmpfs", flags, NULL);
}

/* /mnt/a with a mount in it, and /mnt/b. */
static void make_tree(void)
{
	if (do_mount("top", "/mnt", 0) < 0 || do_mount("outer", "/mnt/a", MS_NOSUID) < 0 ||
	    do_mount("inner", "/mnt/a/sub dir", MS_NODEV | MS_NOATIME) < 0 || mkdir("/mnt/b", 0755) < 0)
		perror("mount");
}

static int writing(const char *path)
{
	if (mkdir(path, 0755) < 0)
		return errno;
	rmdir(path);
	return 0;
}

static unsigned long flags_of(const char *path)
{
	struct statfs s;

	return statfs(path, &s) < 0 ? 0
				    : (unsigned long)s.f_flags &
					      (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME);
}

static void check_recursive_bind(const char *how)
{
	struct fault f = { 0 };

	ok(mnt_bind("/mnt/a", "/mnt/b", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, 1, &f) == 0, "binds %s", how);
	is_integer(writing("/mnt/b/x"), EROFS, "the outer mount is read-only");
	is_integer(writing("/mnt/b/sub dir/x"), EROFS, "so is the inner");
	is_integer(writing("/mnt/a/x"), 0, "the source is not");
	is_integer(flags_of("/mnt/b"), ST_RDONLY | ST_NOSUID | ST_NOEXEC, "what was set on the outer stays");
	is_integer(flags_of("/mnt/b/sub dir"), ST_RDONLY | ST_NODEV | ST_NOEXEC | ST_NOATIME,
		   "and on the inner");
	umount2("/mnt/b", MNT_DETACH);
	ok(mnt_bind("/mnt/a", "/mnt/b", MOUNT_ATTR_RDONLY, 0, &f) == 0, "binds one mount %s", how);
	is_integer(writing("/mnt/b/x"), EROFS, "it is read-only");
	umount2("/mnt/b", MNT_DETACH);
}

/* A filter cannot be taken off: what follows runs in a child. */
static void without(int call, const char *how)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), call, 0);
	seccomp_load(filter);
	seccomp_release(filter);
	check_recursive_bind(how);
}

static void in_child(int call, const char *how)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		tap_count = tap_failed = 0;
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		without(call, how);
		_exit(tap_failed);
	}
	waitpid(pid, &status, 0);
	is_integer(status, 0, "recursive and single binds %s", how);
}

static void test_mask(void)
{
	struct fault f = { 0 };
	struct stat st;
	int fd;

	ok(mnt_mask("/mnt/a", &f) == 0, "masks a directory");
	ok(access("/mnt/a/sub dir", F_OK) < 0, "it is empty");
	is_integer(writing("/mnt/a/x"), EROFS, "and read-only");
	umount2("/mnt/a", 0);
	close(open("/mnt/file", O_CREAT | O_WRONLY, 0644));
	ok(mnt_mask("/mnt/file", &f) == 0, "masks a file");
	ok(stat("/mnt/file", &st) == 0 && st.st_rdev == makedev(1, 3), "by the null device");
	umount2("/mnt/file", 0);
	is_integer(mnt_mask("/mnt/none", &f), 0, "nothing to mask");
	fd = open("/mnt/false", O_CREAT | O_WRONLY, 0644);
	mount("/mnt/false", "/dev/null", NULL, MS_BIND, NULL);
	is_integer(mnt_mask("/mnt/file", &f), -ENODEV, "a false null device");
	is_string(f.hint, "it is not the null device (character device 1:3)", "is not used");
	umount2("/dev/null", 0);
	close(fd);
}

static void test_readonly(void)
{
	struct fault f = { 0 };

	is_integer(mnt_readonly("/mnt/none", &f), 0, "nothing to make read-only");
	ok(mnt_readonly("/mnt/a", &f) == 0, "makes a path read-only");
	is_integer(writing("/mnt/a/x"), EROFS, "it is");
	is_integer(writing("/mnt/a/sub dir/x"), EROFS, "and what is below");
	is_integer(writing("/mnt/x"), 0, "what is above is not");
}

int main(void)
{
	make_tree();
	check_recursive_bind("by mount_setattr");
	in_child(SCMP_SYS(open_tree), "without open_tree");
	in_child(SCMP_SYS(mount_setattr), "without mount_setattr");
	test_mask();
	test_readonly();
	umount2("/mnt", MNT_DETACH);
	return done_testing();
}
