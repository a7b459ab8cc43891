--[[
     level 1                level 2           level 3
     +-------------------+----------------+-----------+
     | luabox            |                |           |
     |  +-- 4711 ------- | - 1            |           |
     |  +-- 4712 ------- | - 2 ---------- | - 1       |
     +-------------------+----------------+-----------+
     one process, one number a level; each level sees itself and what is below, nothing above
]]
local luabox = require "luabox"
local ns, process, signal = luabox.ns, luabox.sys.process, luabox.sys.signal

-- $ unshare --pid --fork unshare --pid --fork sleep 60 &
local outer <close> = process.spawn { namespaces = "pid", stdin = "pipe", stdout = "pipe", body = function()
  local _ <close> = process.spawn { namespaces = "pid", program = { "sleep", "60" } }
  io.stdout:write "started\n"
  io.stdout:flush()
  io.stdin:read "a" -- until luabox ends it
end }
outer:stdout():read(#"started\n")

-- $ lsns --type pid
local level2, inner = ns.of(outer:pid()).pid, nil
for _, n in ipairs(ns.list { types = "pid" }) do
  print(("  pid namespace %d, below %s; processes: %d; the first: %d, %s"):format(n.id, n.parent or "none that is seen",
    n.processes, n.pid, n.command:sub(1, 30)))
  if n.parent == level2 then inner = n.pid end
end

-- $ grep NSpid /proc/INNER/status
local pids = ns.pids(inner)
print(("The innermost process has three numbers: %d here, %d at level 2, below process %d, and %d in its own."):format(
  pids[1], pids[2], outer:pid(), pids[3]))

local above <close> = process.spawn { program = { "sleep", "60" } }
local function terminate(pid)
  local target <close> = process.pidfd(pid)
  return signal.kill(target, "KILL") -- a process 1 ignores others that it has no handler for
end

-- $ nsenter --target OUTER --pid kill -KILL ABOVE
local _, refused = luabox.try(ns.call, outer:pid(), { types = "pid" }, terminate, above:pid())
print(("Level 2 knows nothing above it. SIGKILL for process %d, which is here, by its number:"):format(above:pid()))
print(("  %s"):format(refused))
assert(above:alive())

-- $ nsenter --target OUTER --pid kill -KILL 2
ns.call(outer:pid(), { types = "pid" }, terminate, pids[2])
print(("What is below it may be ended: process %d there, which was process 1 of level 3."):format(pids[2]))
