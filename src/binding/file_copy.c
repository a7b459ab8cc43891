/* SPDX-License-Identifier: MIT
 * The part of luabox.sys.file that gives a file a second place.
 */
/***
@submodule luabox.sys.file
*/
#include "kernel/file_copy.h"

#include "binding/file.h"
#include "kernel/file.h"

static const struct box_opt copy_options[] = { BOX_FILE_ROOT, BOX_FILE_MODE, { 0 } };
static const struct box_opt link_options[] = { BOX_FILE_ROOT, { 0 } };

/***
Copies a regular file to a path that is not there yet. Where the file system can, the two share their blocks
until one of them is written to. Owner, times and extended attributes are not copied.
@function copy
@string from of the process's own paths, whatever `root` is
@string path
@tparam[opt] table options
@string[opt] options.mode of the new file (default: that of `from`, without setuid, setgid and sticky)
@tparam[opt] string|handle options.root
@treturn boolean whether the blocks are shared
@raise luabox.error: ENOENT, EACCES; EEXIST; EISDIR and EINVAL for what is no regular file; ENOSPC, EROFS
@see ioctl_ficlone(2), copy_file_range(2)
@usage luabox.sys.file.copy("/bin/true", "/tmp/example-true")
os.execute("/tmp/example-true")
luabox.sys.file.unlink("/tmp/example-true")
*/
static int do_copy(lua_State *L)
{
	const char *from = box_checkpath(L, 1), *path = box_checkpath(L, 2);
	struct box_file_options o = { 0 };
	int64_t mode;
	struct fault f;
	int rc;

	box_file_options(L, 3, copy_options, &o);
	mode = o.mode ? (int64_t)box_file_mode(L, 3, "mode", o.mode) : -1;
	rc = file_copy(from, o.root, path, mode, &f);
	if (rc < 0)
		return box_raise(L, &f);
	lua_pushboolean(L, rc);
	return 1;
}

/***
Gives a file a second name, a hard link: what is written through one of them is in both, and they have one
mode and one owner.
@function link
@string from of the process's own paths, whatever `root` is; the file that a symbolic link leads to
@string path
@tparam[opt] table options
@tparam[opt] string|handle options.root
@raise luabox.error: ENOENT, EEXIST, EROFS; EXDEV for another file system; EPERM for a directory
@see link(2)
@usage luabox.sys.file.write("/tmp/example", "")
luabox.sys.file.link("/tmp/example", "/tmp/example-again")
assert(luabox.sys.file.stat("/tmp/example").links == 2)
luabox.sys.file.unlink("/tmp/example-again")
*/
static int do_link(lua_State *L)
{
	const char *from = box_checkpath(L, 1), *path = box_checkpath(L, 2);
	struct box_file_options o = { 0 };
	struct fault f;

	box_file_options(L, 3, link_options, &o);
	return file_link(from, o.root, path, &f) < 0 ? box_raise(L, &f) : 0;
}

static const luaL_Reg functions[] = { { "copy", do_copy }, { "link", do_link }, { NULL, NULL } };

void box_file_copies(lua_State *L)
{
	luaL_setfuncs(L, functions, 0);
}
