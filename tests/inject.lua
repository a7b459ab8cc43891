--- Runs of luabox in which a system call fails, or is late: the other side of tests/c/inject.c.
local program = require "program"
local process = require("luabox").sys.process

local M = {}

M.path = os.getenv("LUABOX_BUILD") .. "/tests/luabox-inject"

--- What each call is made to fail with.
M.errors = { EPERM = 1, EINTR = 4, EAGAIN = 11, ENOMEM = 12, EBUSY = 16, ENOSPC = 28, EMFILE = 24 }

-- struct plan
local HEAD, OUTCOME, CALL = "=c24I8I8I8I8I8", "=I8I8I8", "=c24I8"
local MOST_CALLS = 65536
local SIZE = string.packsize(HEAD) + string.packsize(OUTCOME) + MOST_CALLS * string.packsize(CALL)

local plan_methods = {}
local plan_mt = { __index = plan_methods }

--- A plan in a file of its own, which goes when the variable is closed.
function M.plan()
  local plan = setmetatable({ path = os.tmpname() }, plan_mt)
  plan:set()
  return plan
end

--- What the next run shall meet; without a description nothing: the calls are only recorded.
-- kind, site: those of a call, each by default; first: 1 is the first of these, last: first by default;
-- error: an errno's number; delay: seconds to wait before the call
function plan_methods:set(o)
  o = o or { first = 0, last = 0 }
  local file <close> = assert(io.open(self.path, "w"))
  file:write(HEAD:pack(o.kind or "", o.site or 0, o.first or 1, o.last or o.first or 1, o.error or 0,
    math.floor((o.delay or 0) * 1e6)))
  assert(file:seek("set", SIZE - 1))
  file:write "\0"
end

local function outcome(self)
  local file <close> = assert(io.open(self.path))
  assert(file:seek("set", HEAD:packsize()))
  local matched, injected, count = OUTCOME:unpack(file:read(OUTCOME:packsize()))
  return { matched = matched, injected = injected, count = count },
    file:read(math.min(count, MOST_CALLS) * CALL:packsize()) or ""
end

--- How many calls matched, how many of these failed or were late, and how many there were in all.
function plan_methods:outcome()
  return (outcome(self))
end

--- The calls of the last run, in order: { kind, site, n }, the n-th of its kind and site.
function plan_methods:calls()
  local _, data = outcome(self)
  local calls, counts = {}, {}
  for i = 0, #data // CALL:packsize() - 1 do
    local kind, site = CALL:unpack(data, i * CALL:packsize() + 1)
    kind = kind:match "^%Z*"
    local key = kind .. site
    counts[key] = (counts[key] or 0) + 1
    calls[#calls + 1] = { kind = kind, site = site, n = counts[key] }
  end
  return calls
end

function plan_mt:__close()
  os.remove(self.path)
end

--- Runs luabox with the plan; returns its end (nil if it was killed as too late) and all that it wrote.
function M.run(plan, arguments, timeout)
  local p <close> = process.spawn {
    program = { M.path, table.unpack(arguments) }, stdin = "null", stdout = "pipe", stderr = "pipe",
    env = { LUABOX_INJECT = plan.path, PATH = os.getenv "PATH" },
  }
  local out, err, why = process.communicate(p, { timeout = timeout })
  return not why and p:wait() or nil, out, err
end

--- Where in the source a call is, for a message.
function M.where(call)
  local out = program.shell(("addr2line -sfe %s %#x"):format(program.quote(M.path), call.site - 1))
  return ("%s %d in %s"):format(call.kind, call.n, (out:gsub("\n", " ")))
end

return M
