--- Keeps luabox's own program from containers.
--
-- Where a program of an untrusted root is a link to /proc/self/exe, its process gets at the file that it was started
-- from (CVE-2019-5736). The kernel lets nobody write to a file that runs: the keeper runs it too, and does not end
-- before the container has, even if this process was killed. A container in a user namespace has no right to it.
-- @module luabox.guard

local luabox = require "luabox"

local M = {}

--- Tells the keeper of a container's first process, before a program runs in it that the container may have made.
-- @tparam luabox.container self
-- @tparam luabox.process process
-- @tparam luabox.scope undo of the container's run
-- @raise luabox.error: there is no keeper to be had
function M.hold(self, process, undo)
  if self.uid_map or self.guarded == process then return end
  local token = luabox.keeper.get():process(process)
  undo:add(function() token:forget() end)
  self.guarded = process
end

return M
