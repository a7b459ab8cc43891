/* SPDX-License-Identifier: MIT
 * All is mounted on "/", where it is stacked; the topmost of the stack is found at "/..".
 */
#include "kernel/newroot.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "kernel/detective.h"
#include "kernel/lack.h"
#include "kernel/mount_plain.h"
#include "kernel/namespace.h"
#include "kernel/rootfs.h"
#include "kernel/util.h"

/* A place, and how to get at what was mounted on it. */
struct place {
	int fd, parent;
	const char *name;
};

static int open_mounted(const struct place *p, struct fault *f)
{
	return mnt_open_directory(p->parent, p->name, f);
}

/* ---- the tree below ---- */

static int open_path(const char *path, struct fault *f)
{
	int fd = retry_eintr(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));

	return fd < 0 ? mnt_refuse_root(errno, path, f) : fd;
}

static int put_path(const char *path, const struct place *p, struct fault *f)
{
	cleanup_fd int source = open_path(path, f);

	return source < 0 ? source : plain_bind(source, p->fd, path, 0, 1, f);
}

/* A detached tree cannot be bound: here it is another call that is missing. */
static int put_tree(int fd, const struct place *p, struct fault *f)
{
	cleanup_fd int tree = mnt_copy_tree(fd, f);
	int rc;

	if (tree < 0)
		return tree;
	if (move_mount(tree, "", p->fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
		return 0;
	rc = fault_set(f, errno, "move_mount", "detached root");
	if (rc == -ENOSYS)
		lack_explain(f, "move_mount", "give the root as a path");
	return rc;
}

static int put_default(uint64_t size, const struct place *p, struct fault *f)
{
	cleanup_fd int root = -1;
	int rc = rootfs_mount(p->fd, size, f);

	if (rc < 0)
		return rc;
	root = open_mounted(p, f);
	return root < 0 ? root : rootfs_fill(root, f);
}

static int put_lower(const struct mnt_root *r, const struct place *p, struct fault *f)
{
	if (r->path)
		return put_path(r->path, p, f);
	return r->fd >= 0 ? put_tree(r->fd, p, f) : put_default(r->size, p, f);
}

/* ---- the overlay ---- */

static int make_stage(uint64_t size, const struct place *top, struct fault *f)
{
	char data[64];
	const struct mnt_mount m = { "tmpfs", "luabox", "layers of the root", 0, data };
	cleanup_fd int stage = -1;
	int rc;

	snprintf(data, sizeof data, size ? "mode=755,size=%" PRIu64 : "mode=755", size);
	rc = plain_mount(&m, top->fd, f);
	if (rc < 0)
		return rc;
	stage = open_mounted(top, f);
	rc = stage < 0 ? stage : mnt_make_layers(stage, f);
	return rc < 0 ? rc : take_fd(&stage);
}

/* The descriptors of the lower layers, from top to bottom. */
struct lowers {
	int fds[1 + MNT_LAYERS];
	size_t count;
};

static void close_lowers(struct lowers *l)
{
	for (size_t i = 0; i < l->count; i++)
		util_close(l->fds[i]);
}

#define cleanup_lowers __attribute__((cleanup(close_lowers)))
#define LONGEST_NUMBER 11

/* The layers are named by the numbers of their descriptors. */
static int mount_overlay(const struct mnt_root *r, const struct lowers *l, int upper, int work,
			 const struct place *top, struct fault *f)
{
	char data[128 + (1 + MNT_LAYERS) * LONGEST_NUMBER], *end = data;
	const struct mnt_mount m = { "overlay", "luabox", "/", plain_flags(mnt_root_attributes(r)), data };
	int user = ns_in_user_namespace();

	if (user < 0)
		return fault_set(f, -user, "read", "/proc/self/uid_map");
	end += sprintf(end, "upperdir=%d,workdir=%d%s,lowerdir", upper, work, user ? ",userxattr" : "");
	for (size_t i = 0; i < l->count; i++)
		end += sprintf(end, "%c%d", i ? ':' : '=', l->fds[i]);
	return plain_mount(&m, top->fd, f);
}

/* A path is a layer as it is. It is not bound: a copy of "/" would have the stage on it. */
static int open_lower(const struct mnt_root *r, int stage, struct fault *f)
{
	cleanup_fd int below = -1;
	int rc;

	if (r->path)
		return open_path(r->path, f);
	below = mnt_open_directory(stage, "lower", f);
	rc = below < 0 ? below : put_lower(r, &(struct place){ below, stage, "lower" }, f);
	return rc < 0 ? rc : mnt_open_directory(stage, "lower", f);
}

static int open_below(const struct mnt_layer *layer, struct fault *f)
{
	if (layer->path)
		return open_path(layer->path, f);
	fault_set(f, ENOSYS, "move_mount", "lower layer");
	lack_explain(f, "move_mount", "give the layer as a path");
	return -ENOSYS;
}

static int open_lowers(const struct mnt_root *r, int stage, struct lowers *l, struct fault *f)
{
	int fd = open_lower(r, stage, f);

	for (size_t i = 0; fd >= 0; i++) {
		l->fds[l->count++] = fd;
		if (i == r->below_count)
			return 0;
		fd = open_below(&r->below[i], f);
	}
	return fd;
}

static int layers_on(const struct mnt_root *r, int stage, const struct place *top, struct fault *f)
{
	cleanup_lowers struct lowers lowers = { .count = 0 };
	cleanup_fd int upper = -1, work = -1;
	int rc = open_lowers(r, stage, &lowers, f);

	rc = rc < 0 ? rc : mnt_open_upper(r, stage, &upper, &work, f);
	if (rc < 0)
		return rc;
	rc = mount_overlay(r, &lowers, upper, work, top, f);
	if (rc == -EINVAL || rc == -ELOOP)
		detect_overlay(r->upper, r->work, f);
	return rc;
}

int mnt_plain_root(const struct mnt_root *r, int old, struct fault *f)
{
	const struct place top = { old, AT_FDCWD, "/.." };
	cleanup_fd int stage = r->overlay ? make_stage(r->size, &top, f) : -1, tree = -1;
	int rc;

	if (r->overlay)
		rc = stage < 0 ? stage : layers_on(r, stage, &top, f);
	else
		rc = put_lower(r, &top, f);
	tree = rc < 0 ? rc : open_mounted(&top, f);
	if (tree < 0)
		return tree;
	rc = r->overlay ? 0 : plain_change(tree, mnt_root_attributes(r), MS_SLAVE, 1, f);
	return rc < 0 ? rc : take_fd(&tree);
}
