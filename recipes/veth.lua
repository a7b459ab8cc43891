--[[
   blue (ip netns)                                         green (ip netns)
     veth-blue 10.1.1.1/24 =========================== veth-green 10.1.1.2/24

   a cable whose two plugs were made on a third machine:  host
]]
local luabox = require "luabox"
local ns, net, probe = luabox.ns, luabox.sys.net, luabox.probe

local undo <close> = luabox.scope.new()
local on_host = undo:own(net.socket(undo:own(luabox.sys.namespace.create "net"))) -- plays the host

-- $ ip netns add blue; ip netns add green
for _, name in ipairs { "blue", "green" } do
  local token = luabox.keeper.get():pin("/run/netns/" .. name) -- told first: it goes after SIGKILL, too
  undo:own(ns.create(name))
  undo:add(function() ns.delete(name); token:forget() end)
end

-- $ ip netns list
print("Named network namespaces, for ip netns as well: " .. table.concat(ns.names(), ", "))

local function names(socket)
  local list = {}
  for _, link in ipairs(socket:links()) do list[#list + 1] = link.name end
  return table.concat(list, ", ")
end

-- $ ip link add veth-blue type veth peer name veth-green
on_host:link_add { kind = "veth", name = "veth-blue", peer = { name = "veth-green" } }
print("Links of the host, with the pair: " .. names(on_host))

local blue, green = undo:own(ns.open "blue"), undo:own(ns.open "green")
local on_blue, on_green = undo:own(net.socket(blue)), undo:own(net.socket(green))

-- $ ip link set veth-blue netns blue
on_host:link_set { name = "veth-blue", netns = blue }
print("Links of the host, one end moved: " .. names(on_host))

-- $ ip link set veth-green netns green
on_host:link_set { name = "veth-green", netns = green }
print(("Links of the host, both moved: %s; of blue: %s; of green: %s"):format(names(on_host), names(on_blue),
  names(on_green)))

-- $ ip -n blue addr add 10.1.1.1/24 dev veth-blue; ip -n blue link set veth-blue up
on_blue:address_add { link = "veth-blue", address = "10.1.1.1/24" }
on_blue:link_set { name = "veth-blue", up = true }

-- $ ip -n green addr add 10.1.1.2/24 dev veth-green; ip -n green link set veth-green up
on_green:address_add { link = "veth-green", address = "10.1.1.2/24" }
on_green:link_set { name = "veth-green", up = true }

-- $ ip netns exec blue ping -c 1 10.1.1.2
print("blue pings " .. tostring(probe.ping("10.1.1.2", { namespace = blue })))
print("green pings " .. tostring(probe.ping("10.1.1.1", { namespace = "green" })))

-- $ ip -n blue -d link show veth-blue
local peer = on_blue:link("veth-blue").peer -- its index, and a number of its namespace
local theirs = peer.nsid == on_blue:nsid(green) and on_green:link(peer.index)
print(("The other end of blue's veth-blue is green's %s."):format(theirs.name))
