-- Each system call of a container's start, and of recipes/lan.lua, fails once with each of the errors that the kernel
-- has for everything. What must hold, seen from outside: the run succeeds and made what it makes without a fault, or it
-- says what failed; it never crashes nor hangs; nothing of it is left two seconds later; and the next one succeeds.
-- make check takes one call of each place in the program, with an error by chance: the same each time, so that a change
-- is what makes it fail (LUABOX_SEED chooses others); make soak takes every call with every error.
-- time limit: 900
if os.getenv("LUABOX_UNDER") ~= "luabox" then return end

local inject = require "inject"
local leaks = require "leaks"
local program = require "program"
local starts = require "starts"
local system = require("luabox").sys.system

local SOAK = os.getenv "LUABOX_SOAK" == "1"
local SEED = tonumber(os.getenv "LUABOX_SEED") or 1795335996
local GRACE = 2
local SLOWNESS = 5 -- and where a run takes long, this many runs' time
local TIMEOUT = 60 -- of a run; the longest wait in it is for a keeper that does not answer, 10 s
local NEXT_RUNS = SOAK and 1 or 10 -- after so many faults a run without one must succeed
local MOST_FAULTS = 20 -- told at once
local LAN_CALLS = 40 -- of recipes/lan.lua in make check

local ERRORS = {}
for code in pairs(inject.errors) do ERRORS[#ERRORS + 1] = code end
table.sort(ERRORS)

-- Calls that a signal may interrupt: luabox goes on with them.
local INTERRUPTED = {}
for kind in ([[close connect dup2 flock fstatfs getrandom open openat openat2 poll ppoll pread pwrite read recv
  recvfrom recvmsg send sendmsg sigtimedwait sigwaitinfo statfs waitid waitpid write]]):gmatch "%S+" do
  INTERRUPTED[kind] = true
end

-- What undoes, and fails, is left to `luabox gc`.
local UNDOES = { rmdir = true, umount2 = true, unlink = true, unlinkat = true }

-- Errors that mean something to luabox: others hold the lock; this kernel has no overlay for it.
local function means_something(call, code)
  return call.kind == "flock" and code == "EAGAIN" or call.kind == "fsopen" and code == "EPERM"
end

-- ---- one run ----

-- The lines of one text that the other has not.
local function missing(text, from, sign)
  local set, lines = {}, {}
  for line in from:gmatch "[^\n]+" do set[line] = true end
  for line in text:gmatch "[^\n]+" do
    if not set[line] then lines[#lines + 1] = sign .. line end
  end
  return table.concat(lines, "\n")
end

-- The error of a process that cannot tell its own, as its run sees it.
local function names(text, code)
  return text:find(code, 1, true) or text:find("EPIPE", 1, true) or text:find("ETIMEDOUT", 1, true)
end

local function fault_in_end(run, call, code, result, out, err)
  if not result then return "it hangs" end
  if result.signal then return "it was killed by SIG" .. result.signal end
  if result.code == 0 then
    return not run.is_whole(out) and "it succeeds, but made something else:\n" .. missing(run.output, out, "- ")
      .. "\n" .. missing(out, run.output, "+ ")
  end
  if not err:find(run.error_begins) then return "it fails without an error of luabox" end
  if not names(err, code) then return "its error is another" end
  return INTERRUPTED[call.kind] and code == "EINTR" and "it was not resumed"
end

local function remaining(run, before)
  return leaks.left(before, math.max(GRACE, SLOWNESS * run.duration))
end

-- nil if all is well.
local function fault_in_rest(run, call, before)
  local left = remaining(run, before)
  if left ~= "" and UNDOES[call.kind] then
    program.run { "gc" }
    left = remaining(run, before)
  end
  return left ~= "" and "it left:\n" .. left
end

-- What is wrong with a run in which that call fails so; nil if nothing is.
local function try(plan, run, call, code, before)
  plan:set { kind = call.kind, site = call.site, first = call.n, error = inject.errors[code] }
  local result, out, err = inject.run(plan, run.arguments, TIMEOUT)
  local fault = fault_in_end(run, call, code, result, out, err) or fault_in_rest(run, call, before)
  return fault and ("%s at %s: %s\n%s"):format(code, inject.where(call), fault, err)
end

local function try_next(plan, run)
  plan:set()
  local result, out, err = inject.run(plan, run.arguments, TIMEOUT)
  assert.same({ { code = 0 }, "" }, { result, err }, run.name .. ", the next run")
  assert(run.is_whole(out), run.name .. ", the next run: " .. out)
end

-- Records the calls of a run, and how it is when nothing fails.
local function calls_of(plan, run)
  plan:set()
  local from = system.clock()
  local result, out, err = inject.run(plan, run.arguments, TIMEOUT)
  assert.same({ { code = 0 }, "" }, { result, err })
  run.duration, run.output = system.clock() - from, out
  run.is_whole = run.is_whole or function(other) return other == out end
  return plan:calls()
end

-- ---- which calls, with which errors ----

local places = {} -- that were tried, in any run

-- One call by chance of each place that no run before had.
local function one_of_each_place(calls, f)
  local there, order = {}, {}
  for _, call in ipairs(calls) do
    local place = call.kind .. call.site
    if not places[place] then
      if not there[place] then order[#order + 1] = place end
      there[place] = there[place] or {}
      table.insert(there[place], call)
    end
  end
  for _, place in ipairs(order) do
    places[place] = true
    f(there[place][math.random(#there[place])], ERRORS[math.random(#ERRORS)])
  end
end

-- Calls `f` with each call and error to try.
local function each(calls, f)
  if not SOAK then return one_of_each_place(calls, f) end
  for _, call in ipairs(calls) do
    for _, code in ipairs(ERRORS) do f(call, code) end
  end
end

-- Some calls by chance, of all their numbers.
local function some(calls, f)
  if SOAK then return each(calls, f) end
  for _ = 1, LAN_CALLS do f(calls[math.random(#calls)], ERRORS[math.random(#ERRORS)]) end
end

local function sweep(run, visit)
  local plan <close> = inject.plan()
  local calls = calls_of(plan, run)
  local before, count, faults = leaks.snapshot(), 0, 0
  visit(calls, function(call, code)
    if means_something(call, code) or faults >= MOST_FAULTS then return end
    local fault = try(plan, run, call, code, before)
    if fault then
      faults = faults + 1
      print("FAILED " .. fault) -- at once: a whole sweep takes hours
    end
    count = count + 1
    if count % NEXT_RUNS == 0 then try_next(plan, run) end
  end)
  assert.is_true(count > 0)
  if faults > 0 then error(("%d failed, as told above; LUABOX_SEED=%d"):format(faults, SEED), 0) end
  try_next(plan, run)
end

-- ---- the runs ----

local function start_run(start, root)
  local code = root and ("local ROOT = %q\n"):format(root) .. start.code or start.code
  return { name = start.name, arguments = { "-e", code }, error_begins = "^luabox%.error: " }
end

-- The calls between a run and its keeper.
local HEARS = { poll = true, recv = true, recvmsg = true, sendmsg = true }

describe("a fault at each system call #root #unsanitized", function()
  math.randomseed(SEED)

  for _, start in ipairs(starts) do
    it("is survived by a start of " .. start.name, function()
      local root, remove
      if start.make_root then
        root, remove = program.directory()
        assert(os.execute(("set -- %s\n%s"):format(root, start.make_root)))
      end
      sweep(start_run(start, root), each)
      if remove then remove() end
    end)
  end

  it("is survived by recipes/lan.lua", function()
    sweep({
      name = "recipes/lan.lua", arguments = { "recipes/lan.lua" }, error_begins = "%(E%u+%)",
      is_whole = function(out) return out:find "fills its memory" and not out:find "FAIL" end,
    }, some)
  end)

  -- Also the end of the run, which then waits for the keeper's. Only by chance does the keeper see a message and the
  -- end of the socket at once, and the error of one that was closed with an answer unread.
  it("does not keep a keeper from hearing its run", function()
    local plan <close> = inject.plan()
    local arguments = { "-e", 'luabox.keeper.get():file("/tmp/sweep"):forget()' }
    inject.run(plan, arguments, TIMEOUT)
    for _, call in ipairs(plan:calls()) do
      if HEARS[call.kind] then
        for _ = 1, 10 do
          plan:set { kind = call.kind, site = call.site, first = call.n, error = inject.errors.ENOMEM }
          assert.is_table(inject.run(plan, arguments, TIMEOUT), inject.where(call))
        end
      end
    end
  end)
end)
