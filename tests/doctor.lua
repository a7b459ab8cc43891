--- luabox doctor, run under the interpreter that runs the tests, as a script reads what it says.
local json = require "dkjson"
local program = require "program"

local M = {}

local COMMAND = program.quote(os.getenv "LUABOX_INTERPRETER") ..
  [[ -e 'os.exit(require("luabox").doctor.main { "--json" }, true)']]

--- Runs it, behind a command (one that runs another) and a script of the shell before it in the same process, if
-- given.
-- @treturn table its features by name
-- @treturn int its exit status
-- @treturn table all that it says
function M.run(prefix, before)
  local command = before and ("sh -c %s"):format(program.quote(before .. "\nexec " .. COMMAND)) or COMMAND
  local pipe = assert(io.popen((prefix or "") .. " " .. command))
  local text = pipe:read "a"
  local _, _, status = pipe:close()
  local said = json.decode(text) or error("no JSON: " .. text, 2)
  local features = {}
  for _, feature in ipairs(said.features) do features[feature.name] = feature end
  return features, status, said
end

return M
