--[[
                +------------ host ------------+
   v1 ----------| veth1                        |
   .2      eth0 |   br0 172.18.0.1/24     wan0 |---------- outside
                |   FORWARD drops     10.9.0.1 |  eth0     10.9.0.2
                +------------------------------+
   the rules let v1's packets out, and back in only what answers them
]]
local luabox = require "luabox"
local namespace, net, probe = luabox.sys.namespace, luabox.sys.net, luabox.probe

-- $ ip netns add host; ip netns add v1; ip netns add outside
local host <close> = namespace.create "net"
local v1 <close> = namespace.create "net"
local outside <close> = namespace.create "net"

local on_host <close> = net.socket(host)
local function machine(ns, link, master, address, gateway)
  on_host:link_add { kind = "veth", name = link, master = master, up = true, peer = { name = "eth0", netns = ns } }
  local inside <close> = net.socket(ns)
  inside:link_set { name = "eth0", up = true }
  inside:address_add { link = "eth0", address = address }
  inside:route_add { destination = "0.0.0.0/0", gateway = gateway }
end
on_host:link_add { kind = "bridge", name = "br0", up = true }
on_host:address_add { link = "br0", address = "172.18.0.1/24" }
machine(v1, "veth1", "br0", "172.18.0.2/24", "172.18.0.1")
machine(outside, "wan0", nil, "10.9.0.2/24", "10.9.0.1")
on_host:address_add { link = "wan0", address = "10.9.0.1/24" }

local function ping(what, from, address, timeout)
  local answer = probe.ping(address, { from = from, timeout = timeout })
  print(("%-52s %s"):format(what, answer))
  return answer.ok
end
for address, ns in pairs { ["172.18.0.1"] = v1, ["10.9.0.1"] = outside } do -- until the links are up
  assert(probe.ping(address, { from = ns, timeout = 0.5, retries = 50 }).ok)
end

-- $ sysctl -w net.ipv4.ip_forward=1
luabox.sys.system.set_sysctl("net.ipv4.ip_forward", 1, host)

local rules <close> = luabox.nat.new { namespace = host }
-- $ iptables -P FORWARD DROP
rules:iptables "iptables -P FORWARD DROP"

local before = ping("The host's FORWARD drops; v1 pings outside:", v1, "10.9.0.2", 0.5)

-- $ iptables -A FORWARD -i br0 ! -o br0 -j ACCEPT
rules:accept { iifname = "br0", oifname = { "!=", "br0" } }

-- $ iptables -A FORWARD -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
rules:iptables "iptables -A FORWARD -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"

local after = ping("With two rules more:", v1, "10.9.0.2")
local back = ping("What nobody in the bridge asked for stays out:", outside, "172.18.0.2", 0.5)
-- $ iptables -L FORWARD -n -v --line-numbers
print(rules:iptables "iptables -L FORWARD -n -v --line-numbers")

assert(not before and after and not back)
