--[[
          lan 172.8.0.0/24      +-------- host --------+      world 10.9.0.0/24
   v1 .8 ------+                |                      |
               +----------------| lan0 .1     wan0 .1  |--------------- outside .2
   v2 .9 ------+                | 3033 -> v1's 3000    |
                                +----------------------+
]]
local luabox = require "luabox"
local probe = luabox.probe

-- A container with a link in both networks plays the host.
local lan <close> = luabox.network { name = "lan", subnet = "172.8.0.0/24" }
local world <close> = luabox.network { name = "world", subnet = "10.9.0.0/24" }
local host <close> = luabox.container { name = "host", networks = {
  { network = lan, interface = "lan0", address = "172.8.0.1" },
  { network = world, interface = "wan0", address = "10.9.0.1" },
} }
local by_host = { { to = "0.0.0.0/0", via = "172.8.0.1" } }
local v1 <close> = luabox.container { name = "v1", network = lan, address = "172.8.0.8", routes = by_host,
  command = { "httpd", "-f", "-p", "3000" } }
local v2 <close> = luabox.container { name = "v2", network = lan, address = "172.8.0.9", routes = by_host }
local outside <close> = luabox.container { name = "outside", network = world, address = "10.9.0.2" }
for _, box in ipairs { host, v1, v2, outside } do box:start() end
assert(probe.tcp(v1, 3000, { namespace = host, retries = 50 }).ok)

local rules <close> = luabox.nat.new { namespace = host }
-- $ iptables -P FORWARD DROP
rules:iptables "iptables -P FORWARD DROP"

-- $ iptables -t nat -A PREROUTING -p tcp --dport 3033 -j DNAT --to 172.8.0.8:3000
-- $ iptables -A FORWARD -p tcp -d 172.8.0.8 --dport 3000 -j ACCEPT
local published = rules:publish { ports = { "3033:3000" }, to = "172.8.0.8" }

print("What that takes, so that it is reached from everywhere:\n" .. tostring(published))

local function ask(what, address, from)
  local answer = probe.tcp(address, 3033, { namespace = from })
  print(("%-46s %s"):format(what, answer))
  return answer.ok
end
local all = ask("From another machine:", "10.9.0.1", outside)
  and ask("From the host by its own address:", "10.9.0.1", host)
  and ask("From the host by 127.0.0.1:", "127.0.0.1", host)
  and ask("From a neighbour by the host's address:", "10.9.0.1", v2)
rules:delete(published)
assert(all and not ask("And when it is deleted:", "10.9.0.1", outside))
