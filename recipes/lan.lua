--[[
    outside                       "another machine": knows no way to the lan
        |
    the host                      NAT; a port of the host is web's 80
        |
    ====+=============+===========+=========  lan, a switch of its own
        |             |           |
       web           app        client
   64 MiB, port 80
]]
local luabox = require "luabox"

-- A site that answers with the address that it sees.
local site = { ["/www/cgi-bin/peer"] = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\necho $REMOTE_ADDR\n" }
local httpd = { "httpd", "-f", "-p", "0.0.0.0:80", "-h", "/www" }

local world <close> = luabox.network { name = "world", gateway = true }
local lan <close> = luabox.network { name = "lan", nat = true }

local outside <close> = luabox.container { name = "outside", command = httpd, files = site,
  networks = { { network = world, default_route = false } } }
local web <close> = luabox.container { name = "web", command = httpd, files = site, network = lan,
  ports = { "0:80" }, memory = "64M", cpus = 0.5, pids = 50 }
local app <close> = luabox.container { name = "app", network = lan }
local client <close> = luabox.container { name = "client", network = lan }
local host <close> = luabox.container { name = "host", network = "host" }

for _, box in ipairs { outside, web, app, client, host } do box:start() end

local function peer(url) return { "wget", "-qO-", "http://" .. url .. "/cgi-bin/peer" } end

local passed = true
local function report(ok, box, what, seen)
  passed = passed and ok
  print(("  %-4s %-8s %-48s %s"):format(ok and "ok" or "FAIL", box.name, what, seen))
end
local function probe(box, command, expected, what)
  local result = box:run(command, { timeout = 10 })
  local seen = (result.stderr .. result.stdout):gsub("%s+$", ""):match("[^\n]*$")
  report(result.code == 0 and (not expected or seen == expected), box, what, seen)
end

print "What each one saw:"
local here, port = world.gateway, ":" .. web:host_port(80)
probe(client, { "ping", "-c", "1", "-W", "5", "web" }, nil, "pings web by its name")
probe(client, peer "web", client.address, "asks web who is calling")
probe(client, peer(outside.address), here, "asks outside: NAT shows the host's address")
probe(outside, peer(here .. port), outside.address, "reaches web through the host's port")
probe(host, peer(lan.gateway .. port), lan.gateway, "reaches it by its own address")
probe(host, peer("127.0.0.1" .. port), lan.gateway, "and by 127.0.0.1")
probe(app, peer(here .. port), lan.gateway, "a neighbour comes in by the host's address too")

local hog = web:run { "tail", "/dev/zero" }
report(hog.reason ~= nil, web, "fills its memory", hog.reason or "was not killed")
print "How they are connected:"
print(luabox.map { namespaces = { world, lan } })
os.exit(passed, true)
