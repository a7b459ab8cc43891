/* SPDX-License-Identifier: MIT */
/***
Small operations on files, also inside a root that may not be trusted.

Every function but `access` and `chdir` takes the option `root`, a directory as a path or a handle: the path
is then resolved as a process whose root that is would see it, and no symbolic link in it leads out
(openat2(2); before Linux 5.6 luabox does its work step by step). Modes are strings of octal digits: `"755"`.
@module luabox.sys.file
*/
#include "kernel/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "binding/file.h"

#define READ_LIMIT (64 << 20)

/* ---- arguments ---- */

static const struct box_opt root_options[] = { BOX_FILE_ROOT, { 0 } };
static const struct box_opt follow_options[] = { BOX_FILE_ROOT, BOX_FILE_OPTION(nofollow, BOX_BOOL), { 0 } };
static const struct box_opt read_options[] = { BOX_FILE_ROOT,
					       BOX_FILE_OPTION(max, BOX_INT, .min = 1, .max = INT_MAX),
					       { 0 } };
static const struct box_opt mkdir_options[] = {
	BOX_FILE_ROOT, BOX_FILE_MODE, BOX_FILE_OPTION(parents, BOX_BOOL), { 0 }
};
static const struct box_opt write_options[] = { BOX_FILE_ROOT,
						BOX_FILE_MODE,
						BOX_FILE_OPTION(append, BOX_BOOL),
						BOX_FILE_OPTION(exclusive, BOX_BOOL),
						BOX_FILE_OPTION(atomic, BOX_BOOL),
						{ 0 } };

static int done(lua_State *L, int rc, const struct fault *f)
{
	return rc < 0 ? box_raise(L, f) : 0;
}

/* A handle that is closed when the function ends, however it does. */
static struct box_fd *scoped_fd(lua_State *L)
{
	struct box_fd *h = box_fd_new(L);

	lua_toclose(L, -1);
	return h;
}

static int open_root(lua_State *L, const char *path)
{
	struct box_fd *h = scoped_fd(L);
	struct fault f;

	h->fd = file_open(-1, path, O_PATH | O_DIRECTORY, 0, &f);
	return h->fd >= 0 ? h->fd : box_raise(L, &f);
}

void box_file_options(lua_State *L, int arg, const struct box_opt *list, struct box_file_options *o)
{
	o->root = -1;
	lua_settop(L, arg);
	if (lua_isnil(L, arg))
		return;
	box_options(L, arg, list, o);
	if (lua_getfield(L, arg, "root") == LUA_TNIL)
		return;
	if (lua_type(L, -1) == LUA_TSTRING && strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
		box_option_error(L, arg, NULL, "root", "contains a zero byte");
	if (lua_type(L, -1) == LUA_TSTRING)
		o->root = open_root(L, lua_tostring(L, -1));
	else
		o->root = box_tofd(L, -1);
	if (o->root < 0)
		box_option_error(L, arg, NULL, "root", "path or handle of a directory expected, got %s",
				 luaL_typename(L, -1));
}

mode_t box_file_mode(lua_State *L, int arg, const char *name, const char *text)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (*end || end == text || *text == '-' || *text == '+' || mode > 07777)
		box_option_error(L, arg, NULL, name, "'%s' is no mode; octal digits such as \"755\" expected",
				 text);
	return (mode_t)mode;
}

/* ---- looking ---- */

static const char *kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFCHR:
		return "char";
	case S_IFBLK:
		return "block";
	case S_IFIFO:
		return "fifo";
	default:
		return "socket";
	}
}

static void set_device(lua_State *L, const char *field, dev_t device)
{
	lua_pushfstring(L, "%d:%d", (int)major(device), (int)minor(device));
	lua_setfield(L, -2, field);
}

static int push_stat(lua_State *L, const struct stat *st)
{
	char mode[8];

	snprintf(mode, sizeof mode, "%04o", (unsigned)st->st_mode & 07777);
	lua_createtable(L, 0, 10);
	lua_pushstring(L, kind(st->st_mode));
	lua_setfield(L, -2, "type");
	lua_pushstring(L, mode);
	lua_setfield(L, -2, "mode");
	box_set_integer(L, "uid", st->st_uid);
	box_set_integer(L, "gid", st->st_gid);
	box_set_integer(L, "size", st->st_size);
	box_set_integer(L, "links", (lua_Integer)st->st_nlink);
	box_set_integer(L, "inode", (lua_Integer)st->st_ino);
	set_device(L, "device", st->st_dev);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		set_device(L, "rdev", st->st_rdev);
	lua_pushnumber(L, (lua_Number)st->st_mtim.tv_sec + (lua_Number)st->st_mtim.tv_nsec / 1e9);
	lua_setfield(L, -2, "mtime");
	return 1;
}

static int stat_or_lstat(lua_State *L, int nofollow)
{
	const char *path = box_checkpath(L, 1);
	struct box_file_options o = { 0 };
	struct stat st;
	struct fault f;

	box_file_options(L, 2, root_options, &o);
	return file_stat(o.root, path, nofollow, &st, &f) < 0 ? box_raise(L, &f) : push_stat(L, &st);
}

/***
What a path is.
@function stat
@string path
@tparam[opt] table options
@tparam[opt] string|handle options.root
@treturn
{type=string,mode=string,uid=integer,gid=integer,size=integer,links=integer,inode=integer,device=string,rdev=?string,mtime=number}
type is "file", "directory", "symlink", "char", "block", "fifo" or "socket"; mode as "0755"; device and, of a
device file, rdev as "1:3"; mtime in seconds since 1970
@raise luabox.error: ENOENT, EACCES
@see stat(2)
@usage assert(luabox.sys.file.stat("/dev/null").rdev == "1:3")
*/
static int do_stat(lua_State *L)
{
	return stat_or_lstat(L, 0);
}

/***
The same, of a symbolic link itself.
@function lstat
@string path
@tparam[opt] table options
@tparam[opt] string|handle options.root
@treturn table as of `stat`
@raise luabox.error
@see lstat(2)
@usage assert(luabox.sys.file.lstat("/proc/self").type == "symlink")
*/
static int do_lstat(lua_State *L)
{
	return stat_or_lstat(L, 1);
}

static const struct box_name access_modes[] = {
	{ "read", R_OK }, { "write", W_OK }, { "execute", X_OK }, { 0 }
};

/***
Whether this process may use a file, as far as its mode, capabilities and a read-only mount tell.
@function access
@string path
@string[opt] mode comma list of `read`, `write`, `execute`; without, whether it is there and can be reached
@treturn boolean
@treturn[2] string if false: `"ENOENT"`, `"EACCES"`, `"EROFS"` …
@see access(2)
@usage assert(luabox.sys.file.access("/dev/null", "read,write"))
*/
static int do_access(lua_State *L)
{
	const char *path = box_checkpath(L, 1), *words = luaL_optstring(L, 2, NULL);
	int mode = words ? (int)box_flags(L, 2, NULL, NULL, words, access_modes) : F_OK;
	int error = faccessat(AT_FDCWD, path, mode, AT_EACCESS) < 0 ? errno : 0;

	lua_pushboolean(L, error == 0);
	lua_pushstring(L, error ? strerrorname_np(error) : NULL);
	return 2;
}

/***
Whether a path is there; a link that leads nowhere is not.
@function exists
@string path
@tparam[opt] table options
@tparam[opt] string|handle options.root
@treturn boolean
@raise luabox.error when it cannot be told: EACCES
@usage assert(luabox.sys.file.exists("/proc"))
*/
static int do_exists(lua_State *L)
{
	const char *path = box_checkpath(L, 1);
	struct box_file_options o = { 0 };
	struct stat st;
	struct fault f;
	int rc;

	box_file_options(L, 2, root_options, &o);
	rc = file_stat(o.root, path, 0, &st, &f);
	if (rc < 0 && rc != -ENOENT && rc != -ENOTDIR)
		return box_raise(L, &f);
	lua_pushboolean(L, rc == 0);
	return 1;
}

/***
What a symbolic link says.
@function readlink
@string path
@tparam[opt] table options
@tparam[opt] string|handle options.root
@treturn string
@raise luabox.error: ENOENT; EINVAL for what is no link
@see readlink(2)
@usage print(luabox.sys.file.readlink("/proc/self"))
*/
static int do_readlink(lua_State *L)
{
	const char *path = box_checkpath(L, 1);
	struct box_file_options o = { 0 };
	char target[PATH_MAX];
	struct fault f;

	box_file_options(L, 2, root_options, &o);
	if (file_readlink(o.root, path, target, sizeof target, &f) < 0)
		return box_raise(L, &f);
	lua_pushstring(L, target);
	return 1;
}

/***
The absolute path without symbolic links; inside a root, as seen from it.
@function realpath
@string path
@tparam[opt] table options
@tparam[opt] string|handle options.root
@treturn string
@raise luabox.error: ENOENT
@see realpath(3)
@usage assert(luabox.sys.file.realpath("/proc/../proc") == "/proc")
*/
static int do_realpath(lua_State *L)
{
	const char *path = box_checkpath(L, 1);
	struct box_file_options o = { 0 };
	char real[PATH_MAX];
	struct fault f;

	box_file_options(L, 2, root_options, &o);
	if (file_realpath(o.root, path, real, sizeof real, &f) < 0)
		return box_raise(L, &f);
	lua_pushstring(L, real);
	return 1;
}

/* Adds the names of one buffer of getdents64(2) to the list at the top. Returns the next index. */
static lua_Integer add_names(lua_State *L, const char *buf, ssize_t size, lua_Integer next)
{
	for (ssize_t at = 0; at < size;) {
		const struct dirent64 *d = (const void *)(buf + at);

		at += d->d_reclen;
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		lua_pushstring(L, d->d_name);
		lua_rawseti(L, -2, next++);
	}
	return next;
}

/***
The names in a directory, in no order, without "." and "..".
@function list
@string path
@tparam[opt] table options
@tparam[opt] string|handle options.root
@treturn {string,...}
@raise luabox.error: ENOENT, ENOTDIR, EACCES
@see getdents(2)
@usage for _, name in ipairs(luabox.sys.file.list("/proc/self/ns")) do print(name) end
*/
static int do_list(lua_State *L)
{
	const char *path = box_checkpath(L, 1);
	struct box_file_options o = { 0 };
	_Alignas(struct dirent64) char buf[8192];
	lua_Integer next = 1;
	struct box_fd *h;
	struct fault f;
	ssize_t n;

	box_file_options(L, 2, root_options, &o);
	h = scoped_fd(L);
	h->fd = file_open(o.root, path, O_RDONLY | O_DIRECTORY, 0, &f);
	if (h->fd < 0)
		return box_raise(L, &f);
	lua_newtable(L);
	while ((n = getdents64(h->fd, buf, sizeof buf)) > 0)
		next = add_names(L, buf, n, next);
	return n < 0 ? box_fail(L, errno, "getdents", path) : 1;
}

/* ---- reading and writing ---- */

#define LONGEST_READ 65536

/* One read into the buffer, of as much as it holds already. Returns read's count. */
static ssize_t read_some(luaL_Buffer *b, int fd)
{
	size_t held = luaL_bufflen(b), size = held < LUAL_BUFFERSIZE ? LUAL_BUFFERSIZE : held;
	char *to;
	ssize_t n;

	if (size > LONGEST_READ)
		size = LONGEST_READ;
	to = luaL_prepbuffsize(b, size);
	do
		n = read(fd, to, size);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		luaL_addsize(b, (size_t)n);
	return n;
}

/***
Reads a file whole.
@function read
@string path
@tparam[opt] table options
@int[opt] options.max bytes that it may have (default 64 MiB)
@tparam[opt] string|handle options.root
@treturn string
@raise luabox.error: ENOENT, EACCES, EISDIR; EFBIG for more than max bytes
@usage assert(luabox.sys.file.read("/proc/self/comm", { max = 100 }) ~= "")
*/
static int do_read(lua_State *L)
{
	const char *path = box_checkpath(L, 1);
	struct box_file_options o = { .max = READ_LIMIT };
	struct box_fd *h;
	luaL_Buffer b;
	struct fault f;
	ssize_t n;

	box_file_options(L, 2, read_options, &o);
	h = scoped_fd(L);
	h->fd = file_open(o.root, path, O_RDONLY | O_NOCTTY, 0, &f);
	if (h->fd < 0)
		return box_raise(L, &f);
	luaL_buffinit(L, &b);
	while ((n = read_some(&b, h->fd)) > 0)
		if ((int64_t)luaL_bufflen(&b) > o.max)
			return box_fail(L, EFBIG, "read", path);
	if (n < 0)
		return box_fail(L, errno, "read", path);
	luaL_pushresult(&b);
	return 1;
}

/***
Writes a file whole; it is made if it is not there.
@function write
@string path
@string data
@tparam[opt] table options
@string[opt] options.mode of a file that is made (default `"644"`, less the umask)
@bool[opt] options.append adds at the end
@bool[opt] options.exclusive fails if it is there
@bool[opt] options.atomic writes a new file beside it and renames that, so that a reader sees the old or the
new content; a symbolic link at the path is replaced
@tparam[opt] string|handle options.root inside it only a regular file is written to (else EINVAL or ENXIO)
@raise luabox.error: ENOENT, EACCES, EEXIST, ENOSPC, EROFS
@see open(2), rename(2)
@usage luabox.sys.file.write("/tmp/example", "one\n", { atomic = true, mode = "600" })
*/
static int do_write(lua_State *L)
{
	struct box_file_options o = { .mode = "644" };
	const char *path = box_checkpath(L, 1);
	struct file_write w;
	struct fault f;
	size_t size;
	const char *data = luaL_checklstring(L, 2, &size);

	box_file_options(L, 3, write_options, &o);
	if (o.append + o.exclusive + o.atomic > 1)
		luaL_argerror(L, 3, "options 'append', 'exclusive' and 'atomic' exclude each other");
	w = (struct file_write){ data,     size,        box_file_mode(L, 3, "mode", o.mode),
				 o.append, o.exclusive, o.atomic };
	return done(L, file_write(o.root, path, &w, &f), &f);
}

/* ---- making and removing ---- */

/***
Makes a directory.
@function mkdir
@string path
@tparam[opt] table options
@string[opt] options.mode (default `"755"`, less the umask)
@bool[opt] options.parents makes those that are missing too, with mode 755; a directory that is there is no
error
@tparam[opt] string|handle options.root
@raise luabox.error: EEXIST, ENOENT, EACCES, EROFS
@see mkdir(2)
@usage luabox.sys.file.mkdir("/tmp/example-tree/a/b", { parents = true })
*/
static int do_mkdir(lua_State *L)
{
	const char *path = box_checkpath(L, 1);
	struct box_file_options o = { .mode = "755" };
	struct fault f;

	box_file_options(L, 2, mkdir_options, &o);
	return done(L, file_mkdir(o.root, path, box_file_mode(L, 2, "mode", o.mode), o.parents, &f), &f);
}

/***
Makes a symbolic link.
@function symlink
@string target what it says
@string path
@tparam[opt] table options
@tparam[opt] string|handle options.root
@raise luabox.error: EEXIST, ENOENT, EROFS
@see symlink(2)
@usage luabox.sys.file.symlink("/proc/mounts", "/tmp/example-link")
luabox.sys.file.unlink("/tmp/example-link")
*/
static int do_symlink(lua_State *L)
{
	const char *target = box_checkpath(L, 1), *path = box_checkpath(L, 2);
	struct box_file_options o = { 0 };
	struct fault f;

	box_file_options(L, 3, root_options, &o);
	return done(L, file_symlink(o.root, target, path, &f), &f);
}

static int remove_name(lua_State *L, int flags)
{
	const char *path = box_checkpath(L, 1);
	struct box_file_options o = { 0 };
	struct fault f;

	box_file_options(L, 2, root_options, &o);
	return done(L, file_unlink(o.root, path, flags, &f), &f);
}

/***
Removes a file or link.
@function unlink
@string path
@tparam[opt] table options
@tparam[opt] string|handle options.root
@raise luabox.error: ENOENT, EISDIR, EBUSY for a mount point
@see unlink(2)
@usage luabox.sys.file.write("/tmp/example", "")
luabox.sys.file.unlink("/tmp/example")
*/
static int do_unlink(lua_State *L)
{
	return remove_name(L, 0);
}

/***
Removes an empty directory.
@function rmdir
@string path
@tparam[opt] table options
@tparam[opt] string|handle options.root
@raise luabox.error: ENOENT, ENOTEMPTY, ENOTDIR, EBUSY for a mount point
@see rmdir(2)
@usage luabox.sys.file.mkdir("/tmp/example-directory")
luabox.sys.file.rmdir("/tmp/example-directory")
*/
static int do_rmdir(lua_State *L)
{
	return remove_name(L, AT_REMOVEDIR);
}

/***
Changes the mode of a file.
@function chmod
@string path
@string mode octal digits
@tparam[opt] table options
@tparam[opt] string|handle options.root
@raise luabox.error: ENOENT, EPERM, EROFS
@see chmod(2)
@usage luabox.sys.file.write("/tmp/example", "")
luabox.sys.file.chmod("/tmp/example", "600")
*/
static int do_chmod(lua_State *L)
{
	const char *path = box_checkpath(L, 1), *text = luaL_checkstring(L, 2);
	struct box_file_options o = { 0 };
	struct fault f;
	mode_t mode;

	mode = box_file_mode(L, 2, NULL, text);
	box_file_options(L, 3, root_options, &o);
	return done(L, file_chmod(o.root, path, mode, &f), &f);
}

/* An id, or nil to leave it as it is. */
static uint32_t check_id(lua_State *L, int arg)
{
	lua_Integer id = luaL_optinteger(L, arg, UINT32_MAX);

	luaL_argcheck(L, lua_isnoneornil(L, arg) || (id >= 0 && id < UINT32_MAX), arg, "id out of range");
	return (uint32_t)id;
}

/***
Changes the owner of a file.
@function chown
@string path
@int[opt] uid nil leaves it
@int[opt] gid nil leaves it
@tparam[opt] table options
@bool[opt] options.nofollow a symbolic link itself
@tparam[opt] string|handle options.root
@raise luabox.error: ENOENT, EPERM, EROFS
@see chown(2)
@usage luabox.sys.file.write("/tmp/example", "")
luabox.sys.file.chown("/tmp/example", 65534, 65534)
*/
static int do_chown(lua_State *L)
{
	const char *path = box_checkpath(L, 1);
	uint32_t uid = check_id(L, 2), gid = check_id(L, 3);
	struct box_file_options o = { 0 };
	struct fault f;

	box_file_options(L, 4, follow_options, &o);
	return done(L, file_chown(o.root, path, o.nofollow, uid, gid, &f), &f);
}

/***
Changes the working directory of the process.
@function chdir
@tparam string|handle directory a path, or an open directory
@raise luabox.error: ENOENT, ENOTDIR, EACCES
@see chdir(2)
@usage luabox.sys.file.chdir("/")
*/
static int do_chdir(lua_State *L)
{
	int fd = box_tofd(L, 1);
	const char *path = fd < 0 ? box_checkpath(L, 1) : lua_pushfstring(L, "descriptor %d", fd);

	if ((fd < 0 ? chdir(path) : fchdir(fd)) < 0)
		return box_fail(L, errno, "chdir", path);
	return 0;
}

static const luaL_Reg functions[] = {
	{ "access", do_access },
	{ "chdir", do_chdir },
	{ "chmod", do_chmod },
	{ "chown", do_chown },
	{ "exists", do_exists },
	{ "list", do_list },
	{ "lstat", do_lstat },
	{ "mkdir", do_mkdir },
	{ "read", do_read },
	{ "readlink", do_readlink },
	{ "realpath", do_realpath },
	{ "rmdir", do_rmdir },
	{ "stat", do_stat },
	{ "symlink", do_symlink },
	{ "unlink", do_unlink },
	{ "write", do_write },
	{ NULL, NULL },
};

BOX_MODULE(file)
{
	luaL_newlib(L, functions);
	box_file_copies(L);
	return 1;
}
