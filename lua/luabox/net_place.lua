--- Places in networks: namespaces and addresses from handles, processes, containers, networks and names.
-- Internal: a part of `luabox.probe`, `luabox.pcap`, `luabox.nat` and `luabox.map`, for nobody else.
-- @module luabox.net_place
local address = require "luabox.address"
local errors = require "luabox.error"
local kinds = require "luabox.option_kinds"
local options = require "luabox.options"
local sys = require("luabox").sys

local M = {}

local function type_of(value)
  local meta = type(value) ~= "string" and getmetatable(value)
  return type(meta) == "table" and meta.__name or math.type(value) or type(value)
end

-- ---- network namespaces ----

local function fail(whose, code, message, hint)
  errors.raise { op = whose and "open network namespace of" or "open network namespace", subject = whose, code = code,
    message = message, hint = hint }
end

local openers = {}

openers["luabox.namespace"] = function(namespace) return namespace end

openers["luabox.container"] = function(container)
  if container.network == "host" then return nil end
  if container.namespace then return container.namespace end
  fail(tostring(container), nil, "it has no network namespace yet", "call start() first")
end

openers["luabox.network"] = function(network)
  if network.namespace then return network.namespace end
  fail(("network '%s'"):format(network.name), nil, "it has not started",
    "it starts with its first member, or with network:start()")
end

local function of_pid(pid, undo)
  return undo:own(sys.namespace.open("net", pid))
end

openers.integer = of_pid

-- After its end another process may have its number.
openers["luabox.process"] = function(process, undo)
  local ok, result = pcall(of_pid, process:pid(), undo)
  if not process:alive() then fail(("process %d"):format(process:pid()), "ESRCH", "it has ended") end
  if not ok then error(result, 0) end
  return result
end

function openers.string(text, undo)
  if text:find("/", 1, true) then return undo:own(sys.namespace.open("net", text)) end
  local found, problem, hint = require("luabox.ns_find").named(text)
  if not found then fail(nil, "ENOENT", problem, hint) end
  return math.type(found) and of_pid(found, undo) or undo:own(found)
end

local WHAT = "luabox.namespace, container, process or network, pid, name or path"
local PID, TEXT = { min = 1, max = 2147483647 }, { min = 1 }

local function check(value)
  local is = type_of(value)
  if is == "string" then return kinds.checks.string(value, TEXT) end
  if is == "integer" or is == "float" then return kinds.checks.integer(value, PID) end
  if not openers[is] then return nil, ("%s expected, got %s"):format(WHAT, is) end
  local object, problem = kinds.checks.object(value, { is = is })
  if object and is == "luabox.namespace" and object:type() ~= "net" then
    return nil, ("is a %s namespace, not net"):format(object:type())
  end
  return object, problem
end

--- The option `namespace`: a luabox.namespace, luabox.container, luabox.process or luabox.network (its switch), a pid,
-- a name of `ip netns`, a container's host name, or a path, which has a "/" in it.
M.option = { "any", check = check }

--- Opens the network namespace that the option means.
-- @param value of the option
-- @tparam luabox.scope undo owns what was opened
-- @treturn ?luabox.namespace nil: the own one
-- @raise luabox.error: ENOENT for a name or a pid that is not there, ESRCH for a process that has ended, EPERM
function M.namespace(value, undo)
  if value == nil then return nil end
  return openers[type_of(value)](value, undo)
end

-- ---- addresses ----

-- The places in networks of a container that asks.
local function endpoints_of(namespace)
  return type_of(namespace) == "luabox.container" and namespace.endpoints or {}
end

-- The networks that both know, or all of what is asked when nobody is known to ask.
local function shared_endpoint(namespace, endpoints)
  for _, mine in ipairs(endpoints_of(namespace)) do
    for _, theirs in ipairs(endpoints) do
      if mine.network == theirs.network then return theirs end
    end
  end
  return endpoints[1]
end

local function of_name(name, namespace)
  local names = {}
  for _, mine in ipairs(endpoints_of(namespace)) do
    local member = mine.network.by_name[name]
    if member then return member.address end
    for known in pairs(mine.network.by_name) do names[#names + 1] = known end
  end
  local text = ("'%s' is not an address"):format(name)
  if #names == 0 then return nil, text .. ", and names are known to containers only, who ask from their network" end
  table.sort(names)
  return nil, text .. " and nobody's name in the networks of " .. namespace.name .. kinds.suggestion(name, names)
end

-- The address, or nil and why there is none.
local function find_address(target, namespace)
  local kind = type_of(target)
  if kind == "luabox.container" then
    local endpoint = shared_endpoint(namespace, target.endpoints)
    if not endpoint then return nil, ("%s is in no network"):format(target) end
    target = endpoint.address
  elseif kind == "luabox.endpoint" then
    target = target.address
  elseif address.is(target) then
    target = tostring(target:host())
  end
  if type(target) ~= "string" then return nil, kinds.expected("address, name, container or endpoint", target) end
  local parsed = address.parse(target)
  if parsed then return address.require_prefix(parsed, "none") end
  local known, problem = of_name(target, namespace)
  return known and address.parse(known), problem
end

--- The address of what is asked: an address, a container, a member of a network, or the name of one that the container
-- which asks has in one of its networks.
-- @param target
-- @param namespace of the option
-- @tparam string where the function whose first argument the target is
-- @treturn luabox.address
-- @raise an argument error
function M.check_address(target, namespace, where)
  local found, problem = find_address(target, namespace)
  if not found then options.fail(where, nil, problem) end
  return found
end

return M
