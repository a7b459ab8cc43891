--[[
     the machine             a time namespace            a cgroup namespace
     up for 6 hours          monotonic + 1 day           /sys/fs/cgroup/…/luabox-box
                             boottime  + 7 days          is its "/"
]]
local luabox = require "luabox"
local process, system, file = luabox.sys.process, luabox.sys.system, luabox.sys.file
local DAY = 24 * 60 * 60

-- $ uptime
print(("The machine is up for %.2f days."):format(system.uptime() / DAY))

-- $ unshare --time --monotonic 86400 --boottime 604800 --fork sleep 60 &
local later <close> = process.spawn {
  namespaces = "time", time_offsets = { monotonic = DAY, boottime = 7 * DAY }, program = { "sleep", "60" },
}
-- $ nsenter --target PID --time uptime
local function look() return system.uptime() / DAY, system.clock() / DAY end
local uptime, clock = luabox.ns.call(later:pid(), { types = "time" }, look)
print(("For process %d, in a time namespace, it is up for %.2f days, seven more;"):format(later:pid(), uptime))
print(("its monotonic clock is %.2f days ahead of ours."):format(clock - system.clock() / DAY))

-- $ mkdir /sys/fs/cgroup/pids/box; echo $$ > /sys/fs/cgroup/pids/box/tasks; unshare --cgroup sleep 60 &
local box <close> = luabox.container { name = "box", pids = 10 }
box:start()

-- What /proc says of the hierarchy of the limit, and of version 2's.
local function group(path)
  local text = file.read(path)
  return text:match "[%d]+:pids:([^\n]+)" or text:match "0::([^\n]+)"
end
-- $ cat /proc/PID/cgroup
local outside = group(("/proc/%d/cgroup"):format(box:pid()))
-- $ nsenter --target PID --cgroup --mount cat /proc/self/cgroup
local inside = box:call(group, "/proc/self/cgroup")
print(("The cgroup of box (process %d) is %s here, and in its own cgroup namespace %s"):format(
  box:pid(), outside, inside))
assert(inside == "/" and outside ~= "/")
