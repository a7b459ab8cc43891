--- Lua code in a process of its own: for what a process does to itself and cannot take back.
local child = {}

-- Runs code under the interpreter that runs the tests, behind 'prefix' (a command that runs another) if given.
-- Returns what it printed, errors too.
function child.run(code, prefix)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(code)
  file:close()
  local pipe = assert(io.popen(("%s %s - <%s 2>&1"):format(prefix or "", os.getenv "LUABOX_INTERPRETER", path)))
  local output = pipe:read "a"
  pipe:close()
  os.remove(path)
  return output
end

return child
