--[[
     this process
       |  clone with CLONE_NEWPID             process 4711 here is
       +-----------------------------> [1]    process 1 in a namespace of its own
       |
       |  unshare without a fork, then fork, fork
       +--> process ---> [1] ends, and the namespace with it
                    -x-> fork: ENOMEM
]]
local luabox = require "luabox"
local ns, process, sys = luabox.ns, luabox.sys.process, luabox.sys

-- How many processes /proc shows.
local function count()
  local n = 0
  for _, name in ipairs(sys.file.list "/proc") do n = tonumber(name) and n + 1 or n end
  return n
end

-- $ unshare --pid --fork sleep 60 &
local old <close> = process.spawn { namespaces = "pid", program = { "sleep", "60" } }
print(("Process %d here is process %d in its own namespace."):format(table.unpack(ns.pids(old:pid()))))

-- $ nsenter --target PID --pid ls /proc
local old_count = ns.call(old:pid(), { types = "pid" }, count)
print(("But /proc, where ps looks, is still the host's: %d processes are seen from it."):format(old_count))

-- $ unshare --pid --fork --mount-proc sleep 60 &
local fresh <close> = process.spawn {
  namespaces = "pid,mnt", program = { "sleep", "60" },
  steps = {
    { "propagation", path = "/", flags = "private,rec" }, -- else the host would see the mount
    { "mount", type = "proc", source = "proc", target = "/proc" },
  },
}
-- $ nsenter --target PID --pid --mount ps -e
local fresh_count = ns.call(fresh:pid(), { types = "pid,mnt" }, count)
print(("With a /proc mounted anew, in a mount namespace, there are %d: process %d and who asks."):format(
  fresh_count, fresh:pid()))
assert(fresh_count == 2 and old_count > 2)

local lost <close> = process.spawn { body = function()
  -- $ unshare --pid sh
  sys.namespace.unshare "pid"
  -- $ sh -c 'echo $$'
  local first <close> = process.spawn { body = process.id }
  local number = first:result()
  -- $ true
  local _, refused = luabox.try(process.spawn, { program = { "true" } })
  return number, tostring(refused)
end }
local first, refused = lost:result()
print(("After unshare without a fork the first child is process %d. It has ended, and no other starts:"):format(first))
print("  " .. refused:gsub("; ", ";\n  "))
