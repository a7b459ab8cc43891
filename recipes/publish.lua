--[[
              +------------------ host ------------------+
   v1 --------| veth1                                    |
   .8    eth0 |      br0 172.8.0.1/24     10.9.0.1  wan0 |------ outside
   v2 --------| veth2                                    |  eth0 10.9.0.2
   .9    eth0 |      3033 -> 172.8.0.8:3000              |
              +------------------------------------------+
]]
local luabox = require "luabox"
local namespace, net, probe, process = luabox.sys.namespace, luabox.sys.net, luabox.probe, luabox.sys.process

-- $ ip netns add host; ip netns add v1; ip netns add v2; ip netns add outside
local host <close> = namespace.create "net"
local v1 <close> = namespace.create "net"
local v2 <close> = namespace.create "net"
local outside <close> = namespace.create "net"

local on_host <close> = net.socket(host)
local function machine(ns, link, master, address, gateway)
  on_host:link_add { kind = "veth", name = link, master = master, up = true, peer = { name = "eth0", netns = ns } }
  local inside <close> = net.socket(ns)
  inside:link_set { name = "eth0", up = true }
  inside:address_add { link = "eth0", address = address }
  if gateway then inside:route_add { destination = "0.0.0.0/0", gateway = gateway } end
end
on_host:link_set { name = "lo", up = true }
on_host:link_add { kind = "bridge", name = "br0", up = true }
on_host:address_add { link = "br0", address = "172.8.0.1/24" }
machine(v1, "veth1", "br0", "172.8.0.8/24", "172.8.0.1")
machine(v2, "veth2", "br0", "172.8.0.9/24", "172.8.0.1")
machine(outside, "wan0", nil, "10.9.0.2/24")
on_host:address_add { link = "wan0", address = "10.9.0.1/24" }

local server <close> = process.spawn { -- luacheck: ignore
  program = { "httpd", "-f", "-p", "3000" }, join = { v1 }, namespaces = "mnt,pid",
  steps = { { "propagation", path = "/", flags = "private,rec" }, { "root" }, { "detach_root" } },
}
assert(probe.tcp("172.8.0.8", 3000, { from = host, retries = 50 }).ok)

local rules <close> = luabox.nat.new { namespace = host }
-- $ iptables -P FORWARD DROP
rules:iptables "iptables -P FORWARD DROP"

-- $ iptables -t nat -A PREROUTING -p tcp --dport 3033 -j DNAT --to 172.8.0.8:3000
-- $ iptables -A FORWARD -p tcp -d 172.8.0.8 --dport 3000 -j ACCEPT
local published = rules:publish { ports = { "3033:3000" }, to = "172.8.0.8" }

print("What that takes, so that it is reached from everywhere:\n" .. tostring(published))

local function ask(what, address, from)
  local answer = probe.tcp(address, 3033, { from = from })
  print(("%-46s %s"):format(what, answer))
  return answer.ok
end
local all = ask("From another machine:", "10.9.0.1", outside)
  and ask("From the host by its own address:", "10.9.0.1", host)
  and ask("From the host by 127.0.0.1:", "127.0.0.1", host)
  and ask("From a neighbour by the host's address:", "10.9.0.1", v2)
rules:delete(published)
assert(all and not ask("And when it is deleted:", "10.9.0.1", outside))
