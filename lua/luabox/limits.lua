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

--- How often limits were met until now.
-- @tparam luabox.cgroup cgroup
-- @tparam {[string]=any} limits the container's
-- @treturn {[string]=table} by the names of the kernel's files
function M.events(cgroup, limits)
  return {
    memory = limits["memory.max"] and cgroup:read "memory.events" or {},
    pids = limits["pids.max"] and cgroup:read "pids.events" or {},
  }
end

local NONE = { memory = {}, pids = {} }

-- What one kind of events has become more by.
local function more(now, before, file, event)
  return (now[file][event] or 0) - (before[file][event] or 0)
end

-- The kernel counts every death for want of memory; the limit was the reason only if it was met.
local function memory_reason(cgroup, name, now, before)
  local count = more(now, before, "memory", "oom_kill")
  if count == 0 then return nil end
  if more(now, before, "memory", "max") == 0 then
    return ("killed for want of memory, not by memory.max of %s: by a cgroup above it, or the machine"):format(name)
  end
  local value = cgroup:get "memory.max"
  return ("killed by memory.max of %s (%s)"):format(name, luabox.units.format_size(value)),
    { limit = "memory.max", value = value, count = count }
end

local function pids_reason(cgroup, name, now, before)
  local count, value = more(now, before, "pids", "max"), cgroup:get "pids.max"
  if count == 0 then return nil end
  return ("refused a fork by pids.max of %s (%s)"):format(name, value),
    { limit = "pids.max", value = value, count = count }
end

--- By which limit a process of the cgroup was killed, or failed.
-- @tparam luabox.cgroup cgroup
-- @tparam string name the container's
-- @tparam {[string]=any} limits the container's
-- @tparam table result how the process ended
-- @tparam ?{[string]=table} before `events` of its beginning; nil if it began with the cgroup
-- @treturn ?string as in "killed by memory.max of web (64.0 MiB)"; nil if no limit was met
-- @treturn[2] ?table its `limit`, `value` and `count`
function M.reason(cgroup, name, limits, result, before)
  if result.code == 0 then return nil end
  local now = M.events(cgroup, limits)
  before = before or NONE
  if result.signal == "KILL" then return memory_reason(cgroup, name, now, before) end
  return pids_reason(cgroup, name, now, before)
end

return M
