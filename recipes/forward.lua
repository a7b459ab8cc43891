--[[
      lan 172.18.0.0/24    +------- host -------+    world 10.9.0.0/24
   v1 .2 ------------------| lan0 .1    wan0 .1 |---------------- outside .2
                           |   FORWARD drops    |
                           +--------------------+
   the rules let v1's packets out, and back in only what answers them
]]
local luabox = require "luabox"

-- A container with a link in both networks plays the host.
local lan <close> = luabox.network { name = "lan", subnet = "172.18.0.0/24" }
local world <close> = luabox.network { name = "world", subnet = "10.9.0.0/24" }
-- $ sysctl -w net.ipv4.ip_forward=1
local host <close> = luabox.container { name = "host", sysctls = { ["net.ipv4.ip_forward"] = 1 }, networks = {
  { network = lan, interface = "lan0", address = "172.18.0.1" },
  { network = world, interface = "wan0", address = "10.9.0.1" },
} }
-- $ ip -n v1 route add default via 172.18.0.1
local v1 <close> = luabox.container { name = "v1", network = lan, address = "172.18.0.2",
  routes = { { to = "0.0.0.0/0", via = "172.18.0.1" } } }

local outside <close> = luabox.container { name = "outside", network = world, address = "10.9.0.2",
  routes = { { to = "0.0.0.0/0", via = "10.9.0.1" } } }
for _, box in ipairs { host, v1, outside } do box:start() end

local function ping(what, from, address, timeout)
  local answer = luabox.probe.ping(address, { namespace = from, timeout = timeout })
  print(("%-46s %s"):format(what, answer))
  return answer.ok
end

local rules <close> = luabox.nat.new { namespace = host }
-- $ iptables -P FORWARD DROP
rules:iptables "iptables -P FORWARD DROP"

local before = ping("The host's FORWARD drops; v1 pings outside:", v1, "10.9.0.2", 0.5)

-- $ iptables -A FORWARD -i lan0 ! -o lan0 -j ACCEPT
rules:accept { iifname = "lan0", oifname = { "!=", "lan0" } }

-- $ iptables -A FORWARD -o lan0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
rules:iptables "iptables -A FORWARD -o lan0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"

local after = ping("With two rules more:", v1, "10.9.0.2")
local back = ping("What nobody in the lan asked for stays out:", outside, "172.18.0.2", 0.5)
-- $ iptables -L FORWARD -n -v --line-numbers
print(rules:iptables "iptables -L FORWARD -n -v --line-numbers")

assert(not before and after and not back)
