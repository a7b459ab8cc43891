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

return M
