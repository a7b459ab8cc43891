--- Calls a function while there is the LAN that several benchmarks have: a luabox.network in a switch namespace, with
-- N nodes on it.
return function(count, f)
  local luabox = require "luabox"
  local lan <close> = luabox.network { name = "lan", subnet = "10.64.0.0/16", gateway = true }
  local nodes = {}
  for i = 1, count do
    nodes[i] = luabox.sys.namespace.create "net"
    lan:endpoint({ name = "node" .. i }):connect(nodes[i])
  end
  f()
  for _, node in ipairs(nodes) do node:close() end
end
