-- Pieces of code that the documentation shows: finding the files, running the code.
local M = {}

function M.read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

function M.list(pattern)
  local process <close> = assert(io.popen("ls " .. pattern))
  local files = {}
  for path in process:lines() do files[#files + 1] = path end
  return files
end

local NEEDS = {
  ["mount%.fsopen"] = "detached", ["mount%.open_tree"] = "detached", ["rootfs%.default"] = "detached",
  ["rootfs%.from_programs"] = "detached", ["rootfs%.overlay"] = "overlay",
  ["process%.pidfd"] = "pidfd", ["has_call \"pidfd"] = "pidfd",
  ["ns%.call"] = "pidfd", ["ns%.enter"] = "pidfd", ["ns%.run"] = "pidfd",
}

-- The tags of what the code needs (tests/needs.lua).
function M.tag(code)
  local tags = ""
  for name, tag in pairs(NEEDS) do
    if code:find(name) then tags = tags .. " #" .. tag end
  end
  return tags
end

-- Runs the code as a script, in an interpreter and a sandbox of its own; returns what it printed, whether it succeeded.
function M.run(code)
  local script = os.tmpname()
  local _ <close> = setmetatable({}, { __close = function() os.remove(script) end })
  do
    local file <close> = assert(io.open(script, "w"))
    file:write(code, "\n")
  end
  local interpreter = os.getenv("LUABOX_INTERPRETER")
  local command = ("tests/sandbox %s -l luabox - <%s 2>&1"):format(interpreter, script)
  local process <close> = assert(io.popen(command))
  local output = process:read("a")
  return output, process:close()
end

return M
