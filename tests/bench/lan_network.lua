-- luabox.network's LAN of N nodes, in a switch namespace: prints "up", waits for the end of stdin, takes all down.
local luabox = require "luabox"

local lan <close> = luabox.network { name = "lan", subnet = "10.64.0.0/16", gateway = true }
local nodes = {}
for i = 1, tonumber(arg[1]) do
  nodes[i] = luabox.sys.namespace.create "net"
  lan:endpoint({ name = "node" .. i }):connect(nodes[i])
end

print "up"
io.stdout:flush()
io.read "a"
for _, node in ipairs(nodes) do node:close() end
