/* SPDX-License-Identifier: MIT
 * The part of luabox.sys.mount that deals in descriptors: file system
 * contexts and detached mounts.
 */
/***
@submodule luabox.sys.mount
*/
#include "binding/mount.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "binding/namespace.h"
#include "kernel/fscontext.h"
#include "kernel/mount.h"

#define FS_CONTEXT "luabox.fscontext"

struct box_fd *box_mount_new(lua_State *L)
{
	return box_handle_new(L, BOX_MOUNT, sizeof(struct box_fd));
}

/* Returns the handle at the top of the stack, or raises. */
static int finish(lua_State *L, struct box_fd *h, int fd, const struct fault *f)
{
	if (fd < 0)
		return box_raise(L, f);
	h->fd = fd;
	return 1;
}

static int done(lua_State *L, int rc, const struct fault *f)
{
	return rc < 0 ? box_raise(L, f) : 0;
}

/***
Begins a file system that is configured step by step and mounted detached. Linux 5.2.
@function fsopen
@string type as in `/proc/filesystems`
@treturn luabox.fscontext
@raise luabox.error: ENODEV for an unknown type, EPERM
@see fsopen(2)
@usage local tmpfs <close> = luabox.sys.mount.fsopen("tmpfs")
tmpfs:set("size", "1M")
tmpfs:create()
local tree <close> = tmpfs:mount("nosuid,nodev")
tree:attach("/mnt")
luabox.sys.mount.umount("/mnt", "detach")
*/
static int mount_fsopen(lua_State *L)
{
	const char *type = luaL_checkstring(L, 1);
	struct box_fd *h = box_handle_new(L, FS_CONTEXT, sizeof *h);
	struct fault f;

	return finish(L, h, mnt_fs_open(type, &f), &f);
}

static const struct box_name tree_flags[] = {
	{ "clone", OPEN_TREE_CLONE }, { "rec", AT_RECURSIVE }, { "nofollow", AT_SYMLINK_NOFOLLOW }, { 0 }
};

/***
Opens what is mounted at a path, or makes a detached copy of it. Linux 5.2.
@function open_tree
@tparam string|handle at a path, or a descriptor
@string[opt] flags `clone`: a detached copy; `rec`: with it, of all that is mounted below too; `nofollow`: not
through a symbolic link
@treturn luabox.mount
@raise luabox.error: ENOENT; EPERM; EINVAL for a copy of an unbindable mount, of one in another namespace, or
without `rec` of one below which a more privileged namespace has mounted
@see open_tree(2)
@usage local tree <close> = luabox.sys.mount.open_tree("/usr", "clone,rec")
tree:setattr { set = "ro", recursive = true }
tree:attach("/mnt")
luabox.sys.mount.umount("/mnt", "detach")
*/
static int mount_open_tree(lua_State *L)
{
	uint64_t flags = box_flags(L, 2, NULL, NULL, luaL_optstring(L, 2, ""), tree_flags);
	const char *path = "";
	int at = AT_FDCWD;
	struct box_fd *h;
	struct fault f;

	luaL_argcheck(L, !(flags & AT_RECURSIVE) || flags & OPEN_TREE_CLONE, 2, "'rec' goes with 'clone'");
	if (lua_type(L, 1) == LUA_TSTRING) {
		path = box_checkpath(L, 1);
	} else {
		at = box_checkfd(L, 1);
		flags |= AT_EMPTY_PATH;
	}
	h = box_mount_new(L);
	return finish(L, h, mnt_open_tree(at, path, (unsigned)flags, &f), &f);
}

/***
Sets an option; what the file system says about a wrong one is the error's message.
@function luabox.fscontext:set
@string key
@tparam[opt] string|integer|handle value none for an option that takes no value; a handle for one that takes a
descriptor
@raise luabox.error: EINVAL
@see fsconfig(2)
@usage local tmpfs <close> = luabox.sys.mount.fsopen("tmpfs")
tmpfs:set("mode", "700")
tmpfs:set("noswap")
*/
static int fscontext_set(lua_State *L)
{
	struct box_fd *h = box_handle_check(L, 1, FS_CONTEXT);
	const char *key = luaL_checkstring(L, 2), *value = NULL;
	int fd = -1;
	struct fault f;

	if (lua_isuserdata(L, 3))
		fd = box_checkfd(L, 3);
	else
		value = luaL_optstring(L, 3, NULL);
	return done(L, mnt_fs_set(h->fd, key, value, fd, &f), &f);
}

/***
Makes the file system as configured.
@function luabox.fscontext:create
@raise luabox.error
@see fsconfig(2)
@usage local tmpfs <close> = luabox.sys.mount.fsopen("tmpfs")
tmpfs:create()
*/
static int fscontext_create(lua_State *L)
{
	struct box_fd *h = box_handle_check(L, 1, FS_CONTEXT);
	struct fault f;

	return done(L, mnt_fs_create(h->fd, &f), &f);
}

/***
Mounts the file system that was made, detached: nobody sees it until it is attached, and it ends with its
handle before that.
@function luabox.fscontext:mount
@string[opt] flags those of the module
@treturn luabox.mount
@raise luabox.error
@see fsmount(2)
@usage local tmpfs <close> = luabox.sys.mount.fsopen("tmpfs")
tmpfs:create()
local tree <close> = tmpfs:mount("ro")
*/
static int fscontext_mount(lua_State *L)
{
	struct box_fd *context = box_handle_check(L, 1, FS_CONTEXT), *h;
	uint64_t attributes = box_flags(L, 2, NULL, NULL, luaL_optstring(L, 2, ""), box_mount_attributes);
	struct fault f;

	h = box_mount_new(L);
	return finish(L, h, mnt_fs_mount(context->fd, attributes, &f), &f);
}

/***
Attaches a detached mount. One that is attached, in this mount namespace, is moved.
@function luabox.mount:attach
@string path
@raise luabox.error: ENOENT; EINVAL for a mount of another mount namespace, or a directory on what is none
@see move_mount(2)
@usage local tree <close> = luabox.sys.mount.open_tree("/usr", "clone")
tree:attach("/mnt")
luabox.sys.mount.umount("/mnt", "detach")
*/
static int tree_attach(lua_State *L)
{
	struct box_fd *h = box_handle_check(L, 1, BOX_MOUNT);
	const char *path = box_checkpath(L, 2);
	struct fault f;

	return done(L, mnt_attach(h->fd, path, &f), &f);
}

struct attr_options {
	uint64_t set, clear;
	int64_t propagation;
	int recursive, userns;
};

static const struct box_name attr_propagation[] = { { "private", MS_PRIVATE },
						    { "slave", MS_SLAVE },
						    { "shared", MS_SHARED },
						    { "unbindable", MS_UNBINDABLE },
						    { 0 } };

static const struct box_opt attr_options[] = {
	{ "set", BOX_FLAGS, offsetof(struct attr_options, set), .names = box_mount_attributes },
	{ "clear", BOX_FLAGS, offsetof(struct attr_options, clear), .names = box_mount_attributes },
	{ "propagation", BOX_ENUM, offsetof(struct attr_options, propagation), .names = attr_propagation },
	{ "recursive", BOX_BOOL, offsetof(struct attr_options, recursive) },
	{ "userns", BOX_FD, offsetof(struct attr_options, userns) },
	{ 0 },
};

/***
Changes a mount. Linux 5.12.
@function luabox.mount:setattr
@tparam table options
@string[opt] options.set flags of the module to set
@string[opt] options.clear flags to clear; clearing one that says when access times are written sets the
default, `relatime`
@string[opt] options.propagation `private`, `slave`, `shared` or `unbindable`
@bool[opt] options.recursive all that is mounted below too (default false)
@tparam[opt] handle options.userns a user namespace whose id maps the mount shall show; for detached mounts
@raise luabox.error: EPERM to clear what a more privileged namespace has set, EBUSY while files are open for
writing, EINVAL
@see mount_setattr(2)
@usage local tree <close> = luabox.sys.mount.open_tree("/usr", "clone,rec")
tree:setattr { set = "ro,nosuid", recursive = true }
*/
static int tree_setattr(lua_State *L)
{
	struct box_fd *h = box_handle_check(L, 1, BOX_MOUNT);
	struct attr_options o = { .userns = -1 };
	struct mount_attr attr = { 0 };
	struct fault f;

	box_options(L, 2, attr_options, &o);
	if (o.set & o.clear)
		luaL_argerror(L, 2, "options 'set' and 'clear' name the same flag");
	attr.attr_set = o.set | (o.userns >= 0 ? MOUNT_ATTR_IDMAP : 0);
	attr.attr_clr = o.clear;
	attr.propagation = (uint64_t)o.propagation;
	attr.userns_fd = o.userns >= 0 ? (uint64_t)o.userns : 0;
	return done(L, mnt_change(h->fd, &attr, o.recursive, &f), &f);
}

static const luaL_Reg fscontext_methods[] = {
	{ "create", fscontext_create }, { "mount", fscontext_mount }, { "set", fscontext_set }, { NULL, NULL }
};

static const luaL_Reg tree_methods[] = { { "attach", tree_attach },
					 { "setattr", tree_setattr },
					 { NULL, NULL } };

static const luaL_Reg functions[] = { { "fsopen", mount_fsopen },
				      { "open_tree", mount_open_tree },
				      { NULL, NULL } };

void box_mount_type(lua_State *L)
{
	box_handle_type(L, BOX_MOUNT, tree_methods, NULL);
}

void box_mount_detached(lua_State *L)
{
	box_handle_type(L, FS_CONTEXT, fscontext_methods, NULL);
	box_mount_type(L);
	luaL_setfuncs(L, functions, 0);
}
