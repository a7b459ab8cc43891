--[[
   the tutorials' LAN, line by line, in a namespace that plays the host
            +----------------- host -----------------+
   v1 ------| veth1                                  |
   .2  eth0 |      br0 172.18.0.1/24   10.9.0.1 wan0 |------ outside
   v2 ------| veth2                                  |  eth0 10.9.0.2
   .3  eth0 +----------------------------------------+
            MASQUERADE; DNAT 3033 -> 172.18.0.2:3000
]]
local luabox = require "luabox"
local namespace, net, process, probe = luabox.sys.namespace, luabox.sys.net, luabox.sys.process, luabox.probe

-- $ ip netns add host; ip netns add v1; ip netns add v2; ip netns add outside
local host <close> = namespace.create "net"
local v1 <close> = namespace.create "net"
local v2 <close> = namespace.create "net"
local outside <close> = namespace.create "net"
local on_host <close> = net.socket(host)

-- $ ip link add br0 type bridge; ip link set br0 up; ip addr add 172.18.0.1/24 dev br0
on_host:link_add { kind = "bridge", name = "br0", up = true }
on_host:address_add { link = "br0", address = "172.18.0.1/24" }

local function plug(ns, link, master, address, gateway)
  -- $ ip link add veth1 type veth peer name ceth1
  -- $ ip link set ceth1 netns v1; ip -n v1 link set ceth1 name eth0; ip link set veth1 master br0 up
  on_host:link_add { kind = "veth", name = link, master = master, up = true, peer = { name = "eth0", netns = ns } }
  -- $ ip -n v1 link set eth0 up; ip -n v1 addr add 172.18.0.2/24 dev eth0; ip -n v1 route add default via 172.18.0.1
  local inside <close> = net.socket(ns)
  inside:link_set { name = "eth0", up = true }
  inside:address_add { link = "eth0", address = address }
  if gateway then inside:route_add { destination = "default", gateway = gateway } end
end
plug(v1, "veth1", "br0", "172.18.0.2/24", "172.18.0.1")
plug(v2, "veth2", "br0", "172.18.0.3/24", "172.18.0.1")
plug(outside, "wan0", nil, "10.9.0.2/24")
on_host:address_add { link = "wan0", address = "10.9.0.1/24" }

-- $ sysctl -w net.ipv4.ip_forward=1
luabox.sys.system.set_sysctl("net.ipv4.ip_forward", 1, host)

-- $ iptables -t nat -A POSTROUTING -s 172.18.0.0/24 ! -o br0 -j MASQUERADE
-- $ iptables -t nat -A PREROUTING -p tcp --dport 3033 -j DNAT --to 172.18.0.2:3000
local rules <close> = luabox.nat.new { namespace = host }
rules:iptables "-t nat -A POSTROUTING -s 172.18.0.0/24 ! -o br0 -j MASQUERADE"
rules:iptables "-t nat -A PREROUTING -p tcp --dport 3033 -j DNAT --to 172.18.0.2:3000"

-- $ ip netns exec v1 sh -c 'while :; do echo hello from v1 | nc -l -p 3000; done' &
local _ <close> = process.spawn {
  join = { v1 }, namespaces = "mnt,pid", steps = { { "propagation", path = "/", flags = "private,rec" }, { "root" } },
  program = { "sh", "-c", "while :; do echo hello from v1 | nc -l -p 3000; done" },
}

-- $ ip netns exec v1 ping -c 1 172.18.0.3
print("v1 pings v2:                  ", probe.ping("172.18.0.3", { namespace = v1 }))
print("v2 pings the host's bridge:   ", probe.ping("172.18.0.1", { namespace = v2 }))
print("v1 pings outside, through NAT:", probe.ping("10.9.0.2", { namespace = v1 }))
-- $ ip netns exec outside nc 10.9.0.1 3033
print("outside asks host port 3033:", probe.tcp("10.9.0.1", 3033, { namespace = outside, expect = "v1", retries = 50 }))
print(luabox.map { namespaces = { host = host, v1 = v1, v2 = v2, outside = outside } })
