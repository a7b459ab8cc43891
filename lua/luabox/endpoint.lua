--- A member's place in a network: its name, its addresses, and the link that connects a network namespace with them.
-- @module luabox.endpoint

local address = require "luabox.address"
local options = require "luabox.options"
local route_list = require "luabox.route_list"
local sys = require("luabox").sys

local endpoint_methods = {}
local endpoint_mt = { __name = "luabox.endpoint", __index = endpoint_methods }

local LOOPBACK = 1 -- lo is the first link of every network namespace

local ADDRESS = { "address", prefix = "none" }

local spec = {
  name = { "name", required = true },
  address = { "any", ADDRESS, { "list", min = 1, max = 2, of = ADDRESS } },
  interface = { "interface", default = "eth0" },
  mac = { "mac" },
  default_route = { "boolean", default = true },
  routes = { "routes", default = {} },
}

local M = {}

local function fail(name, text)
  options.fail("endpoint", name, text)
end

-- The asked addresses by IP version.
local function by_version(network, asked, refuse)
  local result = {}
  for _, a in ipairs(asked == nil and {} or asked[1] and asked or { asked }) do
    if not network.pools[a.version] then
      refuse("address", ("%s: network '%s' has no IPv%d"):format(a, network.name, a.version))
    end
    if result[a.version] then
      refuse("address", ("two of IPv%d; a member has one of each version"):format(a.version))
    end
    result[a.version] = a
  end
  return result
end

local function give_back(network, addresses)
  for _, a in ipairs(addresses) do network.pools[a.version]:release(a) end
end

-- One address of each version that the network has; none is kept if one cannot be had.
local function take_addresses(network, name, asked, refuse)
  local taken = {}
  local wanted = by_version(network, asked, refuse)
  for version = 4, 6, 2 do
    local pool = network.pools[version]
    if pool then
      local a, problem
      if wanted[version] then a, problem = pool:take(wanted[version], name) else a, problem = pool:next(name) end
      if not a then
        give_back(network, taken)
        refuse("address", problem)
      end
      taken[#taken + 1] = a
    end
  end
  return taken
end

--- Makes a member of a network, which has taken its addresses but is not there yet.
-- @function take
-- @tparam luabox.network network
-- @tparam table d what `network:endpoint` takes, checked
-- @tparam function refuse called with an option's name and a sentence if the name, an address or a route cannot be had;
--   raises
-- @treturn luabox.endpoint
function M.take(network, d, refuse)
  if network.by_name[d.name] then
    refuse("name", ("'%s' is in network '%s' already; names in a network are unique"):format(d.name, network.name))
  end
  local self = setmetatable(d, endpoint_mt)
  self.network = network
  route_list.check(d.routes, network, refuse)
  self.addresses = take_addresses(network, d.name, d.address, refuse)
  local name, loop = route_list.loop(d.routes, self.addresses)
  if loop then
    give_back(network, self.addresses)
    refuse(name, loop)
  end
  self.address = tostring(self.addresses[1]:host())
  self.mac = d.mac or self.addresses[1]:mac()
  network:add_member(self)
  return self
end

--- The same from an unchecked table: `network:endpoint`.
-- @function new
-- @tparam luabox.network network
-- @tparam table o as for `network:endpoint`
-- @treturn luabox.endpoint
-- @raise an argument error: the name or an address is taken, an address or a route's gateway is not of the subnet
function M.new(network, o)
  return M.take(network, options.check(spec, o, "endpoint"), fail)
end

-- A route of its own to everywhere takes the place of the one through the network's gateway.
local function gateway_of(self, a)
  if not (self.network.has_gateway and self.default_route) then return nil end
  if route_list.has_default(self.routes, a.version) then return nil end
  return tostring(self.network.gateways[a.version]:host())
end

-- All that follows the link's birth, in one send: nothing of it has to wait for an answer.
local function configure(self, namespace, index)
  local socket <close> = sys.net.socket(namespace)
  local batch = socket:batch()
  batch:link_set { index = LOOPBACK, up = true }
  -- Before it is up, when the kernel makes itself an address and tells all others.
  if self.network.has_ipv6 then batch:link_set { index = index, addrgenmode = "none" } end
  batch:link_set { index = index, up = true }
  for _, a in ipairs(self.addresses) do
    batch:address_add { link = index, address = tostring(a), nodad = a.version == 6 or nil }
    -- Routers ask for neighbours from a link-local address, and are answered only by who has one.
    if a.version == 6 then
      batch:address_add { link = index, address = tostring(address.link_local(self.mac)), nodad = true }
    end
    local gateway = gateway_of(self, a)
    if gateway then
      batch:route_add { destination = a.version == 4 and "0.0.0.0/0" or "::/0", gateway = gateway, link = index }
    end
  end
  for _, route in ipairs(self.routes) do
    batch:route_add { destination = tostring(route.to), gateway = tostring(route.via), link = index }
  end
  batch:send()
end

local NAMESPACE = { "object", is = "luabox.namespace", required = true }
local WEAK = { __mode = "v" }
local INDEX = { "integer", default = LOOPBACK + 1, min = LOOPBACK + 1, max = 2147483647 }

--- Connects a network namespace: one message makes the pair of links, one end a port of the switch, the other born in
-- the namespace; a second one gives addresses and routes. The link ends with the namespace.
-- @function endpoint:connect
-- @tparam luabox.namespace namespace
-- @tparam[opt=2] integer index of the link in the namespace (lo is 1)
-- @raise luabox.error
-- @usage
-- local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
-- local ns <close> = luabox.sys.namespace.create "net"
-- lan:endpoint({ name = "a" }):connect(ns)
function endpoint_methods:connect(namespace, index)
  namespace = options.argument(NAMESPACE, namespace, "connect")
  index = options.argument(INDEX, index, "connect", 2)
  local network = self.network
  network:start()
  local port = network:new_port(self.name)
  network.socket:link_add {
    kind = "veth", name = port.name, index = port.index, master = port.master, up = true, mtu = network.mtu,
    peer = { name = self.interface, index = index, netns = namespace, address = self.mac, mtu = network.mtu },
  }
  configure(self, namespace, index)
  network:settle(port)
  self.connected = setmetatable({ namespace }, WEAK)
end

--- The namespace that was connected; nobody is kept from closing it.
-- @function endpoint:namespace
-- @treturn ?luabox.namespace nil if none was, or it is closed
-- @usage
-- local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
-- assert(lan:endpoint({ name = "a" }):namespace() == nil)
function endpoint_methods:namespace()
  local namespace = self.connected and self.connected[1]
  return namespace and pcall(namespace.fileno, namespace) and namespace or nil
end

--- Gives the place back: its addresses and its name.
-- @function endpoint:release
function endpoint_methods:release()
  give_back(self.network, self.addresses)
  self.network:remove_member(self)
end

options.methods(endpoint_mt.__name, endpoint_methods)

return M
