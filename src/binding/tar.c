/* SPDX-License-Identifier: MIT */
/***
Unpacking a tar, of whoever made it, below a directory. `luabox.rootfs.from_tar` makes the directory, too, and
removes it when it fails.
@module luabox.sys.tar
*/
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "binding/binding.h"
#include "binding/namespace.h"
#include "kernel/tar.h"
#include "kernel/util.h"

#define TAR_TYPE "luabox.tar"

/* Its descriptor is the archive's. */
struct tar_handle {
	struct box_fd h;
	struct tar tar;
};

static int tar_handle_close(lua_State *L)
{
	struct tar_handle *h = lua_touserdata(L, 1);

	tar_close(&h->tar);
	return 0;
}

/* A handle that is closed when the function ends, however it does. */
static struct tar_handle *new_tar(lua_State *L)
{
	struct tar_handle *h;

	box_handle_type(L, TAR_TYPE, NULL, tar_handle_close);
	h = box_handle_new(L, TAR_TYPE, sizeof *h);
	lua_toclose(L, -1);
	return h;
}

/* The archive at 'arg', a path or a descriptor, which is not taken. Returns its name. */
static const char *open_archive(lua_State *L, int arg, struct tar_handle *h)
{
	const char *path = lua_type(L, arg) == LUA_TSTRING ? box_checkpath(L, arg) : NULL;
	const char *name = path ? path : "archive";

	for (;;) {
		h->h.fd = path ? open(path, O_RDONLY | O_CLOEXEC)
			       : fcntl(box_checkfd(L, arg), F_DUPFD_CLOEXEC, 3);
		if (h->h.fd >= 0)
			return name;
		if (errno != EINTR)
			box_fail(L, errno, "open", name);
		box_run_hooks(L); /* a fifo without a writer */
	}
}

/* The directory at 'arg', which may be a mount that only names it. */
static int open_directory(lua_State *L, int arg)
{
	struct box_fd *h = box_fd_new(L);
	const char *path = NULL;
	int at = AT_FDCWD;

	lua_toclose(L, -1);
	if (lua_type(L, arg) == LUA_TSTRING)
		path = box_checkpath(L, arg);
	else
		at = box_checkfd(L, arg);
	h->fd = retry_eintr(openat(at, path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return h->fd >= 0 ? h->fd : box_fail(L, errno, "open", path ? path : "directory");
}

static const struct box_opt unpack_options[] = {
	{ "owners", BOX_BOOL, offsetof(struct tar_options, owners) },
	{ "uid_map", BOX_TABLE },
	{ "gid_map", BOX_TABLE },
	{ "max_size", BOX_INT, offsetof(struct tar_options, max_size), .min = 1, .max = INT64_MAX },
	{ 0 },
};

/* What the maps point into stays on the stack. */
static void read_options(lua_State *L, int arg, struct tar_options *o)
{
	static const char *const names[] = { "uid_map", "gid_map" };
	struct idmap *maps[] = { &o->uid, &o->gid };

	if (lua_isnoneornil(L, arg))
		return;
	box_options(L, arg, unpack_options, o);
	for (int i = 0; i < 2; i++)
		if (lua_getfield(L, arg, names[i]) != LUA_TNIL)
			box_check_idmap(L, arg, names[i], maps[i]);
}

static void push_skipped(lua_State *L, const char *what, const struct tar_skipped *s)
{
	lua_createtable(L, 0, 4);
	box_set_text(L, "what", what);
	box_set_integer(L, "count", (lua_Integer)s->count);
	box_set_text(L, "path", s->path);
	box_set_text(L, "code", strerrorname_np(s->error));
}

static int push_counts(lua_State *L, const struct tar_counts *c)
{
	static const char *const words[TAR_SKIPS] = { "device", "attribute", "acl" };
	lua_Integer n = 0;

	lua_createtable(L, 0, 3);
	box_set_integer(L, "entries", (lua_Integer)c->entries);
	box_set_integer(L, "bytes", (lua_Integer)c->bytes);
	lua_newtable(L);
	for (int i = 0; i < TAR_SKIPS; i++) {
		if (!c->skipped[i].count)
			continue;
		push_skipped(L, words[i], &c->skipped[i]);
		lua_rawseti(L, -2, ++n);
	}
	lua_setfield(L, -2, "skipped");
	return 1;
}

/***
Unpacks a tar, plain or compressed by gzip, bzip2, xz or zstd, into an empty directory. Owners, modes, times,
hard links, fifos, devices, holes, extended attributes and access control lists are as in the archive.

An entry whose path is absolute, has a ".." in it or leads through a symbolic link is refused, and so is a
hard link to such a path. What was unpacked before an error stays in the directory. It takes libarchive 3
(Debian: libarchive13).
@function unpack
@tparam string|handle archive a path, or what the bytes are read from
@tparam string|handle directory
@tparam[opt] table options
@bool[opt] options.owners as the archive has them (default true); else all is the caller's, and nothing setuid
@tparam[opt] {table,...} options.uid_map each { inside, outside, count = 1 }: a user `inside` of the archive
becomes `outside`; none by default
@tparam[opt] {table,...} options.gid_map likewise
@int[opt] options.max_size bytes that all files may have; no limit by default
@treturn {entries=integer,bytes=integer,skipped={table,...}} skipped: what was passed over, each { what,
count, path, code }: `what` is "device" (not permitted), "attribute" (extended; the file system has none, or
it is overlay's) or "acl"; `path` and `code` are those of the first
@raise luabox.error: EXDEV and ELOOP for what is refused; EBADMSG for what is no tar or is cut short; EINVAL
for an image in layers, or an owner that a map does not have; EFBIG beyond `max_size`; ENOSPC; EPERM for
owners that the caller may not give; ELIBACC without libarchive
@see tar(5)
@usage local sys = luabox.sys
local context <close> = sys.mount.fsopen("tmpfs")
context:create()
local tree <close> = context:mount()
local ok, e = pcall(sys.tar.unpack, "/dev/null", tree)
assert(e.code == "EBADMSG" or e.code == "ELIBACC")
*/
static int tar_unpack(lua_State *L)
{
	struct tar_options o = { .owners = 1 };
	struct tar_handle *h;
	const char *name;
	struct fault f;
	int root, rc;

	lua_settop(L, 3);
	read_options(L, 3, &o);
	root = open_directory(L, 2); /* closed last: an unpacking that ends early gives it its mode back */
	h = new_tar(L);
	name = open_archive(L, 1, h);
	rc = tar_open(&h->tar, h->h.fd, name, root, &o, &f) < 0 ? -1 : 1;
	while (rc > 0) {
		rc = tar_step(&h->tar, &f);
		box_run_hooks(L);
	}
	return rc < 0 ? box_raise(L, &f) : push_counts(L, &h->tar.counts);
}

static const luaL_Reg functions[] = { { "unpack", tar_unpack }, { NULL, NULL } };

BOX_MODULE(tar)
{
	luaL_newlib(L, functions);
	return 1;
}
