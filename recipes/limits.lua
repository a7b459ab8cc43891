--[[
     the cgroup "luabox-…" of box
       cpu.max      0.2   ---- a busy loop gets a fifth of a CPU     (v1: cpu.cfs_quota_us=20000)
       memory.max   64 MB ---- who takes more is killed              (v1: memory.limit_in_bytes)
       pids.max     20    ---- a fork bomb ends at 20 processes
]]
local luabox = require "luabox"
local system = luabox.sys.system

-- $ mkdir /sys/fs/cgroup/{cpu,memory,pids}/box
-- $ echo 20000 > /sys/fs/cgroup/cpu/box/cpu.cfs_quota_us
-- $ echo 67108864 > /sys/fs/cgroup/memory/box/memory.limit_in_bytes
-- $ echo 20 > /sys/fs/cgroup/pids/box/pids.max
local box <close> = luabox.container { name = "box", cpus = 0.2, memory = "64M", pids = 20 }
box:start()

-- $ timeout 1 sh -c 'while :; do :; done' & echo $! > /sys/fs/cgroup/cpu/box/tasks; wait
-- $ cat /sys/fs/cgroup/cpu/box/cpuacct.usage
local from, before = system.clock(), box:stat()["cpu.usage_usec"]
box:run { "timeout", "1", "sh", "-c", "while :; do :; done" }
local used, seconds = (box:stat()["cpu.usage_usec"] - before) / 1e6, system.clock() - from

print(("A busy loop in box (process %d) has had %.2f seconds of a CPU in %.2f seconds: %.0f %%."):format(
  box:pid(), used, seconds, 100 * used / seconds))

-- $ tail /dev/zero & echo $! > /sys/fs/cgroup/memory/box/tasks; wait; dmesg | grep oom
local hog = box:run { "tail", "/dev/zero" }
print(("A program that takes ever more memory was %s."):format(hog.reason))
assert(hog.killed_by.limit == "memory.max")

-- $ (echo $BASHPID > /sys/fs/cgroup/pids/box/tasks; while :; do sleep 60 & done)
local bomb = box:run { "sh", "-c", "while :; do sleep 60 >/dev/null 2>&1 & done" }
print(("A program that forks without end was %s."):format(bomb.reason))

-- $ cat /sys/fs/cgroup/pids/box/pids.current
print(("It has left %d processes in box, where there may be 20."):format(box:stat()["pids.current"]))
assert(bomb.killed_by.limit == "pids.max" and box:stat()["pids.current"] <= 20)

-- $ kill -KILL $(cat /sys/fs/cgroup/*/box/tasks); rmdir /sys/fs/cgroup/*/box
box:delete()
print "And with box they are gone."
