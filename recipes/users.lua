--[[
     the host's users      0 … 99999   100000 … 165535   200000 … 200999   300000 … 300099
                                          |                 |                 |
     in "one"                             0 … 65535         |                 |
     in "two"                                               0 … 999           1000 … 1099
     root of each is nobody on the host, and nobody in the other
]]
local luabox = require "luabox"

-- $ unshare --user --fork sh -c 'sleep 60' &
-- $ newuidmap PID 0 100000 65536; newgidmap PID 0 100000 65536
local map = { { inside = 0, outside = 100000, count = 65536 } }
local one <close> = luabox.container { name = "one", uid_map = map, gid_map = map }

-- $ newuidmap PID 0 200000 1000 1000 300000 100
local ranges = { { inside = 0, outside = 200000, count = 1000 }, { inside = 1000, outside = 300000, count = 100 } }
local two <close> = luabox.container { name = "two", uid_map = ranges, gid_map = ranges }

local function report(box, uid)
  -- $ nsenter --target PID --user --mount --pid sh -c 'touch /tmp/file; id -u'
  local path = "/tmp/of-" .. uid
  local id = box:check({ "sh", "-c", "touch " .. path .. "; id -u" }, { user = { uid = uid, gid = uid } }).stdout
  -- $ ls -ln /proc/PID/root/tmp/file
  local owner = luabox.sys.file.stat(("/proc/%d/root%s"):format(box:pid(), path)).uid
  print(("In %s (process %d) user %d makes %s; here it belongs to %d."):format(box.name, box:pid(), id, path, owner))
end

one:start()
two:start()
report(one, 0)
report(one, 1000)
report(two, 0)
report(two, 1000)

-- $ nsenter --target PID --user --mount --pid chown 5000 /tmp/file
local refused = two:run { "chown", "5000", "/tmp/of-0" }
print(("And a user that is not in its map, two does not have: %s"):format(refused.stderr:match "[^\n]*"))
assert(refused.code ~= 0)
