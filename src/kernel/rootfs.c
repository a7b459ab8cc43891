/* SPDX-License-Identifier: MIT */
#include "kernel/rootfs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kernel/fscontext.h"
#include "kernel/mount_plain.h"
#include "kernel/util.h"

struct directory {
	const char *path;
	mode_t mode;
};

static const struct directory directories[] = {
	{ "bin", 0755 },  { "dev", 0755 },  { "etc", 0755 },     { "home", 0755 },     { "mnt", 0755 },
	{ "proc", 0555 }, { "root", 0700 }, { "run", 0755 },     { "sys", 0555 },      { "tmp", 01777 },
	{ "usr", 0755 },  { "var", 0755 },  { "var/log", 0755 }, { "var/tmp", 01777 }, { "www", 0755 },
};

/* Every applet has one name, found wherever a script looks for it. */
static const struct {
	const char *path, *target;
} links[] = {
	{ "sbin", "bin" },       { "usr/bin", "../bin" },          { "usr/sbin", "../bin" },
	{ "var/run", "../run" }, { "etc/mtab", "../proc/mounts" },
};

static const struct {
	const char *path, *text;
} files[] = {
	{ "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
			"nobody:x:65534:65534:nobody:/:/bin/false\n" },
	{ "etc/group", "root:x:0:\n"
		       "tty:x:5:\n"
		       "nogroup:x:65534:\n" },
	{ "etc/hostname", "localhost\n" },
	{ "etc/hosts", "127.0.0.1\tlocalhost\n"
		       "::1\tlocalhost\n" },
	{ "etc/nsswitch.conf", "hosts: files dns\n" },
	{ "etc/resolv.conf", "" },
};

#define PAGE 4096
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* The umask, which is the caller's, takes nothing away here. */
static int make_directories(int root, struct fault *f)
{
	for (size_t i = 0; i < COUNT(directories); i++) {
		const struct directory *d = &directories[i];

		if (mkdirat(root, d->path, d->mode) < 0 || fchmodat(root, d->path, d->mode, 0) < 0)
			return fault_set(f, errno, "mkdir", "%s of the default root", d->path);
	}
	return 0;
}

static int make_file(int root, const char *path, mode_t mode, const char *data, size_t size, struct fault *f)
{
	cleanup_fd int fd = retry_eintr(openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
	int rc;

	if (fd < 0 || fchmod(fd, mode) < 0)
		return fault_set(f, errno, "open", "%s of the default root", path);
	rc = util_write_all(fd, data, size);
	return rc < 0 ? fault_set(f, -rc, "write", "%s of the default root", path) : 0;
}

static int make_files(int root, struct fault *f)
{
	int rc = 0;

	for (size_t i = 0; i < COUNT(files) && rc == 0; i++)
		rc = make_file(root, files[i].path, 0644, files[i].text, strlen(files[i].text), f);
	for (size_t i = 0; i < COUNT(links) && rc == 0; i++)
		if (symlinkat(links[i].target, root, links[i].path) < 0)
			rc = fault_set(f, errno, "symlink", "%s of the default root", links[i].path);
	return rc;
}

/* Hard links: an entry each, and no inode. */
static int make_applets(int root, struct fault *f)
{
	cleanup_fd int bin = retry_eintr(openat(root, "bin", O_PATH | O_DIRECTORY | O_CLOEXEC));
	int rc;

	if (bin < 0)
		return fault_set(f, errno, "open", "bin of the default root");
	rc = make_file(bin, "busybox", 0755, rootfs_busybox, (size_t)(rootfs_busybox_end - rootfs_busybox),
		       f);
	for (const char *name = rootfs_applets; *name && rc == 0; name += strlen(name) + 1)
		if (linkat(bin, "busybox", bin, name, 0) < 0)
			rc = fault_set(f, errno, "link", "bin/%s of the default root", name);
	return rc;
}

static uint64_t pages(size_t size)
{
	return (size + PAGE - 1) / PAGE;
}

/* What the root itself takes of the limit: a link to busybox and a directory take nothing. */
static uint64_t own_size(void)
{
	uint64_t count = pages((size_t)(rootfs_busybox_end - rootfs_busybox));

	for (size_t i = 0; i < COUNT(files); i++)
		count += pages(strlen(files[i].text));
	return count * PAGE;
}

/* With huge pages, where the kernel has them, busybox is one page and is copied twice as fast; it may take
 * more of a limit then. */
static void options(char data[128], const char *source, uint64_t size, int huge)
{
	if (size)
		snprintf(data, 128, "%smode=755,size=%" PRIu64, source, size + own_size());
	else
		snprintf(data, 128, "%smode=755%s", source, huge ? ",huge=within_size" : "");
}

static int make_tmpfs(uint64_t size, int huge, struct fault *f)
{
	char data[128];

	options(data, "source=luabox,", size, huge);
	return mnt_fs_make("tmpfs", data, 0, f);
}

int rootfs_fill(int root, struct fault *f)
{
	int rc = make_directories(root, f);

	if (rc == 0)
		rc = make_files(root, f);
	return rc == 0 ? make_applets(root, f) : rc;
}

int rootfs_make(uint64_t size, struct fault *f)
{
	cleanup_fd int root = make_tmpfs(size, 1, f);
	int rc;

	if (root == -EINVAL)
		root = make_tmpfs(size, 0, f);
	if (root < 0)
		return root;
	rc = rootfs_fill(root, f);
	return rc < 0 ? rc : take_fd(&root);
}

int rootfs_mount(int target, uint64_t size, struct fault *f)
{
	char data[128];
	const struct mnt_mount m = { "tmpfs", "luabox", "default root", 0, data };
	int rc;

	options(data, "", size, 1);
	rc = plain_mount(&m, target, f);
	if (rc != -EINVAL)
		return rc;
	options(data, "", size, 0);
	return plain_mount(&m, target, f);
}
