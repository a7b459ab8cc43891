-- A root of bash and ten tools, TIMES over: prints the milliseconds of each. With "list": the files that it has.
local luabox = require "luabox"
local clock = luabox.sys.system.clock

local PROGRAMS = { "/bin/bash", "cat", "cp", "grep", "id", "ip", "ls", "mount", "ps", "sed", "tar" }

if arg[1] == "list" then
  for _, entry in ipairs(require("luabox.program_files").find(PROGRAMS, {})) do
    if entry.type == "file" then print(entry.path) end
  end
  return
end
for _ = 1, tonumber(arg[1]) do
  local begin = clock()
  luabox.rootfs.from_programs(PROGRAMS):close()
  print(("%.2f"):format((clock() - begin) * 1e3))
end
