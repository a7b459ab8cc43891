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
-- @tparam[opt] string o.to a directory to make it in, empty or not there yet, in place of a tree in memory; it stays
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

return M
