--- Whom a name or a word of a command line means: a process, a container, a network namespace.
-- Internal: a part of `luabox enter`, `luabox map` and `luabox.net_place`, for nobody else.
-- @module luabox.ns_find
local kinds = require "luabox.option_kinds"
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

-- Where names are to be seen, and which one may have been meant.
local function hint_for(name)
  local names = ns.names()
  return "`luabox ls` shows what there is" .. (#names > 0 and kinds.suggestion(name, names) or "")
end

--- What a name stands for.
-- @tparam string name of a network namespace, or the host name of a container
-- @treturn ?luabox.namespace|integer the network namespace, or the pid of a process in the container
-- @treturn[2] string what is wrong
-- @treturn[2] ?string what to do
function M.named(name)
  for _, known in ipairs(ns.names()) do
    if known == name then return ns.open(name) end
  end
  local found = containers(name)
  if #found == 1 then return found[1] end
  if #found > 1 then
    return nil, ("'%s' is the host name of several: processes %s"):format(name, table.concat(found, ", ")),
      "take one of these numbers"
  end
  return nil, ("there is no network namespace and no container with the name '%s'"):format(name), hint_for(name)
end

--- Who is meant on a command line.
-- @tparam string target a pid, the name of a network namespace, or the host name of a container
-- @treturn ?integer the pid; nil where only a network namespace is meant, or nobody
-- @treturn ?luabox.namespace
-- @treturn ?string what is wrong
function M.one(target)
  local pid = math.tointeger(tonumber(target))
  if pid and pid > 0 then return pid end
  if pid then return nil, nil, ("'%s' is not a pid"):format(target) end
  local found, problem, hint = M.named(target)
  if problem then return nil, nil, problem .. "; " .. hint end
  if math.type(found) then return found end
  return nil, found
end

return M
