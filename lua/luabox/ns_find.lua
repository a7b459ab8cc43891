--- Whom a word of a command line means: a process, a container, a network namespace.
-- Internal: a part of `luabox enter` and `luabox map`, for nobody else.
-- @module luabox.ns_find
local look = require "luabox.ns_look"
local ns = require "luabox.ns"
local sys = require("luabox").sys

local M = {}

-- Whether 'a' stands for its UTS namespace rather than 'b': who made it may be there as well, outside of the others.
local function is_further_in(a, b, own)
  if not b then return true end
  local a_in, b_in = a.namespaces.pid ~= own.pid, b.namespaces.pid ~= own.pid
  if a_in ~= b_in then return a_in end
  return a.pid < b.pid
end

-- A process in each UTS namespace with this host name, other than our own.
local function containers(name)
  local own, first, pids, found = ns.of(), {}, {}, {}
  for _, p in ipairs(sys.namespace.processes()) do
    local id = p.namespaces.uts
    if id and id ~= own.uts and is_further_in(p, first[id], own) then first[id] = p end
  end
  for id, p in pairs(first) do pids[id] = p.pid end
  for id, host_name in pairs(look.host_names(pids)) do
    if host_name == name then found[#found + 1] = pids[id] end
  end
  table.sort(found)
  return found
end

--- Who is meant on a command line.
-- @tparam string target a pid, the name of a network namespace, or the host name of a container
-- @treturn ?integer the pid
-- @treturn ?string what is wrong
-- @treturn ?luabox.namespace of a named network namespace, in place of the pid
function M.one(target)
  local pid = math.tointeger(tonumber(target))
  if pid then return pid > 0 and pid or nil, ("'%s' is not a pid"):format(target) end
  for _, name in ipairs(ns.names()) do
    if name == target then return nil, nil, ns.open(name) end
  end
  local found = containers(target)
  if #found == 1 then return found[1] end
  if #found > 1 then
    return nil, ("'%s' is the host name of several: processes %s"):format(target, table.concat(found, ", "))
  end
  return nil, ("there is no network namespace and no container with the name '%s'; `luabox ls` shows what there is")
    :format(target)
end

return M
