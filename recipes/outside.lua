--[[
                +------------ host ------------+
   v1 ----------| veth1                   wan0 |---------- outside, which knows
   .2      eth0 |   br0 172.18.0.1/24 10.9.0.1 |  eth0     nothing of 172.18
                +------- MASQUERADE -----------+           10.9.0.2
]]
local luabox = require "luabox"
local namespace, net, probe, process = luabox.sys.namespace, luabox.sys.net, luabox.probe, luabox.sys.process

-- $ ip netns add host; ip netns add v1; ip netns add outside
local host <close> = namespace.create "net"
local v1 <close> = namespace.create "net"
local outside <close> = namespace.create "net"

local rules <close> = luabox.nat.new { namespace = host }
local on_host <close> = net.socket(host)
local function machine(ns, link, master, address)
  on_host:link_add { kind = "veth", name = link, master = master, up = true, peer = { name = "eth0", netns = ns } }
  local inside <close> = net.socket(ns)
  inside:link_set { name = "eth0", up = true }
  inside:address_add { link = "eth0", address = address }
end
on_host:link_add { kind = "bridge", name = "br0", up = true }
on_host:address_add { link = "br0", address = "172.18.0.1/24" }
machine(v1, "veth1", "br0", "172.18.0.2/24")
machine(outside, "wan0", nil, "10.9.0.2/24")
on_host:address_add { link = "wan0", address = "10.9.0.1/24" }

local server <close> = process.spawn { -- writes down who asks
  program = { "httpd", "-f", "-vv", "-p", "80" }, join = { outside }, namespaces = "mnt,pid", stderr = "pipe",
  steps = { { "propagation", path = "/", flags = "private,rec" }, { "root" }, { "detach_root" } },
}
local function ask(what, timeout)
  local answer = probe.http("10.9.0.2", { path = "/v1", from = v1, timeout = timeout, expect = 404 })
  print(("%-22s ip_forward is %s; %s"):format(what, luabox.sys.system.sysctl("net.ipv4.ip_forward", host), answer))
  return answer.ok
end
assert(probe.http("10.9.0.2", { from = host, retries = 50, expect = 404 }).ok) -- they are up
assert(probe.ping("172.18.0.1", { from = v1, timeout = 0.5, retries = 50 }).ok)

-- $ nsenter --target PID --net ip route add default via 172.18.0.1
net.socket(v1):route_add { destination = "0.0.0.0/0", gateway = "172.18.0.1" }
local without = ask("v1 asks outside:", 0.5)

-- $ sysctl -w net.ipv4.ip_forward=1
-- $ iptables -t nat -A POSTROUTING -s 172.18.0.0/24 ! -o br0 -j MASQUERADE
rules:masquerade { saddr = "172.18.0.0/24", oifname = { "!=", "br0" } }

assert(ask "With MASQUERADE:")
local log = ""
repeat log = log .. server:stderr():read(500) until log:find "url:/v1"
print("The address that outside has seen: " .. log:match "([%d.]+)%]:%d+: url:/v1")
-- $ iptables -t nat -L POSTROUTING -n --line-numbers
print(rules:iptables "iptables -t nat -L POSTROUTING -n --line-numbers")

-- $ iptables -t nat -D POSTROUTING 1
rules:iptables "iptables -t nat -D POSTROUTING 1"
assert(not without and not ask("With the rule deleted:", 0.5) and log:find "10.9.0.1%]:%d+: url:/v1")
rules:close() -- and ip_forward is as before
ask("The rules are closed:", 0.5)
