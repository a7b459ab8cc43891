/* SPDX-License-Identifier: MIT */
/***
The default root of a container, which the program carries with it.

It is Debian's busybox-static with a link for each applet in `/bin` (`/sbin`, `/usr/bin` and `/usr/sbin` are
the same directory), the usual directories and a small `/etc`.
@module luabox.sys.rootfs
*/
#include "binding/mount.h"

#include <errno.h>
#include <sys/mount.h>

#include "kernel/lack.h"
#include "kernel/mount.h"
#include "kernel/rootfs.h"

/***
Makes the default root: a detached, read-only tmpfs, to be the lower layer of any number of overlays.

It takes 2 MB, and a good millisecond; make it once. Its files are root's: for a container in a user
namespace, copy it (`mount.open_tree(root, "clone")`) and give the copy that namespace's ids (`setattr {
userns = … }`). Before Linux 6.15 the kernel cannot copy detached mounts, and each container needs one of its
own.
@function default
@treturn luabox.mount
@raise luabox.error: EPERM without CAP_SYS_ADMIN, ENOSYS before Linux 5.12, or where a filter hides what it
takes
@see fsmount(2)
@usage local root <close> = luabox.sys.rootfs.default()
root:attach("/mnt")
os.execute("/mnt/bin/busybox true")
luabox.sys.mount.umount("/mnt", "detach")
*/
static int rootfs_default(lua_State *L)
{
	struct box_fd *h;
	struct fault f;

	box_mount_type(L);
	h = box_mount_new(L);
	if (!mnt_can_attach()) {
		fault_set(&f, ENOSYS, "move_mount", "default root");
		lack_explain(&f, "move_mount", NULL);
		return box_raise(L, &f);
	}
	h->fd = rootfs_make(0, &f);
	if (h->fd < 0 || mnt_setattr(h->fd, MOUNT_ATTR_RDONLY, 0, 0, &f) < 0)
		return box_raise(L, &f);
	return 1;
}

static const luaL_Reg functions[] = { { "default", rootfs_default }, { NULL, NULL } };

BOX_MODULE(rootfs)
{
	luaL_newlib(L, functions);
	return 1;
}
