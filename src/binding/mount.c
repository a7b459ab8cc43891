/* SPDX-License-Identifier: MIT */
/***
Mounts: make, bind, move and take away; detached ones as handles; the table of what is mounted.

Flags are comma lists. Of a file system or a bind mount: `ro`, `nosuid`, `nodev`, `noexec`, `noatime`,
`nodiratime`, `strictatime`, `nosymfollow`. All of this acts in the caller's mount namespace: unshare `mnt`
first.

Two types of handles, which have `close()`, `fileno()` and `<close>`: `luabox.fscontext`, a file system that
is being configured, and `luabox.mount`, a mount that is open where it is, or detached: then nobody else sees
it, and unless it is attached before, it ends with its handle.
@module luabox.sys.mount
*/
#include "binding/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "kernel/mount.h"
#include "kernel/mountinfo.h"
#include "kernel/util.h"

#define LONGEST_DATA 4095 /* a page, with the zero at its end */
#define LONGEST_LINE 65536
#define TABLE_TYPE "luabox.mount_table"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

const struct box_name box_mount_flags[] = {
	{ "ro", MS_RDONLY },
	{ "rw", MS_RDONLY, .clear = 1 },
	{ "nosuid", MS_NOSUID },
	{ "nodev", MS_NODEV },
	{ "noexec", MS_NOEXEC },
	{ "noatime", MS_NOATIME },
	{ "nodiratime", MS_NODIRATIME },
	{ "relatime", MS_RELATIME },
	{ "strictatime", MS_STRICTATIME },
	{ "nosymfollow", MS_NOSYMFOLLOW },
	{ "sync", MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC },
	{ "lazytime", MS_LAZYTIME },
	{ "silent", MS_SILENT },
	{ "remount", MS_REMOUNT },
	{ "bind", MS_BIND },
	{ "rec", MS_REC },
	{ 0 },
};

#define ATTRIBUTES                                                                                           \
	{ "ro", MOUNT_ATTR_RDONLY }, { "nosuid", MOUNT_ATTR_NOSUID }, { "nodev", MOUNT_ATTR_NODEV },         \
		{ "noexec", MOUNT_ATTR_NOEXEC }, { "noatime", MOUNT_ATTR_NOATIME },                          \
		{ "nodiratime", MOUNT_ATTR_NODIRATIME }, { "strictatime", MOUNT_ATTR_STRICTATIME },          \
	{                                                                                                    \
		"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW                                                        \
	}

const struct box_name box_mount_attributes[] = { ATTRIBUTES, { 0 } };
const struct box_name box_mount_bind_flags[] = { ATTRIBUTES, { "rec", BOX_MOUNT_RECURSIVE }, { 0 } };

#undef ATTRIBUTES

const struct box_name box_mount_propagation[] = { { "private", MS_PRIVATE }, { "slave", MS_SLAVE },
						  { "shared", MS_SHARED },   { "unbindable", MS_UNBINDABLE },
						  { "rec", MS_REC },         { 0 } };

static int done(lua_State *L, int rc, const struct fault *f)
{
	return rc < 0 ? box_raise(L, f) : 0;
}

/* ---- options of a file system ---- */

/* Adds one part of a list (of overlay's lowerdir); ':' separates parts, so it is escaped. */
static void add_part(lua_State *L, luaL_Buffer *b, int arg, const char *where, const char *name,
		     const char *key)
{
	if (lua_type(L, -1) != LUA_TSTRING)
		box_option_error(L, arg, where, name, "the list '%s' holds a %s; strings expected", key,
				 luaL_typename(L, -1));
	lua_pushstring(L, luaL_gsub(L, luaL_gsub(L, lua_tostring(L, -1), "\\", "\\\\"), ":", "\\:"));
	lua_replace(L, -4);
	lua_pop(L, 2);
	luaL_addvalue(b);
}

static const char *list_value(lua_State *L, int arg, const char *where, const char *name, const char *key)
{
	int list = lua_absindex(L, -1);
	lua_Integer n = (lua_Integer)lua_rawlen(L, list);
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (lua_Integer i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&b, ':');
		lua_rawgeti(L, list, i);
		add_part(L, &b, arg, where, name, key);
	}
	luaL_pushresult(&b);
	lua_replace(L, list);
	return lua_tostring(L, list);
}

/* Turns the value at the top into "key=value", or "key" for true. */
static void make_option(lua_State *L, int arg, const char *where, const char *name, const char *key)
{
	const char *value = NULL;

	switch (lua_type(L, -1)) {
	case LUA_TTABLE:
		value = list_value(L, arg, where, name, key);
		break;
	case LUA_TSTRING:
	case LUA_TNUMBER:
		value = lua_tostring(L, -1);
		break;
	case LUA_TBOOLEAN:
		if (lua_toboolean(L, -1))
			break;
		/* fall through */
	default:
		box_option_error(L, arg, where, name,
				 "'%s' is a %s; true, a string, a number or a list expected", key,
				 luaL_typename(L, -1));
	}
	if (strchr(key, ',') || (value && strchr(value, ',')))
		box_option_error(L, arg, where, name,
				 "'%s' contains a comma; give it to a mount.fsopen handle", key);
	if (value)
		lua_pushfstring(L, "%s=%s", key, value);
	else
		lua_pushstring(L, key);
	lua_replace(L, -2);
}

/* Replaces the table at the top by its options, joined; what is on the stack meanwhile is
 * [table, text, key, value]. */
static void join_options(lua_State *L, int arg, const char *where, const char *name)
{
	int table = lua_absindex(L, -1);

	luaL_checkstack(L, 16, NULL);
	lua_pushliteral(L, "");
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			box_option_error(L, arg, where, name,
					 "the names of options are strings, got a %s key",
					 luaL_typename(L, -2));
		make_option(L, arg, where, name, lua_tostring(L, -2));
		lua_pushfstring(L, "%s%s%s", lua_tostring(L, table + 1), lua_rawlen(L, table + 1) ? "," : "",
				lua_tostring(L, -1));
		lua_replace(L, table + 1);
	}
	lua_replace(L, table);
}

const char *box_mount_data(lua_State *L, int arg, const char *where, const char *name)
{
	size_t length;
	const char *data;

	if (lua_type(L, -1) == LUA_TTABLE)
		join_options(L, arg, where, name);
	else if (lua_type(L, -1) != LUA_TSTRING)
		box_option_error(L, arg, where, name, "string or table expected, got %s",
				 luaL_typename(L, -1));
	data = lua_tolstring(L, -1, &length);
	if (strlen(data) != length)
		box_option_error(L, arg, where, name, "contains a zero byte");
	if (length > LONGEST_DATA)
		box_option_error(L, arg, where, name, "is %zu bytes long; at most %d are allowed", length,
				 LONGEST_DATA);
	return data;
}

/* ---- functions ---- */

/***
The words of the option `flags` of `mount`, or of `bind`.
@function flags
@tparam[opt="mount"] string of "mount" or "bind"
@treturn {string,...}
@usage assert(luabox.sys.mount.flags("bind")[1] == "ro")
*/
static int mount_flags(lua_State *L)
{
	static const struct box_name kinds[] = { { "mount", 0 }, { "bind", 1 }, { 0 } };
	const struct box_name *names =
		box_checkenum(L, 1, "mount", kinds) ? box_mount_bind_flags : box_mount_flags;

	lua_newtable(L);
	for (int i = 0; names[i].name; i++) {
		lua_pushstring(L, names[i].name);
		lua_seti(L, -2, i + 1);
	}
	return 1;
}

struct mount_options {
	const char *source, *target, *type;
	uint64_t flags;
};

#define PATH(name, is_required)                                                                              \
	{                                                                                                    \
#name, BOX_STRING, offsetof(struct mount_options, name), .required = is_required, .min = 1,  \
									 .max = PATH_MAX - 1                 \
	}
#define FLAGS(words)                                                                                         \
	{                                                                                                    \
		"flags", BOX_FLAGS, offsetof(struct mount_options, flags), .names = words                    \
	}

static const struct box_opt mount_options[] = {
	PATH(source, 0),
	PATH(target, 1),
	{ "type", BOX_STRING, offsetof(struct mount_options, type), .min = 1, .max = 255 },
	FLAGS(box_mount_flags),
	{ "data", BOX_ANY },
	{ 0 },
};

static const struct box_opt bind_options[] = {
	PATH(source, 1), PATH(target, 1), FLAGS(box_mount_bind_flags), { 0 }
};

#undef PATH
#undef FLAGS

/***
Mounts a file system, or changes one with the flag `remount`.

Any type that the kernel knows: proc, sysfs, tmpfs, devpts, mqueue, overlay, ext4, … When a file system
refuses an option, its own words are in the error.
@function mount
@tparam table options
@string options.target where: a directory that is there
@string[opt] options.type as in `/proc/filesystems`; needed but for `remount` and `bind`
@string[opt] options.source the device, or a name to be shown (by default the type)
@string[opt] options.flags those of the module, and `rw`, `relatime`, `sync`, `dirsync`, `lazytime`, `silent`,
`remount`, `bind`, `rec`
@tparam[opt] string|table options.data options of the file system: `"size=64M,mode=755"`, or
`{ size = "64M", mode = "755" }`; true for an option without value, a list for overlay's `lowerdir`
@raise luabox.error: EPERM, EINVAL for an option, EBUSY, ENODEV for an unknown type, ENOSPC at
`/proc/sys/fs/mount-max`, ENOENT
@see mount(2)
@usage luabox.sys.mount.mount { type = "tmpfs", target = "/mnt", flags = "nosuid,nodev", data = { size = "1M",
mode = "755" } } luabox.sys.mount.umount("/mnt")
*/
static int mount_mount(lua_State *L)
{
	struct mount_options o = { 0 };
	struct mnt_mount m;
	struct fault f;

	box_options(L, 1, mount_options, &o);
	if (!o.type && !(o.flags & (MS_REMOUNT | MS_BIND)))
		luaL_argerror(L, 1, "option 'type' is missing");
	m = (struct mnt_mount){ o.type, o.source, o.target, o.flags, NULL };
	if (lua_getfield(L, 1, "data") != LUA_TNIL)
		m.data = box_mount_data(L, 1, NULL, "data");
	return done(L, mnt_mount(&m, &f), &f);
}

/***
Binds a file or directory to another place.

With `rec` all that is mounted below is bound too, and then the other flags are set on each of these mounts:
nothing below a recursive read-only bind can be written.
@function bind
@tparam table options
@string options.source
@string options.target
@string[opt] options.flags those of the module, and `rec`
@raise luabox.error: EPERM, EINVAL, ENOENT, ENOTDIR
@see mount(2), open_tree(2), mount_setattr(2)
@usage luabox.sys.mount.bind { source = "/usr", target = "/mnt", flags = "rec,ro" }
luabox.sys.mount.umount("/mnt", "detach")
*/
static int mount_bind(lua_State *L)
{
	struct mount_options o = { 0 };
	struct fault f;
	int recursive;

	box_options(L, 1, bind_options, &o);
	recursive = !!(o.flags & BOX_MOUNT_RECURSIVE);
	return done(L, mnt_bind(o.source, o.target, o.flags & ~BOX_MOUNT_RECURSIVE, recursive, &f), &f);
}

/***
Moves a mount, with what is mounted below it.
@function move
@string from a mount point
@string to
@raise luabox.error: EINVAL for what is no mount point or lies on a shared mount
@see mount(2)
@usage local mount = luabox.sys.mount
mount.mount { type = "tmpfs", target = "/mnt" }
mount.move("/mnt", "/media")
mount.umount("/media")
*/
static int mount_move(lua_State *L)
{
	const char *from = box_checkpath(L, 1), *to = box_checkpath(L, 2);
	struct fault f;

	return done(L, mnt_move(from, to, &f), &f);
}

/***
Says how mounts and unmounts on a mount spread to its copies in other namespaces.
@function propagation
@string path a mount point
@string flags one of `private`, `slave`, `shared`, `unbindable`; with `rec` for all that is mounted below too
@raise luabox.error: EINVAL for what is no mount point
@see mount_namespaces(7)
@usage luabox.sys.mount.propagation("/", "private,rec")
*/
static int mount_propagation(lua_State *L)
{
	const char *path = box_checkpath(L, 1);
	uint64_t flags = box_flags(L, 2, NULL, NULL, luaL_checkstring(L, 2), box_mount_propagation);
	struct fault f;

	luaL_argcheck(L, __builtin_popcountll(flags & ~(uint64_t)MS_REC) == 1, 2,
		      "one of 'private', 'slave', 'shared', 'unbindable' expected");
	return done(L, mnt_propagation(path, flags, &f), &f);
}

static const struct box_name umount_flags[] = { { "detach", MNT_DETACH },
						{ "expire", MNT_EXPIRE },
						{ "force", MNT_FORCE },
						{ "nofollow", UMOUNT_NOFOLLOW },
						{ 0 } };

/***
Takes a mount away.
@function umount
@string target
@string[opt] flags `detach`: out of sight at once, ended with its last user; `expire`: only when unused since
the last such call; `force`; `nofollow`: not through a symbolic link
@raise luabox.error: EBUSY while it is used, EINVAL for what is no mount point, EAGAIN from `expire`
@see umount2(2)
@usage luabox.sys.mount.mount { type = "tmpfs", target = "/mnt" }
luabox.sys.mount.umount("/mnt", "detach")
*/
static int mount_umount(lua_State *L)
{
	const char *target = box_checkpath(L, 1);
	uint64_t flags = box_flags(L, 2, NULL, NULL, luaL_optstring(L, 2, ""), umount_flags);
	struct fault f;

	luaL_argcheck(L, !(flags & MNT_EXPIRE) || !(flags & (MNT_DETACH | MNT_FORCE)), 2,
		      "'expire' goes with neither 'detach' nor 'force'");
	return done(L, mnt_umount(target, (int)flags, &f), &f);
}

/***
Exchanges the root mount of the namespace for another.

Which of the kernel's rules is broken is in the error's hint. `pivot_root(".", ".")` with the new root as
working directory stacks the old root on the new one; `umount(".", "detach")` then takes it away.
@function pivot_root
@string new_root a mount point
@string put_old a directory at or below it, where the old root goes
@raise luabox.error: EINVAL, EBUSY, EPERM
@see pivot_root(2)
@usage local mount = luabox.sys.mount
mount.bind { source = "/", target = "/mnt", flags = "rec" }
mount.pivot_root("/mnt", "/mnt/mnt")
mount.umount("/mnt", "detach")
*/
static int mount_pivot_root(lua_State *L)
{
	const char *new_root = box_checkpath(L, 1), *put_old = box_checkpath(L, 2);
	struct fault f;

	return done(L, mnt_pivot_root(new_root, put_old, &f), &f);
}

/***
Changes the root directory of the process, and goes there. It confines nobody who is root inside: `pivot_root`
does.
@function chroot
@tparam string|handle directory a path, or an open directory
@raise luabox.error: EPERM, ENOENT, ENOTDIR
@see chroot(2)
@usage luabox.sys.mount.chroot("/")
*/
static int mount_chroot(lua_State *L)
{
	int fd = box_tofd(L, 1);
	const char *path = fd < 0 ? box_checkpath(L, 1) : ".";
	struct fault f;

	if (fd >= 0 && fchdir(fd) < 0)
		return box_fail(L, errno, "fchdir", lua_pushfstring(L, "descriptor %d", fd));
	return done(L, mnt_chroot(path, &f), &f);
}

/* ---- the table ---- */

struct table_handle {
	struct box_fd h;
	struct mnt_table table;
	char buf[LONGEST_LINE];
};

static void set_group(lua_State *L, const char *field, unsigned group)
{
	if (!group)
		return;
	lua_pushinteger(L, group);
	lua_setfield(L, -2, field);
}

static const char *propagation_of(const struct mnt_info *m)
{
	if (m->shared)
		return m->master ? "shared,slave" : "shared";
	if (m->master)
		return "slave";
	return m->unbindable ? "unbindable" : "private";
}

static void push_mount(lua_State *L, const struct mnt_info *m)
{
	lua_createtable(L, 0, 14);
	set_group(L, "id", (unsigned)m->id);
	set_group(L, "parent", (unsigned)m->parent);
	lua_pushfstring(L, "%d:%d", (int)m->major, (int)m->minor);
	lua_setfield(L, -2, "device");
	box_set_text(L, "root", m->root);
	box_set_text(L, "target", m->target);
	box_set_text(L, "flags", m->flags);
	box_set_text(L, "propagation", propagation_of(m));
	set_group(L, "shared", m->shared);
	set_group(L, "master", m->master);
	set_group(L, "propagate_from", m->propagate_from);
	box_set_text(L, "type", m->type);
	box_set_text(L, "source", m->source);
	box_set_text(L, "options", m->options);
}

/* The file to read, pushed: of a pid, a path, or the caller's own. */
static const char *table_path(lua_State *L)
{
	lua_Integer pid;

	if (lua_type(L, 1) == LUA_TSTRING)
		return box_checkpath(L, 1);
	if (lua_isnoneornil(L, 1))
		return lua_pushliteral(L, "/proc/thread-self/mountinfo");
	pid = luaL_checkinteger(L, 1);
	luaL_argcheck(L, pid > 0 && pid <= INT_MAX, 1, "pid out of range");
	return lua_pushfstring(L, "/proc/%d/mountinfo", (int)pid);
}

/***
The table of mounts, in the order of the kernel.

Each entry has `id`, `parent`, `device` ("8:1"), `root` (the directory of the file system that is
mounted), `target`, `flags` (of the mount), `propagation` ("private", "shared", "slave", "shared,slave" or
"unbindable"), the numbers of peer groups `shared`, `master` and `propagate_from` where there are such,
`type`, `source` and `options` (of the file system). Spaces and the like in paths are decoded.
@function list
@tparam[opt] integer|string which that of the process with this pid, or a file in the format of
`/proc/PID/mountinfo`; without it the caller's own
@treturn {table,...}
@raise luabox.error: ENOENT without such a process
@see proc_pid_mountinfo(5)
@usage for _, m in ipairs(luabox.sys.mount.list()) do print(m.target, m.type, m.flags) end
*/
static int mount_list(lua_State *L)
{
	const char *path = table_path(L);
	struct table_handle *t = box_handle_new(L, TABLE_TYPE, sizeof *t);
	struct mnt_info m;
	int rc;

	lua_toclose(L, -1);
	t->h.fd = retry_eintr(open(path, O_RDONLY | O_CLOEXEC));
	if (t->h.fd < 0)
		return box_fail(L, errno, "open", path);
	mnt_table_init(&t->table, t->h.fd, t->buf, sizeof t->buf);
	lua_newtable(L);
	for (lua_Integer i = 1; (rc = mnt_table_next(&t->table, &m)) > 0; i++) {
		push_mount(L, &m);
		lua_rawseti(L, -2, i);
	}
	if (rc < 0)
		return box_fail(L, rc, "read", path);
	return 1;
}

static const luaL_Reg functions[] = {
	{ "bind", mount_bind },
	{ "chroot", mount_chroot },
	{ "flags", mount_flags },
	{ "list", mount_list },
	{ "mount", mount_mount },
	{ "move", mount_move },
	{ "pivot_root", mount_pivot_root },
	{ "propagation", mount_propagation },
	{ "umount", mount_umount },
	{ NULL, NULL },
};

BOX_MODULE(mount)
{
	box_handle_type(L, TABLE_TYPE, NULL, NULL);
	luaL_newlib(L, functions);
	box_mount_detached(L);
	return 1;
}
