-- `luabox map` of a LAN of N nodes: prints the milliseconds from start to exit of each of a few runs.
local luabox = require "luabox"
local clock, process = luabox.sys.system.clock, luabox.sys.process

local RUNS = 3
local program = os.getenv "LUABOX_BUILD" .. "/luabox"

require "nodes"(tonumber(arg[1]), function()
  for _ = 1, RUNS do
    local begin = clock()
    local map <close> = process.spawn { program = { program, "map" }, stdout = "null" }
    assert(map:wait().code == 0)
    print(("%.2f"):format((clock() - begin) * 1e3))
  end
end)
