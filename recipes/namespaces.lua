--[[
     this process ------------+
     its seven or eight       |  unshare --uts --net
     namespaces               v
         |                  process "apart": uts and net of its own,
         v                  all others inherited
     process "child": all inherited
]]
local luabox = require "luabox"
local ns, process = luabox.ns, luabox.sys.process

-- $ ls -l /proc/$$/ns
local own = ns.of()
print(("The namespaces of this process, %d, by type and id:"):format(process.id()))
for _, type in ipairs { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" } do
  print(("  %-6s  %s"):format(type, own[type] or "none: the kernel does not have these"))
end

-- $ sleep 60 &
local child <close> = process.spawn { program = { "sleep", "60" } }

-- $ unshare --uts --net sleep 60 &
local apart <close> = process.spawn { program = { "sleep", "60" }, namespaces = "uts,net" }

-- The types of which a process has another namespace than this one.
local function differing(pid)
  local types = {}
  for type, id in pairs(ns.of(pid)) do
    if id ~= own[type] then types[#types + 1] = type end
  end
  table.sort(types)
  return #types == 0 and "none" or table.concat(types, " and ")
end

print(("A child, process %d, inherits them; of its own it has: %s."):format(child:pid(), differing(child:pid())))
print(("A child made apart, process %d, has of its own: %s."):format(apart:pid(), differing(apart:pid())))

print "Who shares one, as lsns shows it (processes in it, the first, its command):"
-- $ lsns --task PID
for _, n in ipairs(ns.list { pid = apart:pid() }) do
  print(("  %-10d  %-6s  %4d  %7d  %s"):format(n.id, n.type, n.processes, n.pid, n.command:sub(1, 40)))
end

-- $ lsns NS
local members = ns.processes(ns.of(apart:pid()).uts)
print(("In the uts namespace of process %d there is: %s, and nobody else."):format(members[1].pid, members[1].command))
assert(#members == 1)
