--- What the specs share: a shell and files to look from outside, waiting, and errors that must come.
local system = require "system"

local M = {}

-- A busy machine under sanitizers is slow; what does not come in this time does not come.
local PATIENCE, PAUSE = 60, 0.01

--- What a command of the shell prints, errors too, without white space at its end.
function M.output(command)
  local pipe <close> = assert(io.popen("{ " .. command .. "\n} 2>&1"))
  return (pipe:read("a"):gsub("%s+$", ""))
end

--- Runs a command of the shell that must succeed.
function M.shell(command)
  if not os.execute(command) then error("failed: " .. command, 2) end
end

--- A file's text without the last newline; nil if there is no such file, or it is that of a process that is reaped
-- between the open and the read.
function M.contents(path)
  local file <close> = io.open(path)
  local text = file and file:read "a"
  return text and (text:gsub("\n$", ""))
end

function M.write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

--- Whether there is something at a path, a link to nowhere too.
function M.exists(path)
  return os.execute(("test -e '%s' -o -L '%s'"):format(path, path)) == true
end

--- A name that nobody else's test has.
function M.unique()
  return "spec-" .. M.contents("/proc/sys/kernel/random/uuid"):sub(1, 13)
end

--- True as soon as `f` is; false if it is not within a minute.
function M.eventually(f)
  local deadline = system.monotime() + PATIENCE
  repeat
    if f() then return true end
    system.sleep(PAUSE)
  until system.monotime() > deadline
  return false
end

--- A container that has started: "box", unless it is given another name.
function M.started(o)
  o.name = o.name or "box"
  return require("luabox").container(o):start()
end

--- Waits until a process runs the program of a name. The kernel gives it the name and shows its arguments a moment
-- after it has told the run that the program was found.
function M.await_program(pid, name)
  local path = ("/proc/%d/cmdline"):format(pid)
  local function runs() return (M.contents(path) or ""):match "^[^\0]*":match "[^/]*$" == name end
  if not M.eventually(runs) then error(("process %d does not run %s"):format(pid, name), 2) end
end

--- Whether a process is gone or a zombie: process 1 of a sandbox reaps late.
function M.ended(pid)
  local stat = M.contents(("/proc/%d/stat"):format(pid))
  return not stat or stat:find "^%d+ %(.*%) [ZX]" ~= nil
end

--- The error that a call must raise.
function M.failure(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "it was done")
  return e
end

--- The same as text, and the error itself.
function M.refused(f, ...)
  local e = M.failure(f, ...)
  return tostring(e), e
end

return M
