--- A network: a bridge in a network namespace of its own, the switch.
-- The host's firewall never sees traffic between its members, its names collide with nobody's, and it is gone with its
-- descriptor. Only a network with a gateway, NAT or published ports puts one veth into the host (`luabox.gateway`).
-- `luabox.network{…}` describes; the switch is made when the first member is connected.
-- @module luabox.network

local address = require "luabox.address"
local address_pool = require "luabox.address_pool"
local endpoint = require "luabox.endpoint"
local errors = require "luabox.error"
local options = require "luabox.options"
local scope = require "luabox.scope"
local sys = require("luabox").sys

local network_methods = {}
local network_mt = { __name = "luabox.network", __index = network_methods }

-- In a namespace of its own every index but that of lo is free: given here, none has to be asked for.
local BRIDGE = { name = "switch", index = 2 }

local IPV6_MTU = 1280 -- RFC 8200: the least

local SUBNETS = { "any", { "subnet" }, { "list", min = 1, max = 2, of = { "subnet" } } }

local spec = {
  name = { "name", required = true },
  subnet = SUBNETS,
  gateway = { "any", { "boolean" }, { "address", prefix = "none" } },
  nat = { "boolean", default = false },
  mtu = { "integer", min = 68, max = 65535 },
}

local MEMBER = { "object", is = "luabox.endpoint", required = true }
local MAPS = { "ports", required = true }

local M = {}

-- The networks of this process, so that two that choose a subnet do not choose the same.
local known = setmetatable({}, { __mode = "k" })

local function choose_subnet()
  local taken = {}
  for network in pairs(known) do
    for _, pool in pairs(network.pools) do taken[#taken + 1] = pool.subnet end
  end
  return require("luabox.free_subnet").choose(taken)
end

local function fail(name, text, ...)
  options.fail("network", name, text:format(...))
end

-- What the kernel, or everybody, uses in a way of its own.
local SPECIAL = {
  { "0.0.0.0/8", "stands for no address" }, { "127.0.0.0/8", "is every machine's own loopback" },
  { "224.0.0.0/3", "is multicast or reserved" },
  { "::/96", "holds the loopback and no address" }, { "fe80::/10", "is link-local: each link has it already" },
  { "ff00::/8", "is multicast" },
}

local function refuse_special(subnet)
  for _, special in ipairs(SPECIAL) do
    if subnet:overlaps(address.subnet(special[1])) then
      fail("subnet", "%s overlaps %s, which %s; take one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or fd00::/8",
        subnet, special[1], special[2])
    end
  end
end

-- One pool for each version of IP, with room for a gateway and at least one member.
local function make_pools(subnets)
  local pools = {}
  for _, subnet in ipairs(subnets) do
    if pools[subnet.version] then fail("subnet", "two of IPv%d; one of each version is allowed", subnet.version) end
    if subnet:last() <= subnet:first() then
      fail("subnet", "%s is too small: the gateway and one member need two addresses", subnet)
    end
    refuse_special(subnet)
    pools[subnet.version] = address_pool.new(subnet)
  end
  return pools
end

local function check_mtu(mtu, pools)
  if mtu and pools[6] and mtu < IPV6_MTU then
    fail("mtu", "%d is too small for IPv6, which needs %d", mtu, IPV6_MTU)
  end
end

-- The gateway has the last address, unless told otherwise, so that members can have the first ones.
-- What publishes ports gets a gateway later, so that every network keeps an address for one.
local function reserve_gateways(pools, asked, owner)
  local gateways = {}
  if type(asked) == "table" and not pools[asked.version] then
    fail("gateway", "%s is not in the subnet %s", asked, (pools[4] or pools[6]).subnet)
  end
  for version, pool in pairs(pools) do
    local chosen = type(asked) == "table" and asked.version == version and asked or pool.subnet:last():host()
    local taken, problem = pool:take(chosen, owner)
    if not taken then fail("gateway", "%s", problem) end
    gateways[version] = taken
  end
  return gateways
end

--- Describes a network.
-- @function network
-- @tparam table o
-- @tparam string o.name as others name it
-- @tparam[opt] string|{string,string} o.subnet "192.168.2.0/24", "fd00::/64", or one of each; by default one of
--   10.64.0.0/10 that the host has no route to
-- @tparam[opt=false] boolean|string o.gateway whether the host is a member, so that both reach each other and members
--   have a default route; its address, the subnet's last by default
-- @tparam[opt=false] boolean o.nat whether members reach what the host reaches, with the host's address; has a gateway
-- @tparam[opt] integer o.mtu of all links, in bytes; the kernel's default (1500)
-- @treturn luabox.network with `name`, `gateway` (its first address, as text) and `members`
-- @raise an argument error
-- @usage
-- local lan <close> = luabox.network { name = "lan", subnet = "192.168.2.0/24", nat = true }
-- assert(lan.gateway == "192.168.2.254")
function M.new(o)
  local d = options.check(spec, o, "network")
  local subnet = d.subnet or choose_subnet()
  local pools = make_pools(subnet[1] and subnet or { subnet })
  check_mtu(d.mtu, pools)
  if d.nat and d.gateway == false then fail("gateway", "false contradicts nat, which goes through it") end
  local has_gateway = d.nat or d.gateway ~= nil and d.gateway ~= false
  local gateways = reserve_gateways(pools, d.gateway,
    has_gateway and "the gateway" or "the gateway that the network gets if a member publishes ports")
  local self = setmetatable({
    name = d.name, nat = d.nat, mtu = d.mtu, pools = pools, gateways = gateways,
    has_gateway = has_gateway,
    gateway = tostring((gateways[4] or gateways[6]):host()),
    members = {}, by_name = {}, port_names = {}, next_port = BRIDGE.index + 1,
  }, network_mt)
  known[self] = true
  return self
end

-- In the switch nobody speaks IPv6 himself: what each port would send to say so floods all others.
local function make_switch(self)
  local undo <close> = scope.new()
  self.namespace = undo:own(sys.namespace.create "net")
  self.socket = undo:own(sys.net.socket(self.namespace))
  self.has_ipv6 = sys.file.exists "/proc/sys/net/ipv6"
  if self.has_ipv6 then sys.system.set_sysctl("net.ipv6.conf.default.disable_ipv6", 1, self.namespace) end
  self.socket:link_add { kind = "bridge", name = BRIDGE.name, index = BRIDGE.index, up = true, mtu = self.mtu }
  return undo:keep()
end

--- Makes the switch, and the way into the host if the network has one. Done by the first member that is connected;
-- a second call does nothing.
-- @function network:start
-- @raise luabox.error
-- @usage
-- local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
-- lan:start()
function network_methods:start()
  if not self.undo then self.undo = errors.within(("start network '%s'"):format(self.name), make_switch, self) end
  if self.has_gateway and not self.way_out then
    local gateway = require "luabox.gateway"
    self.way_out = errors.within(("start network '%s'"):format(self.name), gateway.open, self)
  end
end

--- Publishes ports of a member on the host, as a container's `ports` do; the network gets a gateway if it has none.
-- @function network:publish
-- @tparam luabox.endpoint member one of this network's
-- @tparam {table,...} maps as `luabox.port_map` reads them
-- @treturn luabox.scope that takes them back
-- @raise luabox.error: EADDRINUSE, with the process that has the port
function network_methods:publish(member, maps)
  member = options.argument(MEMBER, member, "publish")
  if member.network ~= self then
    options.fail("publish", nil, ("'%s' is a member of network '%s', not of '%s'"):format(member.name,
      member.network.name, self.name))
  end
  return self:publish_maps(member, options.argument(MAPS, maps, "publish", 2))
end

-- The same with maps in their normal form.
function network_methods:publish_maps(member, maps)
  self.has_gateway = true
  self:start()
  return self.way_out:publish(member, maps)
end

--- Ends the network: its switch, all links to it, its way into the host. Members that still run have no link then.
-- A second call does nothing.
-- @function network:delete
-- @raise luabox.error
function network_methods:delete()
  local way_out, undo = self.way_out, self.undo
  self.way_out, self.undo = nil, nil
  local both <close> = scope.new()
  if undo then both:own(undo) end
  if way_out then both:own(way_out) end
end

--- The same as `delete`.
-- @function network:close
network_methods.close = network_methods.delete

--- A place for a member: takes its addresses and its name, and does nothing yet. Containers do this by themselves.
-- @function network:endpoint
-- @tparam table o
-- @tparam string o.name unique in the network
-- @tparam[opt] string|{string,...} o.address handed out from the subnet by default
-- @tparam[opt="eth0"] string o.interface
-- @tparam[opt] string o.mac made from the address by default
-- @tparam[opt=true] boolean o.default_route whether the gateway, if there is one, gets the default route
-- @tparam[opt] {table,...} o.routes each { to, via }: a subnet, and the member through which it is reached
-- @treturn luabox.endpoint
-- @raise an argument error: a name or an address that is taken; an address or a gateway that is not in the subnet
-- @usage
-- local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
-- assert(lan:endpoint { name = "a" }.address == "10.1.0.1")
function network_methods:endpoint(o)
  return endpoint.new(self, o)
end

--- Each member asks each other one by ICMP echo, all at once.
-- @function network:pingall
-- @tparam[opt] table o
-- @tparam[opt] integer o.version 4 or 6; 4 by default if the network has it
-- @tparam[opt=1] integer o.count requests to each
-- @tparam[opt=0.2] number|string o.interval in seconds, between requests
-- @tparam[opt=4] number|string o.timeout in seconds, of each request
-- @tparam[opt=56] integer o.size of a request's data in bytes
-- @treturn table `ok` (whether all were answered), `sent` and `received` (pairs), `names`, and `matrix`: by who asks
--   and who is asked, each as of `luabox.probe.ping`. It prints as a table, in milliseconds. A member that is not
--   connected asks nobody (ENOTCONN).
-- @raise luabox.error as `luabox.probe.ping`
-- @usage
-- local lan <close> = luabox.network { name = "lan" }
-- local a <close> = luabox.container { name = "a", network = lan }
-- local b <close> = luabox.container { name = "b", network = lan }
-- a:start()
-- b:start()
-- local seen = lan:pingall()
-- print(seen)
-- assert(seen.matrix.a.b.rtt.avg > 0)
function network_methods:pingall(o)
  return require("luabox.pingall").run(self, o or {})
end

-- A port of the bridge as { name, index }. Its name tells whose it is, as far as an interface name can. An index or a
-- name is not given twice: the kernel takes its time to remove the link that had it.
function network_methods:new_port(member)
  local index = self.next_port
  self.next_port = index + 1
  local own_name = #member <= 15 and member ~= BRIDGE.name and member ~= "lo" and not member:find "^port%d+$"
    and not self.port_names[member]
  local name = own_name and member or "port" .. index
  self.port_names[name] = true
  return { name = name, index = index, master = BRIDGE.index }
end

-- Has the kernel take up a port whose other end is up. It may do so as late as a second after, and drops till then what
-- is sent; newer ones do it for who asks for that very link.
function network_methods:settle(port)
  self.socket:link(port.index)
end

-- Members know each other by name in their /etc/hosts.
local function tell_members(self)
  for _, member in ipairs(self.members) do
    if member.on_change then member.on_change() end
  end
end

function network_methods:add_member(member)
  self.members[#self.members + 1] = member
  self.by_name[member.name] = member
  tell_members(self)
end

function network_methods:remove_member(member)
  self.by_name[member.name] = nil
  for i, other in ipairs(self.members) do
    if other == member then
      table.remove(self.members, i)
      break
    end
  end
  tell_members(self)
end

--- A drawing of the network: the switch, its gateway and its members with their addresses.
function network_mt:__tostring()
  return require("luabox.drawing").network(self)
end

options.methods(network_mt.__name, network_methods)

network_mt.__close = errors.closer(network_methods.delete)
-- When the state closes, handles may have been closed before: each of them undid its part.
network_mt.__gc = function(self) pcall(self.delete, self) end

return setmetatable(M, { __call = function(_, o) return M.new(o) end })
