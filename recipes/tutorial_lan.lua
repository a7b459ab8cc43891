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
local namespace, net, nft, process = luabox.sys.namespace, luabox.sys.net, luabox.sys.nft, luabox.sys.process

-- $ ip netns add host; ip netns add v1; ip netns add v2; ip netns add outside
local host <close> = namespace.create "net"
local v1 <close> = namespace.create "net"
local v2 <close> = namespace.create "net"
local outside <close> = namespace.create "net"
local on_host <close> = net.socket(host)

-- $ ip link add br0 type bridge; ip link set br0 up
-- $ ip addr add 172.18.0.1/24 dev br0
on_host:link_add { kind = "bridge", name = "br0", up = true }
on_host:address_add { link = "br0", address = "172.18.0.1/24" }

local function plug(ns, link, master, address, gateway)
  -- $ ip link add veth1 type veth peer name ceth1
  -- $ ip link set ceth1 netns v1
  -- $ ip link set veth1 master br0 up
  on_host:link_add { kind = "veth", name = link, peer = { name = "c" .. link } }
  on_host:link_set { name = "c" .. link, netns = ns }
  on_host:link_set { name = link, master = master, up = true }
  -- $ ip netns exec v1 sh
  -- $ ip link set ceth1 name eth0; ip link set eth0 up
  -- $ ip addr add 172.18.0.2/24 dev eth0
  -- $ ip route add default via 172.18.0.1
  local inside <close> = net.socket(ns)
  inside:link_set { name = "c" .. link, rename = "eth0" }
  inside:link_set { name = "eth0", up = true }
  inside:address_add { link = "eth0", address = address }
  if gateway then inside:route_add { destination = "0.0.0.0/0", gateway = gateway } end
end
plug(v1, "veth1", "br0", "172.18.0.2/24", "172.18.0.1")
plug(v2, "veth2", "br0", "172.18.0.3/24", "172.18.0.1")
plug(outside, "wan0", nil, "10.9.0.2/24")
on_host:address_add { link = "wan0", address = "10.9.0.1/24" }

-- $ sysctl -w net.ipv4.ip_forward=1
luabox.sys.system.set_sysctl("net.ipv4.ip_forward", 1, host)

-- $ iptables -t nat -A POSTROUTING -s 172.18.0.0/24 ! -o br0 -j MASQUERADE
-- $ iptables -t nat -A PREROUTING -p tcp --dport 3033 -j DNAT --to 172.18.0.2:3000
local rules <close> = nft.socket(host)
local function nat(verb, object, o)
  o[1], o[2], o.family, o.table = verb, object, "ip", "nat"
  return o
end
rules:apply {
  { "add", "table", family = "ip", name = "nat" },
  nat("add", "chain", { name = "POSTROUTING", type = "nat", hook = "postrouting", priority = "srcnat" }),
  nat("add", "chain", { name = "PREROUTING", type = "nat", hook = "prerouting", priority = "dstnat" }),
  nat("add", "rule", { chain = "POSTROUTING", saddr = "172.18.0.0/24", oifname = { "!=", "br0" }, masquerade = true }),
  nat("add", "rule", { chain = "PREROUTING", protocol = "tcp", dport = 3033, dnat = { to = "172.18.0.2:3000" } }),
}

-- A program of the embedded root in one of these namespaces.
local steps = { { "propagation", path = "/", flags = "private,rec" }, { "root" }, { "detach_root" } }
local function spawn(ns, program)
  return process.spawn { join = { ns }, namespaces = "mnt,pid", program = program, stdin = "null", stdout = "pipe",
    steps = steps }
end
local function probe(what, ns, program)
  local p <close> = spawn(ns, program)
  local stdout = process.communicate(p, { timeout = 10 })
  local ok = p:wait().code == 0
  print(("%s %-44s %s"):format(ok and "ok  " or "FAIL", what, (stdout:match("([^\n]*)%s*$"))))
  return ok and 1 or 0
end
local server <close> = spawn(v1, { "sh", "-c", "echo up; while :; do echo 'hello from v1' | nc -l -p 3000; done" })
server:stdout():read(3)
local passed = probe("v1 pings v2", v1, { "ping", "-c", "1", "172.18.0.3" })
  & probe("v2 pings the host's bridge", v2, { "ping", "-c", "1", "172.18.0.1" })
  & probe("v1 pings outside, which knows no way back", v1, { "ping", "-c", "1", "10.9.0.2" })
  & probe("outside reaches v1 through the host's 3033", outside,
    { "sh", "-c", "for i in 1 2 3 4 5; do nc -w 5 10.9.0.1 3033 && exit; sleep 0.2; done; exit 1" })
os.exit(passed == 1, true)
