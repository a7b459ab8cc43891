--- Published ports of `luabox.nat`: all that makes a port of the host lead to a machine behind it, from wherever it is
-- asked.
-- Internal: a part of `luabox.nat`, for nobody else.
-- @module luabox.nat_publish

local address = require "luabox.address"
local errors = require "luabox.error"
local options = require "luabox.options"
local sys = require("luabox").sys

local M = {}

-- The route to an address: the link, and the subnet if its machines are neighbours of each other.
local function route_to(to, namespace)
  local socket <close> = sys.net.socket(namespace)
  local best, best_length
  for _, route in ipairs(socket:routes { family = to.version == 4 and "inet" or "inet6" }) do
    local destination = route.link and route.destination and address.parse(route.destination)
    if destination and destination:network():contains(to) and (not best or destination:length() > best_length) then
      best, best_length = route, destination:length()
    end
  end
  if best then return best.link, not best.gateway and address.parse(best.destination) or nil end
  errors.raise { op = "publish", subject = tostring(to), code = "ENETUNREACH",
    hint = "the host has no route to it: give the bridge its address first, or add a route" }
end

local function words(...)
  local list = {}
  for _, part in ipairs { ... } do
    if type(part) == "table" then
      table.move(part, 1, #part, #list + 1, list)
    else
      for word in part:gmatch "%S+" do list[#list + 1] = word end
    end
  end
  return list
end

local function at_port(target, port)
  return (target.version == 6 and "[%s]:%d" or "%s:%d"):format(target, port)
end

-- What leads the port to the target: of packets that arrive, and of the host's own.
local function lead(add, map, target)
  local of = map.address and not map.address:is_unspecified() and { "-d", tostring(map.address) }
    or "-m addrtype --dst-type LOCAL"
  for _, chain in ipairs { "PREROUTING", "OUTPUT" } do
    add("nat", chain, words("-p", map.protocol, of, ("--dport %d -j DNAT --to-destination"):format(map.host),
      { at_port(target, map.container) }))
  end
end

-- What comes back must come back to the host: answers to neighbours, and to the host's own 127.0.0.1.
local function come_back(add, map, target, way)
  local to = words("-d", tostring(target), "-p", map.protocol, ("--dport %d"):format(map.container),
    "-m conntrack --ctstate DNAT -j MASQUERADE")
  if way.subnet then add("nat", "POSTROUTING", words("-s", tostring(way.subnet), to)) end
  if target.version == 4 then add("nat", "POSTROUTING", words("-s 127.0.0.0/8 -o", way.link, to)) end
end

-- What the handle's own policy or rules would drop; "conntrack DNAT" is of a connection, its answers too.
local function let_through(add, map, target)
  local rest = { "-m", "conntrack", "--ctstate", "DNAT", "-j", "ACCEPT" }
  add("filter", "FORWARD", words("-d", tostring(target), "-p", map.protocol,
    ("--dport %d"):format(map.container), rest), 1)
  add("filter", "FORWARD", words("-s", tostring(target), "-p", map.protocol,
    ("--sport %d"):format(map.container), rest), 1)
end

--- Refuses maps that cannot be made.
-- @tparam {table,...} maps of `luabox.port_map`
-- @tparam luabox.address target
-- @raise an argument error of `publish`
function M.check(maps, target)
  for _, map in ipairs(maps) do
    if map.host == 0 then
      options.fail("publish", "ports", ("'%s': the host's port must be told; 0 is none here"):format(map.text))
    end
    if map.address and map.address.version ~= target.version then
      options.fail("publish", "ports", ("'%s' is not of the same IP as %s"):format(map.text, target))
    end
  end
end

--- Claims the host's ports, so that nobody loses one to a map, nor takes it meanwhile.
-- @tparam {table,...} maps
-- @tparam luabox.address target
-- @tparam luabox.scope undo gives them back
-- @raise luabox.error: EADDRINUSE, with the process that has the port
function M.claim(maps, target, undo)
  local any = target.version == 4 and "0.0.0.0" or "::"
  for _, map in ipairs(maps) do
    undo:own(sys.port.claim { port = map.host, protocol = map.protocol, address = tostring(map.address or any) })
  end
end

--- Where a target is.
-- @tparam luabox.address target
-- @tparam ?luabox.namespace namespace
-- @treturn table `link`, and `subnet` where it is a neighbour
-- @raise luabox.error: ENETUNREACH
function M.way(target, namespace)
  local link, subnet = route_to(target, namespace)
  return { link = link, subnet = subnet }
end

--- The rules of some maps.
-- @tparam {table,...} maps of `luabox.port_map`
-- @tparam luabox.address target
-- @tparam table way as `way` gives it
-- @tparam function add called with a table, a chain, the words of a rule, and its number or nil
function M.rules(maps, target, way, add)
  for _, map in ipairs(maps) do
    lead(add, map, target)
    come_back(add, map, target, way)
    let_through(add, map, target)
  end
end

return M
