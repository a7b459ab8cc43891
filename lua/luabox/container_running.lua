--- Further processes in a container that runs: programs and Lua functions.
-- Internal: a part of `luabox.container`, for nobody else.
-- @module luabox.container_running

local confinement = require "luabox.confinement"
local container_process = require "luabox.container_process"
local errors = require "luabox.error"
local missing_library = require "luabox.missing_library"
local sys = require("luabox").sys

local M = {}

-- What a further process enters; root and working directory come with the mount namespace.
local function joined(self)
  local types = container_process.NAMESPACES .. (self.network == "host" and "" or ",net") ..
    (self.uid_map and ",user" or "")
  return { { pidfd = self.process, types = types } }
end

local function merged(base, more)
  local result = {}
  for name, value in pairs(base) do result[name] = value end
  for name, value in pairs(more or {}) do result[name] = value end
  return result
end

local function as_user(self, user)
  return setmetatable(user and { uid = user.uid or 0, gid = user.gid or 0, groups = user.groups or {} } or {},
    { __index = self })
end

local function spawn(self, command, o)
  local p = container_process.options(self, confinement.steps(as_user(self, o.user)))
  p.program, p.join = command, joined(self)
  p.env, p.cwd = merged(self.env, o.env), o.cwd or self.cwd
  p.stdin, p.stdout, p.stderr = o.input and "pipe" or "null", "pipe", "pipe"
  return sys.process.spawn(p)
end

local function refuse(command, o, why)
  local late = why == "timeout"
  errors.raise { op = "run", subject = table.concat(command, " "), code = late and "ETIMEDOUT" or "EFBIG",
    message = late and ("not over after %g seconds; it was killed"):format(o.timeout)
      or ("more than %d bytes of output; it was killed"):format(o.max_output) }
end

--- Runs a program and collects what it wrote.
-- @tparam luabox.container self
-- @tparam {string,...} command
-- @tparam table o as `container:run` takes them, checked
-- @treturn table as `container:run`
-- @raise luabox.error
function M.run(self, command, o)
  local before = container_process.events(self)
  local process <close> = spawn(self, command, o)
  local stdout, stderr, why = sys.process.communicate(process,
    { input = o.input, timeout = o.timeout, limit = o.max_output })
  if why then refuse(command, o, why) end
  local result = process:wait()
  result.stdout, result.stderr = stdout, stderr
  container_process.explain(self, result, before)
  missing_library.explain(result)
  return result
end

--- Raises the error of a program that failed.
-- @tparam {string,...} command
-- @tparam table result of `run`
-- @raise luabox.error
function M.fail(command, result)
  errors.raise {
    op = "run", subject = table.concat(command, " "),
    message = result.reason or result.code and "exit status " .. result.code or "killed by SIG" .. result.signal,
    hint = result.hint or result.stderr:match("([^\n]+)%s*$"),
  }
end

--- Calls a Lua function.
-- @tparam luabox.container self
-- @tparam string label what the container is called in errors
-- @tparam function f
-- @param ... its arguments
-- @return its results
-- @raise its error; luabox.error if a limit killed it
function M.call(self, label, f, ...)
  local p, before = container_process.options(self, {}), container_process.events(self)
  local process <close> = sys.process.spawn {
    body = f, args = table.pack(...), join = joined(self), cgroup = p.cgroup, umask = p.umask, steps = p.steps,
  }
  local result = process:wait()
  container_process.explain(self, result, before)
  if result.signal and result.reason then errors.raise { op = "call in", subject = label, message = result.reason } end
  return process:result()
end

return M
