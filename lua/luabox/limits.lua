--- A container's limits: its cgroup, and who was killed by which limit.
-- Internal: a part of `luabox.container`, for nobody else.
-- @module luabox.limits

local luabox = require "luabox" -- keeper and units are loaded where there is a limit
local sys = luabox.sys

local M = {}

--- Makes the cgroup, told to the keeper before it is made.
-- @tparam string name the container's
-- @tparam {[string]=any} limits by cgroup v2's names
-- @tparam luabox.scope undo gets the cgroup's removal
-- @treturn luabox.cgroup
-- @raise luabox.error
function M.apply(name, limits, undo)
  -- A process number alone is not one's own: other pid namespaces may share the cgroups, other containers the name.
  local o = { name = ("%s-%d-%08x"):format(name, sys.process.id(), luabox.random.integer(0, 0xffffffff)) }
  for limit, value in pairs(limits) do o[limit] = value end
  local cgroup, token = luabox.keeper.get():create_cgroup(o)
  undo:add(function()
    cgroup:kill()
    cgroup:remove()
    token:forget()
  end)
  local fds = cgroup:attach_fds()
  for _, fd in ipairs(fds) do undo:own(fd) end
  return cgroup, fds
end

--- Why a process of the cgroup was killed.
-- @tparam luabox.cgroup cgroup
-- @tparam string name the container's
-- @treturn ?string as in "killed by memory.max of web (64.0 MiB)"; nil if no limit killed
-- @treturn[2] table the cgroup's `killed_by`
function M.reason(cgroup, name)
  local by = cgroup:killed_by()
  if not by or by.limit ~= "memory.max" then return nil end
  return ("killed by %s of %s (%s)"):format(by.limit, name, luabox.units.format_size(by.value)), by
end

return M
