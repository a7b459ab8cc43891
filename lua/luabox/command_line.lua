--- What luabox's own commands do alike: help, and what they say of wrong arguments.
-- Internal: a part of `luabox.enter`, `luabox.ls` and `luabox.map_command`, for nobody else.
-- @module luabox.command_line

local M = {}

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
  if arguments[1] == "--help" or arguments[1] == "-h" then
    io.stdout:write(usage)
    return nil, 0
  end
  local o, problem = read(arguments)
  if o then return o end
  return nil, M.fail(command, problem, 2, usage)
end

return M
