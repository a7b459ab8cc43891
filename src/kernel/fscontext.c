/* SPDX-License-Identifier: MIT */
#include "kernel/fscontext.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "kernel/lack.h"
#include "kernel/util.h"

#define LONGEST_DATA 4096 /* a page, as in mount(2) */

void mnt_fs_words(int fs, char *text, size_t size)
{
	char line[512];
	ssize_t n;

	text[0] = '\0';
	/* One message a read; "e ", "w " or "i " before the words. ENODATA at the end. */
	while ((n = retry_eintr(read(fs, line, sizeof line - 1))) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "e ", 2))
			snprintf(text, size, "%s", line + 2);
	}
}

static int failed(int fs, int error, const char *op, const char *subject, struct fault *f)
{
	fault_set(f, error, op, "%s", subject);
	if (error == ENOSYS)
		lack_explain(f, op, "mount.mount does without it");
	else if (f)
		mnt_fs_words(fs, f->detail, sizeof f->detail);
	return -error;
}

int mnt_fs_open(const char *type, struct fault *f)
{
	int fs = fsopen(type, FSOPEN_CLOEXEC), error = errno;

	if (fs >= 0)
		return fs;
	fault_set(f, error, "fsopen", "%s", type);
	if (error == ENODEV)
		fault_hint(f, "this kernel has no file system of that name: see /proc/filesystems");
	else if (error == EPERM)
		fault_hint(f,
			   "it takes CAP_SYS_ADMIN in the user namespace that owns this mount namespace: be "
			   "root, or unshare \"user,mnt\" first");
	else if (error == ENOSYS)
		lack_explain(f, "fsopen", "mount.mount does without it");
	return -error;
}

int mnt_fs_set(int fs, const char *key, const char *value, int fd, struct fault *f)
{
	int rc;

	if (fd >= 0)
		rc = fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd);
	else if (value)
		rc = fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
	else
		rc = fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
	return rc < 0 ? failed(fs, errno, "fsconfig", key, f) : 0;
}

int mnt_fs_set_all(int fs, const char *data, struct fault *f)
{
	char copy[LONGEST_DATA], *rest = copy, *key;
	int rc;

	if (!data)
		return 0;
	if ((size_t)snprintf(copy, sizeof copy, "%s", data) >= sizeof copy)
		return fault_set(f, E2BIG, "fsconfig", "%s", data);
	while ((key = strsep(&rest, ","))) {
		char *value = strchr(key, '=');

		if (!*key)
			continue;
		if (value)
			*value++ = '\0';
		rc = mnt_fs_set(fs, key, value, -1, f);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int mnt_fs_create(int fs, struct fault *f)
{
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return failed(fs, errno, "fsconfig", "create", f);
	return 0;
}

int mnt_fs_mount(int fs, uint64_t attributes, struct fault *f)
{
	int fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);

	return fd >= 0 ? fd : failed(fs, errno, "fsmount", "", f);
}

int mnt_fs_make(const char *type, const char *data, uint64_t attributes, struct fault *f)
{
	cleanup_fd int fs = mnt_fs_open(type, f);
	int rc;

	if (fs < 0)
		return fs;
	rc = mnt_fs_set_all(fs, data, f);
	if (rc < 0)
		return rc;
	rc = mnt_fs_create(fs, f);
	return rc < 0 ? rc : mnt_fs_mount(fs, attributes, f);
}
