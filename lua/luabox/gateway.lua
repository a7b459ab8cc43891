--- The way out of a network: one veth into the host, forwarding, NAT and port maps.
-- All of it dies with a descriptor: the veth with the switch, the nft table with the socket that owns it, the claim of
-- a host port with its own. Only forwarding is the host's, and the keeper puts it back.
-- Internal: a part of `luabox.network`, for nobody else.
-- @module luabox.gateway

local errors = require "luabox.error"
local free_subnet = require "luabox.free_subnet"
local keeper = require "luabox.keeper"
local nat_table = require "luabox.nat_table"
local random = require "luabox.random"
local scope = require "luabox.scope"
local sys = require("luabox").sys

local gateway_methods = {}
local gateway_mt = { __name = "luabox.gateway", __index = gateway_methods }

local LINK_LOCAL = "fe80::1/64" -- from which a router asks for neighbours
local UPLINK = "uplink" -- the switch's end of the veth

-- What differs between the two versions of IP.
local VERSIONS = {
  [4] = { nfproto = "ipv4", type = "ipv4_addr", loopback = "127.0.0.0/8", forwarding = "net.ipv4.ip_forward" },
  [6] = { nfproto = "ipv6", type = "ipv6_addr", loopback = "::1/128", forwarding = "net.ipv6.conf.all.forwarding" },
}

local M = {}

-- ---- the link ----

-- "lan-3f9a": whose it is, and not another run's. A creation that fails costs 17 ms, so it is asked before.
local function free_name(name, host)
  local candidate
  repeat candidate = ("%s-%04x"):format(name:sub(1, 10), random.integer(0, 0xffff)) until not host:link(candidate)
  return candidate
end

-- With a second way to the same addresses, packets would go by the one and come back by the other.
local function refuse_overlap(self, host)
  for _, destination in ipairs(free_subnet.routed(host, self.link)) do
    for _, pool in pairs(self.network.pools) do
      if destination:overlaps(pool.subnet) then
        errors.raise { op = "route", subject = tostring(pool.subnet), code = "EEXIST",
          message = ("the host has a route to %s already"):format(destination),
          hint = "give the network another subnet, or no gateway" }
      end
    end
  end
end

local function make_link(self, host)
  local network = self.network
  local here <close> = sys.namespace.open "net"
  self.port = network:new_port(UPLINK)
  self.link = free_name(network.name, host)
  network.socket:link_add {
    kind = "veth", name = self.port.name, index = self.port.index, master = self.port.master, up = true,
    mtu = network.mtu,
    peer = { name = self.link, netns = here, mtu = network.mtu },
  }
  return function() network.socket:link_delete(self.port.index) end
end

-- What IPv6 has in place of route_localnet: answers to ::1 are taken from this link too. The metric is the link's
-- index, since each gateway has such a route.
local function prepare_ipv6(self, host)
  host:address_add { link = self.link, address = LINK_LOCAL, nodad = true }
  host:route_add { destination = "::1/128", link = self.link, type = "local", table = "local",
    metric = host:link(self.link).index }
end

-- Forwarding and route_localnet of the link alone: they end with it. The second lets 127.0.0.1 of the host be mapped to
-- a member; what members themselves send there is dropped (`guard`).
local function configure_link(self, host)
  local batch = host:batch()
  batch:link_set {
    name = self.link, addrgenmode = self.network.has_ipv6 and "none" or nil,
    ipv4 = { forwarding = true, route_localnet = true },
  }
  batch:link_set { name = self.link, up = true }
  batch:send()
  for version, a in pairs(self.network.gateways) do
    host:address_add { link = self.link, address = tostring(a), nodad = version == 6 or nil }
    if version == 6 then prepare_ipv6(self, host) end
  end
end

local function allow_forwarding(self, undo)
  for version in pairs(self.network.gateways) do
    local token = keeper.get():sysctl { name = VERSIONS[version].forwarding, value = 1 }
    undo:add(function() token:undo() end)
  end
end

-- ---- the table ----

local function chain(name, type, hook, priority)
  return { "add", "chain", table = "luabox", name = name, type = type, hook = hook, priority = priority }
end

-- Two maps a version: "any" for ports of all of the host's addresses, "at" for those of one.
local function add_maps(operations, version, v)
  local data = { v.type, "inet_service" }
  local function map(name, key, fields, more)
    operations[#operations + 1] = { "add", "map", name = name, key = key, data = data }
    for _, hook in ipairs { "prerouting", "output" } do
      operations[#operations + 1] = { "add", "rule", chain = hook, nfproto = v.nfproto, daddr_type = more,
        dnat = { map = name, key = fields } }
    end
  end
  map("at" .. version, { v.type, "inet_proto", "inet_service" }, "daddr,protocol,dport")
  map("any" .. version, { "inet_proto", "inet_service" }, "protocol,dport", "local")
end

-- What comes back must come back to the host: members that call each other through it, and the host's own 127.0.0.1.
local function add_source_rules(operations, self, version, v)
  local subnet = tostring(self.network.pools[version].subnet)
  local function masquerade(rule)
    rule[1], rule[2], rule.chain, rule.masquerade = "add", "rule", "postrouting", true
    operations[#operations + 1] = rule
  end
  masquerade { saddr = subnet, daddr = subnet, ct_status = "dnat" }
  masquerade { saddr = v.loopback, oifname = self.link, ct_status = "dnat" }
  if self.network.nat then masquerade { saddr = subnet, oifname = { "!=", self.link } } end
end

local function operations_of(self)
  local operations = {
    { "add", "table" },
    chain("guard", "filter", "prerouting", "raw"),
    chain("prerouting", "nat", "prerouting", "dstnat"),
    chain("output", "nat", "output", "dstnat"),
    chain("postrouting", "nat", "postrouting", "srcnat"),
    -- Without it route_localnet would open the host's own loopback to members (CVE-2020-8558).
    { "add", "rule", chain = "guard", iifname = self.link, daddr = VERSIONS[4].loopback, verdict = "drop" },
  }
  for version in pairs(self.network.gateways) do
    add_maps(operations, version, VERSIONS[version])
    add_source_rules(operations, self, version, VERSIONS[version])
  end
  for _, operation in ipairs(operations) do
    operation[operation[2] == "table" and "name" or "table"] = self.table
  end
  return operations
end

local function make_table(self, undo)
  self.nft = undo:own(sys.nft.socket())
  self.table = "luabox-" .. self.link
  nat_table.make(self.nft, operations_of(self), undo)
end

local function build(self)
  local undo <close> = scope.new()
  local host <close> = sys.net.socket()
  refuse_overlap(self, host)
  undo:add(make_link(self, host))
  configure_link(self, host)
  self.network:settle(self.port)
  refuse_overlap(self, host) -- again: another run may have come in between
  allow_forwarding(self, undo)
  make_table(self, undo)
  self.undo = undo:keep()
  return self
end

--- Opens the way.
-- @tparam luabox.network network its switch is made
-- @treturn luabox.gateway with the host's `link`
-- @raise luabox.error: the host has another way to the subnet
function M.open(network)
  return build(setmetatable({ network = network }, gateway_mt))
end

--- Closes it: link, table, forwarding. A second call does nothing.
-- @function gateway:close
-- @raise luabox.error
function gateway_methods:close()
  local undo = self.undo
  self.undo = nil
  if undo then undo:close() end
end

--- What of the host's own rules drops what they do not know on its way through: nothing of luabox's can overrule that.
-- Looked for when somebody asks, not at each start.
-- @function gateway:obstacles
-- @treturn {string,...} as in "chain FORWARD of table ip filter"
-- @raise luabox.error
function gateway_methods:obstacles()
  local found = {}
  local nft <close> = sys.nft.socket()
  for _, c in ipairs(require("luabox.nat_forward").dropping(nft)) do
    local version = c.family == "ip" and 4 or c.family == "ip6" and 6
    if version and self.network.pools[version] or c.family == "inet" then
      found[#found + 1] = ("chain %s of table %s %s"):format(c.name, c.family, c.table)
    end
  end
  return found
end

-- ---- port maps ----

-- Adds to `elements` (set → list) what leads a map to a member's address.
local function add_elements(elements, map, target)
  local to = { map.protocol, map.published, tostring(target:host()), map.container }
  local set = "any" .. target.version
  if map.address and not map.address:is_unspecified() then
    set = "at" .. target.version
    table.insert(to, 1, tostring(map.address))
  end
  elements[set] = elements[set] or {}
  table.insert(elements[set], to)
end

-- A map without an address leads to each of the member's.
local function elements_of(endpoint, maps)
  local elements = {}
  for _, map in ipairs(maps) do
    for _, a in ipairs(endpoint.addresses) do
      if not map.address or map.address.version == a.version then add_elements(elements, map, a) end
    end
  end
  return elements
end

local function operations_on(self, verb, elements)
  local operations = {}
  for set, list in pairs(elements) do
    operations[#operations + 1] = { verb, "element", table = self.table, set = set, elements = list }
  end
  return operations
end

-- Where free ports are looked for, and how often: the range that IANA leaves to everybody (RFC 6335).
local FREE_FIRST, FREE_LAST, TRIES = 49152, 65535, 100

local function claim_port(map, port)
  return sys.port.claim { port = port, protocol = map.protocol, address = map.address and tostring(map.address) }
end

local function claim_free(map)
  local e
  for _ = 1, TRIES do
    local port = random.integer(FREE_FIRST, FREE_LAST)
    local handle
    handle, e = errors.try(claim_port, map, port)
    if handle then return handle, port end
    if e.code ~= "EADDRINUSE" then break end
  end
  error(e, 0)
end

-- Claims the map's host port; `published` is which one it has become.
local function claim(map)
  local handle
  if map.host == 0 then
    handle, map.published = claim_free(map)
  else
    handle, map.published = claim_port(map, map.host), map.host
  end
  return handle
end

--- Publishes ports of a member on the host. Each host port is claimed first, so that no program loses one that it has,
-- and none can take it meanwhile.
-- @function gateway:publish
-- @tparam luabox.endpoint endpoint
-- @tparam {table,...} maps as `luabox.port_map` reads them
-- @treturn luabox.scope that takes them back
-- @raise luabox.error: EADDRINUSE, with the process that has the port
function gateway_methods:publish(endpoint, maps)
  local undo <close> = scope.new()
  for _, map in ipairs(maps) do undo:own(claim(map)) end
  local elements = elements_of(endpoint, maps)
  self.nft:apply(operations_on(self, "create", elements))
  undo:add(function() if self.undo then self.nft:apply(operations_on(self, "delete", elements)) end end)
  return undo:keep()
end

return M
