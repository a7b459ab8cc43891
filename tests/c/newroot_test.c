/* The root of a container in all its forms, on this kernel and, by a filter that refuses what came later, as
 * on older ones. Each runs in a child in namespaces of its own; what it sees crosses a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernel/fscontext.h"
#include "kernel/mount.h"
#include "kernel/rootfs.h"
#include "kernel/util.h"
#include "tap.h"

#define DIR "/tmp/newroot"

enum source { PATH, TMPFS, TREE, DEFAULT };

static const char *const source_names[] = { "a path", "a detached tmpfs", "a detached copy",
					    "the default root" };

/* What older kernels refuse. */
enum age { NOW, BEFORE_6_13, BEFORE_5_12, BEFORE_5_2 };

static const char *const age_names[] = { "", ", before Linux 6.13", ", before Linux 5.12",
					 ", before Linux 5.2" };

struct form {
	enum source source;
	enum age age;
	int user, overlay, kept, readonly, below;
};

/* What the child saw. */
struct seen {
	struct fault fault;
	int failed;
	int escaped;           /* "/.." or a link led to the old root */
	int proc, detached;    /* proc could be mounted; the old root is gone */
	int written, replaced; /* errno of mkdir("/new"), of replacing the directory "/d" */
	int sub;               /* the mount below "/sub" is there */
	int under;             /* so is what only the lowest layer has, and not what one above hides of it */
};

static void make_source(void)
{
	mkdir(DIR, 0755);
	for (const char *const *d = (const char *const[]){ DIR "/under", DIR "/under/lowest", DIR "/between",
							   DIR "/root", DIR "/root/proc", DIR "/root/d",
							   DIR "/root/sub", DIR "/up,1", DIR "/work", NULL };
	     *d; d++)
		mkdir(*d, 0755);
	if ((symlink("under", DIR "/under/link") < 0 || symlink("between", DIR "/between/link") < 0) &&
	    errno != EEXIST)
		perror("symlink");
	if (symlink("/..", DIR "/root/esc") < 0 && errno != EEXIST)
		perror("symlink");
	if (mount("sub", DIR "/root/sub", "tmpfs", 0, NULL) == 0)
		mkdir(DIR "/root/sub/inner", 0755);
}

static int open_source(enum source source)
{
	int fd;

	if (source == TREE)
		return mnt_open_tree(AT_FDCWD, DIR "/root", OPEN_TREE_CLONE | AT_RECURSIVE, NULL);
	if (source != TMPFS)
		return -1;
	fd = mnt_fs_make("tmpfs", NULL, 0, NULL);
	if (fd < 0)
		return fd;
	mkdirat(fd, "proc", 0755);
	mkdirat(fd, "d", 0755);
	symlinkat("/..", fd, "esc");
	return fd;
}

static void enter_user_namespace(void)
{
	unshare(CLONE_NEWUSER);
	util_write_file(AT_FDCWD, "/proc/self/setgroups", "deny");
	util_write_file(AT_FDCWD, "/proc/self/uid_map", "0 0 1");
	util_write_file(AT_FDCWD, "/proc/self/gid_map", "0 0 1");
}

/* Layers of an overlay by descriptor are the newest. */
static void grow_old(enum age age)
{
	const int detached[] = { SCMP_SYS(fsopen), SCMP_SYS(open_tree), SCMP_SYS(move_mount) };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(fsconfig), 1,
			 SCMP_A1(SCMP_CMP_EQ, FSCONFIG_SET_FD));
	if (age >= BEFORE_5_12)
		seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(mount_setattr), 0);
	for (size_t i = 0; age >= BEFORE_5_2 && i < sizeof detached / sizeof *detached; i++)
		seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), detached[i], 0);
	seccomp_load(filter);
	seccomp_release(filter);
}

static int old_root_in_reach(void)
{
	return access("/.." DIR, F_OK) == 0 || access("/esc" DIR, F_OK) == 0;
}

static void look(int old, struct seen *s)
{
	char link[16];

	s->escaped = old_root_in_reach();
	s->proc = mnt_mount(&(struct mnt_mount){ "proc", NULL, "/proc", 0, NULL }, &s->fault) == 0;
	s->detached = faccessat(old, DIR + 1, F_OK, 0) == 0 && mnt_detach_old(old, &s->fault) == 0;
	s->escaped |= old_root_in_reach();
	s->written = mkdir("/new", 0755) < 0 ? errno : 0;
	s->replaced = rmdir("/d") < 0 || mkdir("/d", 0700) < 0 ? errno : 0;
	s->sub = access("/sub/inner", F_OK) == 0;
	s->under = access("/lowest", F_OK) == 0 && readlink("/link", link, sizeof link) == 7;
}

/* In the new pid namespace. */
static void run_inner(const struct form *form, int tree, int result)
{
	struct mnt_root root = { .path = form->source == PATH ? DIR "/root" : NULL,
				 .fd = tree,
				 .size = 16 << 20 };
	struct mnt_layer below[] = { { DIR "/between", -1 }, { DIR "/under", -1 } };
	struct seen s = { 0 };
	int old;

	root.overlay = form->overlay;
	root.readonly = form->readonly;
	if (form->below) {
		root.below = below;
		root.below_count = 2;
	}
	if (form->kept) {
		root.upper = DIR "/up,1";
		root.work = DIR "/work";
	}
	if (form->age)
		grow_old(form->age);
	old = mnt_make_root(&root, &s.fault);
	s.failed = old < 0;
	if (!s.failed)
		look(old, &s);
	_exit(write(result, &s, sizeof s) != sizeof s);
}

static void run_outer(const struct form *form, int tree, int result)
{
	if (form->user)
		enter_user_namespace();
	unshare(CLONE_NEWNS | CLONE_NEWPID);
	if (fork() == 0)
		run_inner(form, tree, result);
	wait(NULL);
	_exit(0);
}

static struct seen run(const struct form *form)
{
	struct seen s = { .failed = 1 };
	int tree = open_source(form->source), ends[2];

	if (pipe(ends) < 0)
		abort();
	if (fork() == 0)
		run_outer(form, tree, ends[1]);
	close(ends[1]);
	if (read(ends[0], &s, sizeof s) != sizeof s)
		printf("# the child died\n");
	close(ends[0]);
	util_close(tree);
	wait(NULL);
	rmdir(DIR "/root/new");
	mkdir(DIR "/root/d", 0755);
	rmdir(DIR "/up,1/new");
	return s;
}

static int has_no(enum source source)
{
	cleanup_fd int fd = open_source(source);

	return fd < 0;
}

/* A detached root cannot be had, or not be attached. */
static int is_impossible(const struct form *form)
{
	const int is_detached = form->source == TMPFS || form->source == TREE;

	return is_detached && (form->age == BEFORE_5_2 || !mnt_can_attach() || has_no(form->source));
}

/* Asking for it loads its module, and is refused for want of layers. */
static int has_overlay(void)
{
	return mount("none", DIR, "overlay", 0, NULL) == 0 || errno != ENODEV;
}

/* Kernels refuse a lower layer that would show what is hidden below a mount. */
static int is_forbidden(const struct form *form)
{
	return form->source == PATH && form->overlay && form->user;
}

/* Which overlay has to mark a replaced directory with, in a user namespace: tmpfs, since Linux 6.6. */
static int has_user_attributes(void)
{
	return setxattr(DIR, "user.test", "", 0, 0) == 0 && removexattr(DIR, "user.test") == 0;
}

static int replaced_error(const struct form *form)
{
	if (form->readonly)
		return EROFS;
	if (form->source == DEFAULT)
		return ENOENT;
	return form->overlay && form->user && !has_user_attributes() ? EIO : 0;
}

static void check(const struct form form)
{
	struct seen s;
	char name[128];

	if (is_impossible(&form)) {
		if (form.age == NOW)
			skip("this kernel has no detached mounts");
		return;
	}
	if (form.overlay && !has_overlay()) {
		skip("this kernel has no overlay file system");
		return;
	}
	s = run(&form);

	snprintf(name, sizeof name, "%s%s%s%s%s%s%s", source_names[form.source],
		 form.below ? ", over two more" : "", form.overlay ? ", overlay" : "",
		 form.kept ? " that is kept" : "", form.readonly ? ", read-only" : "",
		 form.user ? ", user namespace" : "", age_names[form.age]);
	if (is_forbidden(&form)) {
		ok(s.failed && s.fault.error == EINVAL && strstr(s.fault.hint, "cannot be a lower layer"),
		   "%s", name);
		return;
	}
	if (!ok(!s.failed, "%s", name)) {
		printf("# %s %s: %s %s; %s\n", s.fault.op, s.fault.subject, strerror(s.fault.error),
		       s.fault.detail, s.fault.hint);
		return;
	}
	ok(!s.escaped, "%s: the old root is out of reach", name);
	ok(s.proc, "%s: proc can be mounted", name);
	ok(s.detached, "%s: the old root is taken away", name);
	is_integer(s.written, form.readonly ? EROFS : 0, "%s: writing", name);
	is_integer(s.replaced, replaced_error(&form), "%s: replacing a directory", name);
	is_integer(s.under, form.below, "%s: the layers below", name);
	if (form.source == PATH)
		is_integer(s.sub, !form.overlay, "%s: what is mounted below", name);
}

/* Nothing of it is seen outside, though all is shared here. */
static void test_propagation(void)
{
	char before[65536], after[65536];

	mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL);
	util_read_file(AT_FDCWD, "/proc/self/mountinfo", before, sizeof before);
	check((struct form){ PATH });
	check((struct form){ TREE });
	util_read_file(AT_FDCWD, "/proc/self/mountinfo", after, sizeof after);
	is_string(after, before, "the mounts outside are as they were");
	mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL);
}

static void test_kept_layer(void)
{
	if (!has_overlay())
		return;
	check((struct form){ PATH, .overlay = 1, .kept = 1 });
	for (int age = NOW; age <= BEFORE_5_2; age++) {
		check((struct form){ PATH, age, .overlay = 1, .below = 1 });
		check((struct form){ TREE, age, .overlay = 1, .below = 1, .readonly = 1 });
		check((struct form){ PATH, age, .overlay = 1, .below = 1, .kept = 1 });
	}
	ok(access(DIR "/up,1/d", F_OK) == 0, "the upper layer has what was written");
}

static void test_refused(void)
{
	struct fault f;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		unshare(CLONE_NEWNS);
		_exit(mnt_make_root(&(struct mnt_root){ .path = DIR "/none" }, &f) != -ENOENT ||
		      strcmp(f.op, "open_tree") != 0);
	}
	waitpid(pid, &status, 0);
	is_integer(status, 0, "a root that is not there");
}

/* A directory without mounts below can be. */
static void test_user_overlay(void)
{
	const struct form form = { PATH, .user = 1, .overlay = 1 };
	struct seen s;

	if (!has_overlay())
		return;
	umount2(DIR "/root/sub", MNT_DETACH);
	s = run(&form);
	ok(!s.failed && !s.escaped && s.written == 0 && s.replaced == replaced_error(&form),
	   "a plain path, overlay, user namespace");
}

/* The kernel's first root cannot be exchanged: a tmpfs plays it here. Returns what went wrong. */
static int run_on_initramfs(void)
{
	struct mnt_root writable = { .fd = -1 }, readonly = { .fd = -1, .readonly = 1 };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int old;

	unshare(CLONE_NEWNS);
	if (mnt_detach_old(mnt_make_root(&writable, NULL), NULL) < 0 || mkdir("/initramfs", 0755) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0)
		return 1;
	seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(pivot_root), 0);
	seccomp_load(filter);
	old = mnt_make_root(&readonly, NULL);
	if (old < 0 || faccessat(old, "initramfs", F_OK, 0) < 0)
		return 2;
	if (access("/../initramfs", F_OK) == 0 || mkdir("/new", 0755) == 0 || errno != EROFS)
		return 3;
	return mnt_detach_old(old, NULL) < 0 || access("/bin/sh", F_OK) < 0 ? 4 : 0;
}

static void test_initramfs(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(run_on_initramfs());
	waitpid(pid, &status, 0);
	is_integer(status, 0, "a root over an initramfs");
}

int main(void)
{
	make_source();
	for (int age = NOW; age <= BEFORE_5_2; age++)
		for (int source = PATH; source <= DEFAULT; source++)
			for (int bits = 0; bits < 8; bits++)
				check((struct form){ source, age, bits & 1, !!(bits & 2),
						     .readonly = !!(bits & 4) });
	test_kept_layer();
	test_propagation();
	test_refused();
	test_initramfs();
	test_user_overlay();
	return done_testing();
}
