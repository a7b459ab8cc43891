-- luabox.sys.net's LAN of N nodes, as floor_lan.c makes it: prints "up", waits for the end of stdin, takes all down.
local luabox = require "luabox"
local namespace, net = luabox.sys.namespace, luabox.sys.net

local GROUP, BRIDGE = 7, 1000000
local count = tonumber(arg[1])

local function address(number)
  return ("10.64.%d.%d"):format(number >> 8, number & 255)
end

local function add_node(host, i)
  local node = namespace.create("net")
  host:batch()
    :link_add {
      kind = "veth", name = "node" .. i, index = BRIDGE + i, master = BRIDGE, up = true, group = GROUP,
      peer = { name = "eth0", index = 2, netns = node },
    }
    :link_set { index = BRIDGE + i, addrgenmode = "none" }
    :send()
  local socket <close> = net.socket(node)
  socket:batch()
    :link_set { index = 1, up = true }
    :link_set { index = 2, addrgenmode = "none", up = true }
    :address_add { link = 2, address = address(i + 1) .. "/16" }
    :route_add { destination = "default", gateway = "10.64.0.1" }
    :send()
  return node
end

local host <close> = net.socket()
host:link_add { kind = "bridge", name = "lan", index = BRIDGE, up = true, group = GROUP, addrgenmode = "none" }
host:address_add { link = "lan", address = "10.64.0.1/16" }
local nodes = {}
for i = 1, count do nodes[i] = add_node(host, i) end

print "up"
io.stdout:flush()
io.read "a"
host:link_delete { group = GROUP }
for _, node in ipairs(nodes) do node:close() end
