--[[
      lan 172.18.0.0/24    +------- host -------+    world 10.9.0.0/24
   v1 .2 ------------------| lan0 .1    wan0 .1 |---------------- outside .2, which
                           +---- MASQUERADE ----+                 knows nothing of 172.18
]]
local luabox = require "luabox"

-- A container with a link in both networks plays the host.
local lan <close> = luabox.network { name = "lan", subnet = "172.18.0.0/24" }
local world <close> = luabox.network { name = "world", subnet = "10.9.0.0/24" }
local host <close> = luabox.container { name = "host", networks = {
  { network = lan, interface = "lan0", address = "172.18.0.1" },
  { network = world, interface = "wan0", address = "10.9.0.1" },
} }
-- $ ip -n v1 route add default via 172.18.0.1
local v1 <close> = luabox.container { name = "v1", network = lan, address = "172.18.0.2",
  routes = { { to = "0.0.0.0/0", via = "172.18.0.1" } } }

-- A site that answers with the address that it sees.
local peer = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nprintf %s $REMOTE_ADDR\n"
local outside <close> = luabox.container { name = "outside", network = world, address = "10.9.0.2",
  files = { ["/www/cgi-bin/peer"] = peer }, command = { "httpd", "-f", "-p", "0.0.0.0:80", "-h", "/www" } }
for _, box in ipairs { host, v1, outside } do box:start() end
assert(luabox.probe.http(outside, { namespace = host, path = "/cgi-bin/peer", retries = 50 }).ok)

local function ask(what, timeout)
  local answer = luabox.probe.http("10.9.0.2", { path = "/cgi-bin/peer", namespace = v1, timeout = timeout })
  local forwarding = host:call(luabox.sys.system.sysctl, "net.ipv4.ip_forward")
  print(("%-22s ip_forward is %s; %s"):format(what, forwarding, answer))
  return answer.body
end
local without = ask("v1 asks outside:", 0.5)

local rules <close> = luabox.nat.new { namespace = host }
-- $ sysctl -w net.ipv4.ip_forward=1
-- $ iptables -t nat -A POSTROUTING -s 172.18.0.0/24 ! -o lan0 -j MASQUERADE
rules:masquerade { saddr = "172.18.0.0/24", oifname = { "!=", "lan0" } }

local seen = ask "With MASQUERADE:"
print("The address that outside has seen: " .. seen)
-- $ iptables -t nat -L POSTROUTING -n --line-numbers
print(rules:iptables "iptables -t nat -L POSTROUTING -n --line-numbers")

-- $ iptables -t nat -D POSTROUTING 1
rules:iptables "iptables -t nat -D POSTROUTING 1"

assert(seen == "10.9.0.1" and not without and not ask("With the rule deleted:", 0.5))
rules:close() -- and ip_forward is as before
ask("The rules are closed:", 0.5)
