--[[
     the host                       a mount namespace of its own
     /usr ------------ bind ------> /mnt    seen in here only
     /mnt  as before
                                    a container
     /usr ------------ bind, ro --> /data   docker run -v /usr:/data:ro
]]
local luabox = require "luabox"
local file, process = luabox.sys.file, luabox.sys.process

local function entries(path)
  return #file.list(path)
end

local usr, before = entries "/usr", entries "/mnt"
print(("/usr has %d entries, /mnt has %d."):format(usr, before))

-- $ unshare --mount sh -c 'mount --make-rprivate /; mount --bind /usr /mnt; sleep 60' &
local apart <close> = process.spawn {
  namespaces = "mnt", program = { "sleep", "60" },
  steps = {
    { "propagation", path = "/", flags = "private,rec" },
    { "bind", source = "/usr", target = "/mnt" },
  },
}

-- $ nsenter --target PID --mount ls /mnt
local inside = luabox.ns.call(apart:pid(), { types = "mnt" }, entries, "/mnt")
print(("Process %d has a mount namespace with /usr bound on /mnt: %d entries there,"):format(apart:pid(), inside))
print(("and still %d here."):format(entries "/mnt"))
assert(inside == usr and entries "/mnt" == before)

-- $ nsenter --target PID --mount findmnt /mnt
for _, m in ipairs(luabox.sys.mount.list(apart:pid())) do
  if m.target == "/mnt" then print(("Its mount table has: %s on %s, type %s"):format(m.root, m.target, m.type)) end
end

-- $ docker run -v /usr:/data:ro …
local box <close> = luabox.container { name = "box", mounts = { { source = "/usr", target = "/data", flags = "ro" } } }
box:start()
local volume = box:call(entries, "/data")
local denied = box:run { "touch", "/data/new" }
print(("The container %s (process %d) has it as /data: %d entries."):format(box.name, box:pid(), volume))
print("Nothing can be written to it: " .. denied.stderr:match "[^\n]*")
assert(volume == usr and denied.code ~= 0)
