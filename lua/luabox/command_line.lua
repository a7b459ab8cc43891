--- What luabox's own commands do alike: help, and what they say of wrong arguments.
-- Internal: a part of `luabox.doctor`, `luabox.enter`, `luabox.gc`, `luabox.ls` and `luabox.map_command`, for nobody
-- else.
-- @module luabox.command_line

local M = {}

local function is_help(word)
  return word == "--help" or word == "-h"
end

--- Says what went wrong.
-- @tparam string command "ls"
-- @param problem
-- @tparam integer status
-- @tparam[opt] string usage how it is called
-- @treturn integer the status
function M.fail(command, problem, status, usage)
  io.stderr:write(("luabox %s: %s\n"):format(command, problem), usage or "")
  return status
end

--- Reads the arguments of a command.
-- @tparam string command "ls"
-- @tparam string usage
-- @tparam function read gets the arguments; returns options, or nil and what is wrong
-- @tparam {string,...} arguments
-- @treturn ?table the options; nil after help or an error
-- @treturn[2] integer the exit status then
function M.read(command, usage, read, arguments)
  if is_help(arguments[1]) then
    io.stdout:write(usage)
    return nil, 0
  end
  local o, problem = read(arguments)
  if o then return o end
  return nil, M.fail(command, problem, 2, usage)
end

--- Reads the arguments of a command that takes flags alone.
-- @tparam string command "gc"
-- @tparam string usage
-- @tparam {[string]=string} flags "--dry-run" → the option that it sets
-- @tparam {string,...} arguments
-- @treturn ?table the options; nil after help or an error
-- @treturn[2] integer the exit status then
function M.flags(command, usage, flags, arguments)
  local o = {}
  for _, word in ipairs(arguments) do
    if is_help(word) then
      io.stdout:write(usage)
      return nil, 0
    end
    if not flags[word] then return nil, M.fail(command, ("unknown argument '%s'"):format(word), 2, usage) end
    o[flags[word]] = true
  end
  return o
end

return M
