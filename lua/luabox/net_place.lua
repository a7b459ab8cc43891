--- Places in networks: namespaces and addresses from handles, pids, containers and names.
-- Internal: a part of `luabox.probe`, `luabox.pcap` and `luabox.map`, for nobody else.
-- @module luabox.net_place
local address = require "luabox.address"
local errors = require "luabox.error"
local kinds = require "luabox.option_kinds"
local options = require "luabox.options"
local luabox = require "luabox"
local sys = luabox.sys

local M = {}

--- The option that names a network namespace.
M.from = { "any", { "object", is = "luabox.namespace" }, { "object", is = "luabox.container" },
  { "integer", min = 1, max = 2147483647 }, { "string", min = 1 } }

local function type_of(value)
  local meta = type(value) ~= "string" and getmetatable(value)
  return type(meta) == "table" and meta.__name or type(value)
end

local function of_container(container)
  if container.network == "host" then return nil end
  if container.namespace then return container.namespace end
  errors.raise { op = "find network namespace", subject = tostring(container),
    message = "it has no network namespace yet", hint = "call start() first" }
end

--- Opens the network namespace of a place.
-- @param from as the option
-- @tparam luabox.scope undo owns what was opened
-- @treturn ?luabox.namespace nil: the own one
function M.namespace(from, undo)
  local kind = type_of(from)
  if kind == "luabox.container" then return of_container(from) end
  if math.type(from) == "integer" then return undo:own(sys.namespace.open("net", from)) end
  if kind == "string" then return undo:own(luabox.ns.open(from)) end
  return from
end

-- The networks that both know, or all of what is asked when nobody is known to ask.
local function shared_endpoint(from, endpoints)
  for _, mine in ipairs(type_of(from) == "luabox.container" and from.endpoints or {}) do
    for _, theirs in ipairs(endpoints) do
      if mine.network == theirs.network then return theirs end
    end
  end
  return endpoints[1]
end

local function of_name(name, from)
  local names = {}
  for _, mine in ipairs(type_of(from) == "luabox.container" and from.endpoints or {}) do
    local member = mine.network.by_name[name]
    if member then return member.address end
    for known in pairs(mine.network.by_name) do names[#names + 1] = known end
  end
  local text = ("'%s' is not an address"):format(name)
  if #names == 0 then return nil, text .. ", and names are known to containers only, who ask from their network" end
  table.sort(names)
  return nil, text .. " and nobody's name in the networks of " .. from.name .. kinds.suggestion(name, names)
end

--- The address of what is asked: an address, a container, a member of a network, or the name of one that the container
-- which asks has in one of its networks.
-- @param target
-- @param from as the option
-- @treturn ?luabox.address
-- @treturn[2] string why there is none
function M.address(target, from)
  local kind = type_of(target)
  if kind == "luabox.container" then
    local endpoint = shared_endpoint(from, target.endpoints)
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
  local known, problem = of_name(target, from)
  return known and address.parse(known), problem
end

--- The same, or an argument error of a function.
-- @param target
-- @param from as the option
-- @tparam string where the function
-- @tparam ?integer arg which of its arguments
-- @treturn luabox.address
-- @raise an argument error
function M.check_address(target, from, where, arg)
  local found, problem = M.address(target, from)
  if not found then options.fail(where, nil, problem, arg) end
  return found
end

return M
