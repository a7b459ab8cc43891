--[[
     "the host", an ipc namespace      process apart, clone with CLONE_NEWIPC
     +-----------------------+         +----------------+
     | message queue 0       |         | no queue       |      sysvipc(7): queues, shared memory and
     +-----------------------+         +----------------+      semaphores are the namespace's, not a process's
]]
local luabox = require "luabox"
local ns, process, ipc = luabox.ns, luabox.sys.process, luabox.sys.ipc

-- A process in an ipc namespace plays the host; what is made there goes with it.
local host <close> = process.spawn { namespaces = "ipc", program = { "sleep", "60" } }
local function on_host(f, ...) return ns.call(host:pid(), { types = "ipc" }, f, ...) end

-- $ ipcmk -Q
local id = on_host(ipc.create, "queue")

-- $ ipcs -q
local queues = on_host(ipc.list, "queue")
print(("On the host (process %d) there is message queue %d."):format(host:pid(), queues[1].id))
assert(#queues == 1 and queues[1].id == id)

-- $ unshare --ipc sleep 60 &
local apart <close> = process.spawn { namespaces = "ipc", program = { "sleep", "60" } }

-- $ nsenter --target PID --ipc ipcs -q
local inside = ns.call(apart:pid(), { types = "ipc" }, ipc.list, "queue")
print(("Process %d has an ipc namespace of its own, and sees %d queues."):format(apart:pid(), #inside))
assert(#inside == 0)

-- $ sh -c 'ipcs -q' &
local child <close> = process.spawn { join = { { pidfd = host, types = "ipc" } }, program = { "sleep", "60" } }
local shared = ns.call(child:pid(), { types = "ipc" }, ipc.list, "queue")
print(("Process %d, without the flag, is in the host's namespace and sees %d."):format(child:pid(), #shared))
assert(#shared == 1)

-- $ ipcrm -q ID
on_host(ipc.remove, "queue", id)
print(("Then it is removed, and there are %d."):format(#on_host(ipc.list, "queue")))
