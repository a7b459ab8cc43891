--- Errors: what failed, on what, why, and what to do.
--
-- The object is the one that the C core raises: a table with the fields `op`, `subject`, `errno`, `code`,
-- `message`, `hint`, `context`, `traceback` and `suppressed`, which prints as one sentence. `docs/errors.md`
-- tells how errors look, are caught and cross a fork.
-- @module luabox.error
local options = require "luabox.options"
local sys = require "luabox.sys.error"

local error_mt = sys.metatable
local error_methods = error_mt.__index

local LAST_ERRNO = 133 -- EHWPOISON

local numbers -- code → errno, made at the first need

local function errno_of(code)
  if not numbers then
    numbers = {}
    for number = 1, LAST_ERRNO do
      local name = sys.name(number)
      if name then numbers[name] = number end
    end
  end
  return numbers[code]
end

local fields = {
  op = { "string", required = true, min = 1 },
  subject = { "string" },
  errno = { "integer", min = 1, max = 4095 },
  code = { "string", min = 1 },
  message = { "string" },
  hint = { "string" },
  context = { "list", of = { "string" } },
  traceback = { "string" },
}

local function make(o, where)
  local e = options.check(fields, o, where)
  e.errno = e.errno or errno_of(e.code)
  e.code = e.code or e.errno and (sys.name(e.errno) or "errno " .. e.errno)
  e.message = e.message or e.errno and sys.strerror(e.errno) or "failed"
  e.traceback = e.traceback or debug.traceback(nil, 3) -- the caller of new or raise
  return setmetatable(e, error_mt)
end

local CALLED = { "function", required = true }

local M = {}

--- Makes an error without raising it.
-- @tparam table o
-- @tparam string o.op what was tried: a system call or a step, "mount"
-- @tparam[opt] string o.subject on what: a path, a link, a container's name
-- @tparam[opt] integer o.errno
-- @tparam[opt] string o.code a symbol; that of `errno` by default. A code that the system knows sets `errno`.
-- @tparam[opt] string o.message the system's words for `errno` by default
-- @tparam[opt] string o.hint why, and what to do
-- @tparam[opt] {string,...} o.context innermost first
-- @tparam[opt] string o.traceback that of the caller by default
-- @treturn luabox.error
-- @usage
-- local e = luabox.error.new { op = "open", subject = "/x", code = "ENOENT" }
-- assert(tostring(e) == "open /x: No such file or directory (ENOENT)")
function M.new(o)
  return (make(o, "new")) -- no tail call: it would not be on the stack
end

--- Makes an error as `new` does, and raises it.
-- @tparam table o
-- @raise luabox.error
-- @usage
-- local ok, e = pcall(luabox.error.raise, { op = "start container", subject = "web", message = "it runs already" })
-- assert(not ok and tostring(e) == "start container web: it runs already")
function M.raise(o)
  error(make(o, "raise"), 0)
end

--- Whether a value is a luabox.error, and of a given code.
-- @param e
-- @tparam[opt] string code
-- @treturn boolean
-- @usage assert(luabox.error.is("no") == false)
function M.is(e, code)
  return type(e) == "table" and getmetatable(e) == error_mt and (code == nil or e.code == code)
end

local function returned(ok, ...)
  if ok then return ... end
  local e = ...
  if M.is(e) and not e.signal then return nil, e end
  error(e, 0)
end

--- Calls a function and returns its results, or nil and the luabox.error that it raised. Other errors, as
-- wrong arguments and Ctrl-C (a luabox.error with a `signal`), go on: they are not outcomes of the system.
-- @tparam function f
-- @param ... its arguments
-- @return the results of `f`, or nil
-- @treturn[2] luabox.error
-- @usage
-- local value, e = luabox.try(luabox.error.raise, { op = "open", subject = "/x", code = "ENOENT" })
-- assert(value == nil and e.code == "ENOENT")
function M.try(f, ...)
  options.argument(CALLED, f, "try")
  return returned(pcall(f, ...))
end

local function with_context(text, ok, ...)
  if ok then return ... end
  local e = ...
  if M.is(e) then e:wrap(text) end
  error(e, 0)
end

--- Calls a function; a luabox.error that leaves it says in which larger step it happened.
-- @tparam string text "start container 'web'"
-- @tparam function f
-- @param ... its arguments
-- @return the results of `f`
-- @raise what `f` raised
-- @usage
-- local _, e = pcall(luabox.error.within, "prepare", luabox.error.raise, { op = "open", subject = "/x", code = "EIO" })
-- assert(tostring(e) == "prepare: open /x: Input/output error (EIO)")
function M.within(text, f, ...)
  options.argument(CALLED, f, "within", 2)
  return with_context(text, pcall(f, ...))
end

--- Keeps a failure that happened while another error was on its way, so that it does not replace that one.
-- An error that is no luabox.error has no place for it: then it becomes a warning.
-- @param e the error on its way
-- @param failure what failed beside it
-- @usage
-- local e = luabox.error.new { op = "mount" }
-- luabox.error.suppress(e, "umount failed too")
-- assert(e.suppressed[1] == "umount failed too")
function M.suppress(e, failure)
  if not M.is(e) then return warn("luabox: while an error was handled: ", tostring(failure)) end
  e.suppressed = e.suppressed or {}
  table.insert(e.suppressed, failure)
end

--- Makes a `__close` of a function that closes and may raise: an error that is on its way already is kept.
-- @tparam function close called with the object
-- @treturn function
-- @usage
-- local failing = setmetatable({}, { __close = luabox.error.closer(function() error("late", 0) end) })
-- local _, e = pcall(function()
--   local x <close> = failing
--   luabox.error.raise { op = "mount", message = "first" }
-- end)
-- assert(e.message == "first" and e.suppressed[1] == "late")
function M.closer(close)
  return function(object, e)
    local ok, failure = pcall(close, object)
    if ok then return end
    if e == nil then error(failure, 0) end
    M.suppress(e, failure)
  end
end

--- Adds the larger step in which the error happened.
-- @function error:wrap
-- @tparam string text
-- @treturn luabox.error the same error, as in `error(e:wrap("start container 'web'"), 0)`
function error_methods:wrap(text)
  self.context = self.context or {}
  table.insert(self.context, text)
  return self
end

return M
