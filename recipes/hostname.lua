--[[
     this machine, its name
         |
         |  clone with CLONE_NEWUTS
         v
     process "box", sethostname "box" ------ child without the flag: shares box's namespace,
     seen in here only                       so its sethostname "changed" is box's new name
]]
local luabox = require "luabox"
local process, system = luabox.sys.process, luabox.sys.system

-- $ hostname
local before = system.hostname()
print(("The machine's name is '%s'."):format(before))

-- $ unshare --uts sh -c 'hostname box; sleep 60' &
local box <close> = process.spawn {
  namespaces = "uts", steps = { { "hostname", name = "box" } }, program = { "sleep", "60" },
}

local function name_in_box()
  -- $ nsenter --target PID --uts hostname
  return luabox.ns.call(box:pid(), { types = "uts" }, system.hostname)
end
print(("Process %d has a UTS namespace of its own, and in it the name '%s'."):format(box:pid(), name_in_box()))
print(("The machine's is still '%s'."):format(system.hostname()))
assert(system.hostname() == before)

print "Now box plays the host: a child of it without the flag calls itself 'changed'."
-- $ nsenter --target PID --uts sh -c 'hostname changed; sleep 60' &
local child <close> = process.spawn {
  join = { { pidfd = box, types = "uts" } }, steps = { { "hostname", name = "changed" } }, program = { "sleep", "60" },
}
print(("It shares the namespace, so that process %d is now called '%s', too."):format(box:pid(), name_in_box()))
assert(name_in_box() == "changed" and child:alive())
