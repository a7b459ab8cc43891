--[[
     box 10.7.0.2 ---- br0 10.7.0.1 [ a host that drops ] wan0 10.9.0.1 ---- outside 10.9.0.2
                                      what it forwards
     Docker sets the policy of FORWARD to DROP; then no bridge of one's own gets through.
]]
local luabox = require "luabox"
local namespace, net, nft, probe = luabox.sys.namespace, luabox.sys.net, luabox.sys.nft, luabox.probe

-- $ ip netns add host; ip netns add box; ip netns add outside
local host <close> = namespace.create "net"
local box <close> = namespace.create "net"
local outside <close> = namespace.create "net"
local on_host <close> = net.socket(host)
local firewall <close> = nft.socket(host)

local function plug(ns, link, address, gateway)
  on_host:link_add { kind = "veth", name = link, up = true, peer = { name = "eth0", netns = ns } }
  local there <close> = net.socket(ns)
  there:link_set { name = "eth0", up = true }
  there:address_add { link = "eth0", address = address }
  there:route_add { destination = "default", gateway = gateway }
end
on_host:link_add { kind = "bridge", name = "br0", up = true }
plug(box, "veth0", "10.7.0.2/24", "10.7.0.1")
plug(outside, "wan0", "10.9.0.2/24", "10.9.0.1")
on_host:link_set { name = "veth0", master = "br0" }
on_host:address_add { link = "br0", address = "10.7.0.1/24" }
on_host:address_add { link = "wan0", address = "10.9.0.1/24" }
on_host:route_add { destination = "default", gateway = "10.9.0.2" }

-- $ iptables -P FORWARD DROP
firewall:apply {
  { "add", "table", family = "ip", name = "filter" },
  { "add", "chain", family = "ip", table = "filter", name = "FORWARD", type = "filter", hook = "forward",
    priority = "filter", policy = "drop" },
}

print("box pings outside: " .. tostring(probe.ping("10.9.0.2", { namespace = box, timeout = 1 })))
local findings = luabox.nat.diagnose { namespace = host, link = "br0" }
print "What blocks it:"
print(findings)

print "After each of these lines, run on the host:"
for _, finding in ipairs(findings) do
  local mend = assert(load("local luabox = require 'luabox'; " .. finding.mend))
  local at_host <close> = luabox.sys.process.spawn { join = { host }, body = mend }
  at_host:result()
end
print("box pings outside: " .. tostring(probe.ping("10.9.0.2", { namespace = box })))
print(luabox.nat.diagnose { namespace = host, link = "br0" })
