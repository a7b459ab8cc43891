--[[
     a namespace plays the host                          the network
     +----------------------------------+
     |   br0   <- - - - -   eth0        |------ router 192.0.2.1
     |        enslaved?   192.0.2.10    |
     +----------------------------------+
     As a port of br0, eth0 serves its own address no more: who is logged in by it is cut off.
]]
local luabox = require "luabox"
local namespace, net, probe = luabox.sys.namespace, luabox.sys.net, luabox.probe

local host <close> = namespace.create "net"
local outside <close> = namespace.create "net"
local on_host <close> = net.socket(host)
local router <close> = net.socket(outside)

on_host:link_add { kind = "veth", name = "eth0", up = true, peer = { name = "lan0", netns = outside } }
router:link_set { name = "lan0", up = true }
router:address_add { link = "lan0", address = "192.0.2.1/24" }

-- $ ip addr add 192.0.2.10/24 dev eth0; ip route add default via 192.0.2.1
on_host:address_add { link = "eth0", address = "192.0.2.10/24" }
on_host:route_add { destination = "default", gateway = "192.0.2.1" }

local function reached()
  return probe.ping("192.0.2.10", { namespace = outside, timeout = 1 }).ok and "answers" or "does not answer"
end
print(("The host %s at 192.0.2.10."):format(reached()))

-- $ ip link add br0 type bridge; ip link set br0 up
on_host:link_add { kind = "bridge", name = "br0", up = true }

-- $ ip link set eth0 master br0
local done, refusal = luabox.try(on_host.link_set, on_host, { name = "eth0", master = "br0" })
print("To make eth0 a port of br0 is refused:\n  " .. tostring(refusal):gsub("; ", ";\n  "))
print(("The host %s."):format(reached()))
assert(not done)

on_host:link_set { name = "eth0", master = "br0", force = true }
-- $ ip neigh flush dev eth0
on_host:neighbour_delete { link = "eth0", address = "192.0.2.1" }
print "With force = true it is done. As soon as what eth0 knew of its neighbours is out of date,"
print(("the host %s: the answers to its questions arrive at br0. That cuts a server off."):format(reached()))

print "Its address and its default route belong to the bridge now:"
-- $ ip addr del 192.0.2.10/24 dev eth0; ip addr add 192.0.2.10/24 dev br0; ip route add default via 192.0.2.1
on_host:address_delete { link = "eth0", address = "192.0.2.10/24" }
on_host:address_add { link = "br0", address = "192.0.2.10/24" }
on_host:route_add { destination = "default", gateway = "192.0.2.1" }

print(("the host %s."):format(reached()))
