--[[
     the host's links              a network namespace of its own
     lo  eth0  docker0  …          lo, down          nothing else, no way out

     and a process apart in all but the file system: pid, mnt, uts, ipc (unshare -fpmui)
]]
local luabox = require "luabox"
local ns, net, process = luabox.ns, luabox.sys.net, luabox.sys.process

local function links()
  local words = {}
  for _, link in ipairs(net.links()) do words[#words + 1] = link.name .. (link.up and " up" or " down") end
  return table.concat(words, ", ")
end

-- $ unshare --fork --net sleep 60 &
local apart <close> = process.spawn { namespaces = "net", program = { "sleep", "60" } }

-- $ nsenter --target PID --net ip addr
local inside, addresses = ns.call(apart:pid(), { types = "net" }, function() return links(), #net.addresses() end)
print(("Process %d has a network of its own: %s; addresses: %d."):format(apart:pid(), inside, addresses))
assert(inside == "lo down" and addresses == 0)

-- $ nsenter --target PID --net ip link set lo up
ns.call(apart:pid(), { types = "net" }, net.link_set, { name = "lo", up = true })
print(("Its loopback can be set up (%s); there is still nobody to talk to."):format(
  ns.call(apart:pid(), { types = "net" }, links)))

-- $ unshare --fork --pid --mount --uts --ipc sleep 60 &
local more <close> = process.spawn { namespaces = "pid,mnt,uts,ipc", program = { "sleep", "60" } }
local shared, own = {}, {}
-- $ lsns --task PID
for type, id in pairs(ns.of(more:pid())) do
  local list = id == ns.of()[type] and shared or own
  list[#list + 1] = type
end
table.sort(shared)
table.sort(own)
print(("Process %d has of its own: %s; it shares: %s."):format(
  more:pid(), table.concat(own, " "), table.concat(shared, " ")))
