--[[
   left                                    right
     eth0 10.1.1.1/24 ================== eth0 10.1.1.2/24
                                          |
                                          +--- icmp ---> a file for tcpdump and Wireshark

   luabox recipes/capture.lua [FILE]       without FILE it is a temporary one
]]
local luabox = require "luabox"
local file, namespace, net = luabox.sys.file, luabox.sys.namespace, luabox.sys.net
local pcap, probe = luabox.pcap, luabox.probe

local undo <close> = luabox.scope.new()
local path = ...
if not path then
  local directory = os.tmpname()
  os.remove(directory)
  file.mkdir(directory, { mode = "700" })
  undo:add(function() file.rmdir(directory) end)
  path = directory .. "/ping.pcap"
  undo:add(function() os.remove(path) end)
end

local left, right = undo:own(namespace.create "net"), undo:own(namespace.create "net")
local on_left, on_right = undo:own(net.socket(left)), undo:own(net.socket(right))
on_left:link_add { kind = "veth", name = "eth0", up = true, peer = { name = "eth0", netns = right } }
on_right:link_set { name = "eth0", up = true }
on_left:address_add { link = "eth0", address = "10.1.1.1/24" }
on_right:address_add { link = "eth0", address = "10.1.1.2/24" }

-- $ ip netns exec right tcpdump -i eth0 -w ping.pcap icmp &
local capture <close> = pcap.capture { link = "eth0", namespace = right, filter = "icmp", to = path }

-- $ ip netns exec left ping -c 2 10.1.1.2
print("left pings " .. tostring(probe.ping("10.1.1.2", { namespace = left, count = 2 })))

-- $ kill %1
capture:stop()
print(("%d packets are in %s, %d were lost."):format(capture:stats().taken, path, capture:stats().dropped))

-- $ tcpdump -nr ping.pcap
for packet in pcap.read(path):packets() do print(packet) end

-- $ tcpdump -nr ping.pcap 'icmp[icmptype] == icmp-echoreply'
for reply in pcap.read(path, { filter = "icmp[icmptype] == icmp-echoreply" }):packets() do
  print(("A reply from %s to request %d of ping %d, with a ttl of %d, came back to %s."):format(
    reply.ip.saddr, reply.icmp.sequence, reply.icmp.id, reply.ip.ttl, reply.ether.daddr))
end
