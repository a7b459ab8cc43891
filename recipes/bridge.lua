--[[
   a bridge, as the tutorials make it; a namespace plays the host
            +------------ host -------------+
   v1 ------| veth1 ---+                    |
   .2  eth0 |         br0  172.18.0.1/24    |
   v2 ------| veth2 ---+                    |
   .3  eth0 +-------------------------------+
]]
local luabox = require "luabox"
local namespace, net, probe = luabox.sys.namespace, luabox.sys.net, luabox.probe

-- $ ip netns add host; ip netns add v1; ip netns add v2
local host <close> = namespace.create "net"
local v1 <close> = namespace.create "net"
local v2 <close> = namespace.create "net"
local on_host <close> = net.socket(host)
-- $ ip link add br0 type bridge; ip link set br0 up
on_host:link_add { kind = "bridge", name = "br0", up = true }

-- $ ip addr add 172.18.0.1/24 brd + dev br0
on_host:address_add { link = "br0", address = "172.18.0.1/24", broadcast = "+" }

local function plug(ns, port, address)
  -- $ ip link add veth1 type veth peer name eth0 netns v1; ip link set veth1 up
  on_host:link_add { kind = "veth", name = port, up = true, peer = { name = "eth0", netns = ns } }
  -- $ ip link set veth1 master br0
  -- $ brctl addif br0 veth1
  on_host:link_set { name = port, master = "br0" }
  -- $ ip -n v1 addr add 172.18.0.2/24 dev eth0; ip -n v1 link set eth0 up
  local inside <close> = net.socket(ns)
  inside:address_add { link = "eth0", address = address .. "/24" }
  inside:link_set { name = "eth0", up = true }
end
plug(v1, "veth1", "172.18.0.2")
plug(v2, "veth2", "172.18.0.3")

-- $ ip netns exec v1 ping -c 3 172.18.0.3
local neighbour = probe.ping("172.18.0.3", { namespace = v1, count = 3 })
print("v1 pings v2:            ", neighbour)

-- $ ip netns exec v1 ping -c 3 172.18.0.1
local up = probe.ping("172.18.0.1", { namespace = v1, count = 3 })
print("v1 pings the host's br0:", up)

-- $ ping -c 3 172.18.0.3
local down = probe.ping("172.18.0.3", { namespace = host, count = 3 })
print("the host pings v2:      ", down)

-- $ bridge link show; brctl show
for _, link in ipairs(on_host:links()) do
  local port = link.port
  if port then print(("%s is port %d of %s: %s"):format(link.name, port.number, link.master, port.state)) end
end
-- $ ip -4 addr show br0
for _, a in ipairs(on_host:addresses { link = "br0", family = "inet" }) do
  print(("%s has the address %s, and %s for all"):format(a.link, a.address, a.broadcast))
end

print(luabox.map { namespaces = { host = host, v1 = v1, v2 = v2 } })
os.exit(neighbour.ok and up.ok and down.ok, true)
