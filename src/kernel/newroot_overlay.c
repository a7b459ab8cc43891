/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kernel/detective.h"
#include "kernel/fscontext.h"
#include "kernel/namespace.h"
#include "kernel/newroot.h"
#include "kernel/util.h"

/* The places of the lower layers on the stage: the topmost, then those below by number. */
#define TOPMOST "lower"

struct place {
	char name[sizeof TOPMOST];
};

static struct place place_below(size_t i)
{
	struct place p;

	snprintf(p.name, sizeof p.name, "%u", (unsigned)i % 1000);
	return p;
}

int mnt_open_directory(int dirfd, const char *path, struct fault *f)
{
	int fd = retry_eintr(openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	return fd >= 0 ? fd : fault_set(f, errno, "open", "%s", path);
}

/* ---- the stage: a tmpfs with a place for each lower layer, which overlay takes only from this mount
 * namespace, and for the upper one if it is to be thrown away ---- */

int mnt_make_layers(int stage, struct fault *f)
{
	if (mkdirat(stage, TOPMOST, 0755) < 0 || mkdirat(stage, "upper", 0755) < 0 ||
	    mkdirat(stage, "work", 0755) < 0)
		return fault_set(f, errno, "mkdir", "directories of the layers");
	return 0;
}

int mnt_open_upper(const struct mnt_root *r, int stage, int *upper, int *work, struct fault *f)
{
	*upper = r->upper ? mnt_open_directory(AT_FDCWD, r->upper, f) : mnt_open_directory(stage, "upper", f);
	if (*upper < 0)
		return *upper;
	*work = r->work ? mnt_open_directory(AT_FDCWD, r->work, f) : mnt_open_directory(stage, "work", f);
	return *work < 0 ? *work : 0;
}

static int make_stage(uint64_t size, struct fault *f)
{
	cleanup_fd int stage = -1;
	char data[64];
	int rc;

	snprintf(data, sizeof data, size ? "mode=755,size=%" PRIu64 : "mode=755", size);
	stage = mnt_fs_make("tmpfs", data, 0, f);
	if (stage < 0)
		return stage;
	rc = mnt_make_layers(stage, f);
	rc = rc < 0 ? rc : mnt_attach(stage, "/", f);
	return rc < 0 ? rc : take_fd(&stage);
}

/* ---- the lower layers, detached, before the stage is on "/": a copy of that would have it, too ---- */

struct lower {
	int tree, late; /* as mnt_settle says */
};

struct lowers {
	struct lower list[MNT_LAYERS];
	size_t count;
};

static void close_lowers(struct lowers *l)
{
	for (size_t i = 0; i < l->count; i++)
		util_close(l->list[i].tree);
}

#define cleanup_lowers __attribute__((cleanup(close_lowers)))

static int open_below(const struct mnt_root *r, struct lowers *l, struct fault *f)
{
	for (size_t i = 0; i < r->below_count; i++) {
		const struct mnt_layer *layer = &r->below[i];
		int tree = layer->path ? mnt_open_layer(layer->path, f) : mnt_copy_tree(layer->fd, f), rc;

		if (tree < 0)
			return tree;
		l->list[l->count++].tree = tree;
		rc = mnt_settle(tree, 0, &l->list[i].late, f);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int put(const struct lower *l, int stage, const char *name, struct fault *f)
{
	if (move_mount(l->tree, "", stage, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fault_set(f, errno, "move_mount", "lower layer");
	return mnt_settle_late(l->tree, 0, l->late, f);
}

static int put_all(const struct lower *topmost, const struct lowers *below, int stage, struct fault *f)
{
	int rc = put(topmost, stage, TOPMOST, f);

	for (size_t i = 0; i < below->count && rc == 0; i++) {
		struct place p = place_below(i);

		if (mkdirat(stage, p.name, 0755) < 0)
			return fault_set(f, errno, "mkdir", "directories of the layers");
		rc = put(&below->list[i], stage, p.name, f);
	}
	return rc;
}

/* ---- the layers, by descriptors ---- */

struct layers {
	const struct mnt_root *root;
	int stage, upper, work;
};

static int set_lower(int fs, int stage, const char *name, struct fault *f)
{
	cleanup_fd int fd = mnt_open_directory(stage, name, f);

	return fd < 0 ? fd : mnt_fs_set(fs, "lowerdir+", NULL, fd, f);
}

static int set_by_descriptors(int fs, const struct layers *l, struct fault *f)
{
	int rc = set_lower(fs, l->stage, TOPMOST, f);

	for (size_t i = 0; i < l->root->below_count && rc == 0; i++)
		rc = set_lower(fs, l->stage, place_below(i).name, f);
	rc = rc < 0 ? rc : mnt_fs_set(fs, "upperdir", NULL, l->upper, f);
	return rc < 0 ? rc : mnt_fs_set(fs, "workdir", NULL, l->work, f);
}

/* ---- and by paths, before Linux 6.13: the stage's own directories are relative to the working directory, so
 * that no name has to be escaped, and fit into the bytes that fsconfig(2) takes ---- */

#define LONGEST_VALUE 255

static int set_lowers(int fs, const struct layers *l, struct fault *f)
{
	char lower[LONGEST_VALUE + 1] = TOPMOST;
	size_t length = sizeof TOPMOST - 1;

	for (size_t i = 0; i < l->root->below_count && length < sizeof lower; i++)
		length += (size_t)snprintf(lower + length, sizeof lower - length, ":%s", place_below(i).name);
	if (length >= sizeof lower)
		return fault_set(f, E2BIG, "fsconfig", "lowerdir");
	return mnt_fs_set(fs, "lowerdir", lower, -1, f);
}

/* A path that the kernel would read otherwise is named by its descriptor. */
static int set_path(int fs, const char *key, const char *path, int fd, struct fault *f)
{
	char self[32];

	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	return mnt_fs_set(fs, key, strpbrk(path, ",\\") || strlen(path) > LONGEST_VALUE ? self : path, -1, f);
}

static int set_by_paths(int fs, const struct layers *l, struct fault *f)
{
	const struct mnt_root *r = l->root;
	int rc;

	if (fchdir(l->stage) < 0)
		return fault_set(f, errno, "fchdir", "stage");
	rc = set_lowers(fs, l, f);
	rc = rc < 0 ? rc : set_path(fs, "upperdir", r->upper ? r->upper : "upper", l->upper, f);
	return rc < 0 ? rc : set_path(fs, "workdir", r->work ? r->work : "work", l->work, f);
}

/* ---- the overlay ---- */

typedef int set_layers(int fs, const struct layers *l, struct fault *f);

/* In a user namespace overlay cannot use trusted.* attributes, and without any it
 * cannot replace a directory of the lower layer. */
static int set_attributes(int fs, struct fault *f)
{
	int rc = ns_in_user_namespace();

	if (rc < 0)
		return fault_set(f, -rc, "read", "/proc/self/uid_map");
	return rc ? mnt_fs_set(fs, "userxattr", NULL, -1, f) : 0;
}

static int mount_layers(const struct layers *l, set_layers *set, struct fault *f)
{
	cleanup_fd int fs = mnt_fs_open("overlay", f);
	int rc;

	if (fs < 0)
		return fs;
	rc = mnt_fs_set(fs, "source", "luabox", -1, f);
	rc = rc < 0 ? rc : set(fs, l, f);
	rc = rc < 0 ? rc : set_attributes(fs, f);
	rc = rc < 0 ? rc : mnt_fs_create(fs, f);
	return rc < 0 ? rc : mnt_fs_mount(fs, mnt_root_attributes(l->root), f);
}

static int make_overlay(const struct mnt_root *r, int stage, struct fault *f)
{
	cleanup_fd int upper = -1, work = -1;
	struct layers l;
	int rc;

	rc = mnt_open_upper(r, stage, &upper, &work, f);
	if (rc < 0)
		return rc;
	l = (struct layers){ r, stage, upper, work };
	rc = mount_layers(&l, set_by_descriptors, f);
	if (rc == -EINVAL || rc == -EOPNOTSUPP) /* the latter before Linux 6.5 */
		rc = mount_layers(&l, set_by_paths, f);
	if (rc == -EINVAL || rc == -ELOOP)
		detect_overlay(r->upper, r->work, f);
	return rc;
}

/* The stage stays on the old root and goes with it. */
int mnt_overlay_root(const struct mnt_root *r, int tree, int late, struct fault *f)
{
	cleanup_lowers struct lowers below = { .count = 0 };
	const struct lower topmost = { tree, late };
	cleanup_fd int stage = -1;
	int rc = open_below(r, &below, f);

	if (rc < 0)
		return rc;
	stage = make_stage(r->size, f);
	rc = stage < 0 ? stage : put_all(&topmost, &below, stage, f);
	return rc < 0 ? rc : make_overlay(r, stage, f);
}
