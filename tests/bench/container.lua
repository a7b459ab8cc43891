-- A container on a directory, read-only, start to exit. With a count: so many one after the other, and prints how
-- many a second.
local luabox = require "luabox"

local root, program, count = arg[1], arg[2], tonumber(arg[3])

local box <close> = luabox.container {
  name = "bench", rootfs = root, access = "ro", init = false, command = { program },
}

local function run()
  local result = box:start():wait()
  assert(result.code == 0, "the program failed")
end

if not count then return run() end
local begin = luabox.sys.system.clock()
for _ = 1, count do run() end
print(("%.1f"):format(count / (luabox.sys.system.clock() - begin)))
