--- What the namespaces of a map are called.
-- Internal: a part of `luabox.map`, for nobody else.
-- @module luabox.map_names
local look = require "luabox.ns_look"
local sys = require("luabox").sys

local M = {}

-- A container's own host name is its name: of a process that shares its UTS namespace with the host's first one
-- nothing is known by that.
local function host_names(entries, by_pid)
  local host, wanted = by_pid[1] and by_pid[1].namespaces.uts, {}
  local own = by_pid[sys.process.id()]
  for _, entry in ipairs(entries) do
    local uts = entry.pid and by_pid[entry.pid] and by_pid[entry.pid].namespaces.uts
    if uts and uts ~= host and not (own and uts == own.namespaces.uts) then
      entry.uts, wanted[uts] = uts, entry.pid
    end
  end
  return look.host_names(wanted)
end

local function base(path)
  return path and path:match "[^/]+$"
end

local function name_of(entry, names)
  if entry.name then return entry.name end
  if entry.is_host then return "host" end
  if entry.path and not entry.path:find "^/proc/" then return base(entry.path) end
  if entry.uts and names[entry.uts] then return names[entry.uts] end
  if entry.pid then return ("process %d"):format(entry.pid) end
  return tostring(entry.id)
end

--- Gives each namespace a `label` that no other of the map has: the name that the caller gave it, "host" for that of
-- process 1, the name of `ip netns`, a container's host name, its first process or its id.
-- @tparam {table,...} entries
-- @tparam {table,...} processes as `luabox.ns_look.scan` gives them
function M.give(entries, processes)
  local by_pid, count = {}, {}
  for _, p in ipairs(processes) do by_pid[p.pid] = p end
  local names = host_names(entries, by_pid)
  for _, entry in ipairs(entries) do
    entry.is_host = entry.id == (by_pid[1] and by_pid[1].namespaces.net)
    entry.label = name_of(entry, names)
    count[entry.label] = (count[entry.label] or 0) + 1
    entry.held_here = entry.holder == sys.process.id() or nil
    local holder = entry.holder and by_pid[entry.holder]
    if holder then entry.holder_command = look.command_of(holder.pid, holder.name) end
  end
  for _, entry in ipairs(entries) do
    if count[entry.label] > 1 then entry.label = ("%s (%s)"):format(entry.label, entry.id) end
  end
end

return M
