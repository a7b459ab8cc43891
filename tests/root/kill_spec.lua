-- The whole run is killed from outside, at any moment: nothing of it may be there two seconds later.
-- time limit: 900
local leaks = require "leaks"
local luabox = require "luabox"
local process, system = luabox.sys.process, luabox.sys.system

local INTERPRETER = os.getenv "LUABOX_INTERPRETER" or "build/luabox"
-- Stock lua5.4 has no handler for SIGTERM: there the keeper is all that there is.
local RUNS = tonumber(os.getenv "LUABOX_KILLS") or os.getenv "LUABOX_SOAK" == "1" and 2000
  or os.getenv "LUABOX_UNDER" == "lua5.4" and 40 or 200
local GRACE = 2
local SLOWNESS = 5 -- and where a whole run takes long, this many runs' time

local function start(recipe)
  return process.spawn { program = { INTERPRETER, recipe }, stdin = "null", stdout = "null", stderr = "null" }
end

-- What is left, when the kernel and the keeper had their time.
local function left(before, grace)
  local deadline = system.clock() + grace
  local lines
  repeat lines = leaks.difference(before, leaks.snapshot()) until #lines == 0 or system.clock() > deadline
  return lines
end

-- Long enough for every part of the run, and measured here: how long it takes is the machine's affair.
local function duration(recipe)
  local from = system.clock()
  local p <close> = start(recipe)
  assert.same({ code = 0 }, p:wait())
  return system.clock() - from
end

local function kill_at_random(recipe, signal, runs)
  local before = leaks.snapshot()
  local whole = duration(recipe)
  for i = 1, runs do
    local moment = math.random() * whole
    do
      local p <close> = start(recipe)
      p:wait(moment)
      p:kill(signal)
      p:wait()
    end
    local lines = left(before, math.max(GRACE, SLOWNESS * whole))
    assert(#lines == 0, ("run %d, SIG%s after %.4f s, left:\n%s"):format(i, signal, moment, table.concat(lines, "\n")))
  end
end

describe("recipes/lan.lua #root", function()
  it("leaves nothing when it is killed by SIGKILL", function() kill_at_random("recipes/lan.lua", "KILL", RUNS) end)
  it("leaves nothing when it ends by SIGTERM", function() kill_at_random("recipes/lan.lua", "TERM", RUNS // 4) end)
  it("leaves nothing when it ends by SIGINT", function() kill_at_random("recipes/lan.lua", "INT", RUNS // 4) end)
end)
