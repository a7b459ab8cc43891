-- What floor_container.c does, with luabox.sys.process: the same namespaces, root, proc and program, and no more. With
-- a count: so many one after the other, and prints how many a second.
local luabox = require "luabox"
local process, system = luabox.sys.process, luabox.sys.system

local root, program, count = arg[1], arg[2], tonumber(arg[3])

local function run()
  local child <close> = process.spawn {
    program = { program }, namespaces = "mnt,pid,net,uts,ipc,cgroup",
    steps = {
      { "propagation", path = "/", flags = "private,rec" },
      { "root", path = root },
      { "mount", type = "proc", source = "proc", target = "/proc", flags = "nosuid,nodev,noexec" },
      { "detach_root" },
    },
  }
  assert(child:wait().code == 0, "the program failed")
end

if not count then return run() end
local begin = system.clock()
for _ = 1, count do run() end
print(("%.1f"):format(count / (system.clock() - begin)))
