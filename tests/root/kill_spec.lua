-- The whole run is killed from outside, at any moment and at any system call: nothing of it may be there two seconds
-- later.
-- time limit: 1800
local leaks = require "leaks"
local luabox = require "luabox"
local process, system = luabox.sys.process, luabox.sys.system

local BUILD = os.getenv "LUABOX_BUILD" or "build"
local INTERPRETER = os.getenv "LUABOX_INTERPRETER" or "build/luabox"
local RECIPE = "recipes/lan.lua"
local SOAK = os.getenv "LUABOX_SOAK" == "1"
-- Stock lua5.4 has no handler for SIGTERM: there the keeper is all that there is.
local RUNS = tonumber(os.getenv "LUABOX_KILLS") or SOAK and 2000 or os.getenv "LUABOX_UNDER" == "lua5.4" and 40 or 200
local GRACE = 2
local SLOWNESS = 5 -- and where a whole run takes long, this many runs' time

local function start(program)
  return process.spawn { program = program, stdin = "null", stdout = "null", stderr = "null" }
end

local function collect()
  local gc <close> = start { BUILD .. "/luabox", "gc" }
  gc:wait()
end

local before -- the leaks.snapshot
local whole = 0 -- how long a run takes

-- What is left, when the kernel, the keeper and, if given, a helper had their time.
local function left(help)
  return leaks.left(before, math.max(GRACE, SLOWNESS * whole), help)
end

-- ---- at random moments ----

-- Long enough for every part of the run, and measured here: how long it takes is the machine's affair.
local function measure()
  local from = system.clock()
  local p <close> = start { INTERPRETER, RECIPE }
  assert.same({ code = 0 }, p:wait())
  whole = system.clock() - from
end

local function kill_at_random(signal, runs)
  measure()
  for i = 1, runs do
    local moment = math.random() * whole
    do
      local p <close> = start { INTERPRETER, RECIPE }
      p:wait(moment)
      p:kill(signal)
      p:wait()
    end
    local lines = left()
    assert(lines == "", ("run %d, SIG%s after %.4f s, left:\n%s"):format(i, signal, moment, lines))
  end
end

describe("recipes/lan.lua #root", function()
  before_each(function() before = leaks.snapshot() end)

  it("leaves nothing when it is killed by SIGKILL", function() kill_at_random("KILL", RUNS) end)
  it("leaves nothing when it ends by SIGTERM", function() kill_at_random("TERM", RUNS // 4) end)
  it("leaves nothing when it ends by SIGINT", function() kill_at_random("INT", RUNS // 4) end)
end)

-- ---- at each system call ----

local CONTAINERS = 5
local TRIES = 3

local LAN = { INTERPRETER, RECIPE }
local command = LAN

-- Runs it under tests/c/kill_at.c; gives what that said, and what the run printed.
local function run_under(rules)
  local program = { "env", "ASAN_OPTIONS=detect_leaks=0", BUILD .. "/tests/kill_at" }
  table.move(rules, 1, #rules, #program + 1, program)
  program[#program + 1] = "--"
  table.move(command, 1, #command, #program + 1, program)
  local p <close> = process.spawn { program = program, stdin = "null", stdout = "pipe", stderr = "pipe" }
  local said, printed, why = process.communicate(p, { timeout = 300 })
  if why then error(table.concat(rules, " ") .. ": not over after five minutes\n" .. said .. printed, 0) end
  p:wait()
  return said, printed
end

-- How many system calls each part of the run makes: by its name, and under further rules.
local function count_calls(rules)
  local counts = {}
  for name, count in run_under(rules):gmatch "calls (%w+) (%d+)" do counts[name] = tonumber(count) end
  assert.equal("", left())
  return counts
end

local recorded

local function calls(part)
  if not recorded then
    local rules = { "run", "keeper", "guard" }
    for i = 1, CONTAINERS do rules[#rules + 1] = "init" .. i end
    recorded = count_calls(rules)
  end
  return assert(recorded[part], part)
end

-- A run that was not killed itself has noticed, or it did not matter any more.
local function check_end(said, printed)
  local how = said:match "ended (%w+)"
  if said:find("killed[%w ]* run ") then return how == "KILL" or "the run ended with " .. how end
  if how == "0" then return true end
  local clear = printed:find("FAIL ", 1, true) or printed:find("container '", 1, true)
    or printed:find("tell keeper", 1, true) or printed:find("start keeper", 1, true)
  if how == "1" and clear and not printed:find("attempt to", 1, true) then return true end
  return ("the run ended with %s:\n%s"):format(how, printed)
end

-- Kills by a rule; nil if the moment did not come, else true or what is wrong.
local function kill_by(rules)
  local said, printed = run_under(rules)
  local _, kills = said:gsub("killed [^\n]*", "")
  local both = said:find("killed[%w ]* keeper ") and said:find("killed[%w ]* run ")
  local lines = left(both and collect)
  if lines ~= "" then return said .. "left:\n" .. lines end
  if kills < #rules then return nil end
  local ok = check_end(said, printed)
  return ok == true or said .. ok
end

-- How a run goes is not quite the same each time: a call that is not made is tried again.
local function attempt(rules)
  local result
  for _ = 1, TRIES do
    result = kill_by(rules)
    if result ~= nil then break end
  end
  return result
end

-- Spreads `count` points evenly over first … last, beginning anywhere; all of them in a soak.
local function points(count, first, last)
  local all = last - first + 1
  count = SOAK and all or math.min(all, math.max(1, count * RUNS // 200))
  local phase, list = math.random(), {}
  for i = 1, count do list[i] = first + math.floor((i - 1 + phase) * all / count) end
  return list
end

-- Kills at each of the points N by the rule "PART:N=VICTIM", and by another one if given.
local function sweep_points(list, part, victim, also)
  local missed, failures = {}, 0
  for _, n in ipairs(list) do
    local rule = ("%s:%d=%s"):format(part, n, victim)
    local result = attempt { rule, also }
    if result == nil then missed[#missed + 1] = n end
    if type(result) == "string" then
      failures = failures + 1
      print(("FAILED %s: %s"):format(rule, result)) -- at once: a whole sweep takes half an hour
      before = leaks.snapshot()
    end
  end
  local note = ("%s killed at calls of %s: %d tested, %d did not come"):format(victim, part, #list - #missed, #missed)
  print(#missed == 0 and note or ("note: %s: %s"):format(note, table.concat(missed, " ")))
  assert(failures == 0, failures .. " failed, as told above")
  assert(#missed <= 1 + #list // 10, "too many calls did not come")
end

local function sweep(count, part, victim)
  sweep_points(points(count, 1, calls(part)), part, victim)
end

-- The run is killed while much is on the keeper's list, and the keeper when it undoes it.
local function sweep_undoing(count)
  local middle = calls "keeper" // 2
  local also = ("keeper:%d=run"):format(middle)
  sweep_points(points(count, middle + 1, count_calls({ "keeper", also }).keeper), "keeper", "keeper", also)
end

describe("the start of a keeper, at a system call, #root", function()
  before_each(function()
    before = leaks.snapshot()
    command = { INTERPRETER, "-e", "require('luabox.keeper').get()" }
  end)
  after_each(function() command = LAN end)

  local function sweep_start(count, part, victim)
    sweep_points(points(count, 1, count_calls({ part })[part]), part, victim)
  end

  it("leaves nothing when the run is killed", function() sweep_start(300, "run", "run") end)
  it("leaves nothing when the run is killed then", function() sweep_start(60, "keeper", "run") end)
  it("leaves nothing when the keeper is killed", function() sweep_start(60, "keeper", "keeper") end)
  it("leaves to gc what both leave", function() sweep_start(60, "keeper", "run+keeper") end)
end)

describe("recipes/lan.lua, at a system call, #root", function()
  before_each(function() before = leaks.snapshot() end)

  it("leaves nothing when it is killed", function() sweep(40, "run", "run") end)
  it("ends in order without its keeper", function() sweep(12, "run", "keeper") end)
  it("ends in order when its keeper is killed", function() sweep(12, "keeper", "keeper") end)
  it("leaves nothing when it is killed while the keeper is at work", function() sweep(12, "keeper", "run") end)
  it("ends in order when its guard is killed", function() sweep(4, "guard", "guard") end)
  it("leaves to gc what it and its keeper leave", function() sweep(12, "run", "run+keeper") end)
  it("leaves to gc what they leave when the keeper is at work", function() sweep(12, "keeper", "run+keeper") end)
  it("leaves to gc what a keeper leaves that is killed while it undoes", function() sweep_undoing(12) end)
  for i = 1, CONTAINERS do
    local init = "init" .. i
    it(("notices that container %d is killed"):format(i), function() sweep(2, init, init) end)
    it(("leaves nothing when it is killed while container %d starts"):format(i), function() sweep(2, init, "run") end)
  end
end)
