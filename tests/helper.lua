--- busted's helper: fails a test, and a file, that leaves something behind; and skips what the kernel
-- here lacks, by the tags in the names.
package.path = package.path .. ";tests/?.lua" -- last: tests/busted.lua is not busted

local busted = require "busted"
local leaks = require "leaks"
local needs = require "needs"

-- The program has the core within; lua5.4 has it from luabox.so.
local under = os.getenv("LUABOX_UNDER")
local is_program = package.preload["luabox.sys.error"] ~= nil
assert(under == nil or (under == "luabox") == is_program, "these tests run under another interpreter than they should")

-- What the kernel frees asynchronously (a network namespace, a reaped process) gets this long.
local GRACE = 20

-- A run's keeper ends with the run, and here with each test.
local function end_keeper()
  local keeper = package.loaded["luabox.keeper"]
  if keeper then keeper.close() end
end

local function require_nothing_left(before, what)
  end_keeper()
  local left = leaks.left(before, GRACE)
  if left ~= "" then error(what .. " left a difference:\n" .. left, 0) end
end

-- busted keeps only the last function that a test gives to `finally`; here all are called, the last first.
local function keep_all(env)
  local set, functions = env.finally, {}
  local function call_all()
    local f <const> = table.remove(functions)
    if not f then return end
    local _ <close> = setmetatable({}, { __close = call_all }) -- also after an error
    f()
  end
  function env.finally(f)
    functions[#functions + 1] = f
    set(call_all)
  end
end

local before_test, before_file

busted.subscribe({ "file", "start" }, function()
  before_file = leaks.snapshot()
  return nil, true
end)

busted.subscribe({ "describe", "start" }, function(element)
  local reason = needs.missing(element.name)
  if reason then
    element.run = function() busted.pending(reason) end
  end
  return nil, true
end)

busted.subscribe({ "test", "start" }, function(element)
  local reason = needs.missing(element.name)
  if reason and element.run then
    element.run = function() element.env.pending(reason) end
  end
  if element.env then keep_all(element.env) end -- what stands for a `describe` that is skipped has none
  before_test = leaks.snapshot()
  return nil, true
end)

busted.subscribe({ "test", "end" }, function()
  require_nothing_left(before_test, "the test")
  return nil, true
end)

busted.subscribe({ "file", "end" }, function()
  require_nothing_left(before_file, "the file")
  return nil, true
end)
