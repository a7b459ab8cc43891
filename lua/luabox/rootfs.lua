--- Roots for containers and for `chroot`.
-- What makes one gives a detached tree, a `luabox.mount` that nobody else sees and that ends with its handle:
-- `luabox.container { rootfs = tree }`, the step `{ "root", tree = tree }` of `luabox.sys.process.spawn`, or
-- `tree:attach(path)` takes it, and `luabox.sys.file`'s functions reach into it with `{ root = tree }`.
-- @module luabox.rootfs
local sys = require("luabox").sys

local M = {}

--- The embedded root that containers get when they name none: busybox and a link for each of its applets, read-only.
-- @treturn luabox.mount a detached tree, of 2 MB in memory
-- @raise luabox.error: EPERM; ENOSYS before Linux 5.12
-- @see fsmount(2)
-- @usage
-- local tree <close> = luabox.rootfs.default()
-- local box <close> = luabox.container { name = "box", rootfs = tree, access = "ro" }
-- box:start()
-- assert(not luabox.try(box.check, box, { "touch", "/x" }))
function M.default()
  return sys.rootfs.default()
end

--- A root with some programs of this machine, and what they take to run: their loaders and libraries, found by reading
-- their headers as the loader would, and the interpreters of scripts. What leads to each is as it is here: `/bin` is a
-- link to `usr/bin` if it is one. `/dev`, `/etc`, `/proc`, `/root`, `/run`, `/sys` and `/tmp` are there, too. What a
-- program opens while it runs (plugins, name services, locales) nobody can tell: name it in `files`.
--
-- All is root's, and no file is setuid or setgid or has capabilities.
-- @tparam table o programs, in the list: absolute paths, or names that are looked for in PATH; and
-- @tparam[opt] {string,...} o.files absolute paths of more: files, with the libraries of those that have any, and
--   directories with all below
-- @tparam[opt] string o.to a directory to make it in, empty or not there yet, in place of a tree in memory; it stays.
--   If the run is killed before it is whole, the keeper removes what was made
-- @tparam[opt=false] boolean o.link with `to`: hard links where the file system is the same. Who is root there and
--   writes to such a file changes the host's. Else files share their blocks until one is written to, where the file
--   system can (btrfs, xfs), and are copied elsewhere
-- @treturn luabox.mount|string a detached tree, or `to`
-- @raise luabox.error that names the program, loader, library or interpreter that is missing, before anything is made;
--   ENOTEMPTY; whatever the file system refuses, then nothing is left
-- @see ld.so(8), tmpfs(5)
-- @usage
-- local tree <close> = luabox.rootfs.from_programs { "/bin/bash", "ls", "cat", files = { "/etc/passwd" } }
-- local box <close> = luabox.container { name = "box", rootfs = tree }
-- box:start()
-- assert(box:check({ "bash", "-c", "ls -d /bin/ls" }).stdout == "/bin/ls\n")
function M.from_programs(o)
  return require("luabox.rootfs_programs").make(o)
end

--- A root of several layers, of which only the topmost is written to: what a container sees of a path is what the
-- first layer that has it holds. This describes and checks; `luabox.container { rootfs = overlay }` mounts it, and with
-- `access = "ro"` nothing is written at all. Several containers may have one overlay, or share lower layers: each
-- writes to an upper layer of its own.
-- @tparam table o
-- @tparam {string|luabox.mount,...} o.lower directories and detached trees, the topmost first; 64 at most
-- @tparam[opt] string o.upper a directory that keeps what is written, for one container at a time; in memory and thrown
--   away by default (the container's `size` limits it)
-- @tparam[opt] string o.work with `upper`: an empty directory on the same file system
-- @treturn luabox.overlay with `lower`, `upper` and `work`
-- @raise an argument error
-- @see mount(8)
-- @usage
-- local base <close> = luabox.rootfs.from_programs { "bash" }
-- local more <close> = luabox.rootfs.from_programs { "cat" }
-- local overlay = luabox.rootfs.overlay { lower = { more, base } }
-- local box <close> = luabox.container { name = "box", rootfs = overlay }
-- box:start()
-- assert(box:check({ "bash", "-c", "echo mine > /x; cat /x" }).stdout == "mine\n")
function M.overlay(o)
  return require("luabox.overlay").new(o)
end

--- A root unpacked from a tar, plain or compressed by gzip, bzip2, xz or zstd: Alpine's minirootfs, or what
-- `docker export` writes. Its maker is not trusted: an entry whose path is absolute, has a ".." or leads through a
-- symbolic link is refused, and so is a hard link to such a path; nothing is ever written outside. After an error
-- nothing is left, and after SIGKILL the keeper empties the directory.
--
-- Owners, modes (setuid too), times, hard links, fifos, devices, holes, extended attributes and access control lists
-- (those that have numbers) are as in the archive. It takes libarchive (the Debian package libarchive13), which does
-- not compare the checksum of gzip: `gzip -t` does.
-- @tparam string|handle archive a path, or what the bytes are read from, such as a pipe
-- @tparam[opt] table o
-- @tparam[opt] string o.to an absolute path of a directory to unpack into, empty or not there yet, in place of a tree
--   in memory; it stays, and with it setuid programs: close the directory above it to others (mode 0700)
-- @tparam[opt=true] boolean o.owners as the archive has them, which takes root; else all is the caller's, and nothing
--   setuid
-- @tparam[opt] {table,...} o.uid_map as that of the container that is to have it: a user `inside` becomes `outside`;
--   one whom it does not have is an error. Without, the owners are the archive's, and a container with an `uid_map`
--   sees them through an id-mapped mount (of a tree in memory since Linux 6.3)
-- @tparam[opt] {table,...} o.gid_map likewise
-- @tparam[opt] integer|string o.max_size of all its files together, in bytes or as "2G"; no limit by default (a tree in
--   memory: half of the memory)
-- @treturn luabox.mount|string a detached tree, or `to`
-- @treturn table `entries` and `bytes` (of all files), `skipped`: a list of what was passed over, each `what`
--   ("device", where they may not be made; "attribute", an extended one that the file system does not take or that is
--   overlay's; "acl"), `count`, and the `path` and `code` of the first
-- @raise luabox.error: EBADMSG for what is no tar, is damaged or cut short; EXDEV or ELOOP for an entry that leads out
--   of the root; EINVAL for an image in layers (`docker save`) or an owner that the map does not have; EFBIG beyond
--   `max_size`; ENOTEMPTY; ENOSPC; EPERM; ELIBACC without libarchive
-- @see tar(5), libarchive(3)
-- @usage
-- local pipe <close> = assert(io.popen "cd /bin && tar -c --transform 's,^,bin/,' busybox")
-- local tree <close>, report = luabox.rootfs.from_tar(pipe)
-- local box <close> = luabox.container { name = "box", rootfs = tree }
-- box:start()
-- assert(report.entries == 1 and box:check({ "/bin/busybox", "echo", "hello" }).stdout == "hello\n")
function M.from_tar(archive, o)
  return require("luabox.rootfs_tar").make(archive, o)
end

return M
