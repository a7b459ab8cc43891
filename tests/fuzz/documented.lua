--- The parameters of the public functions, from their doc comments.
local M = {}

local SHORT = {
  string = "string", int = "integer", bool = "boolean", number = "number", func = "function", tab = "table",
}

-- "@tparam[opt=1] {string,...} o.program what it is" as type and name.
local function read_parameter(line)
  local tag, rest = line:match "@(t?%a+)(.*)$"
  if not tag or tag:find "^t?return" then return nil end
  rest = rest:gsub("^%b[]", "")
  if tag == "tparam" then
    local type_, name = rest:match "^%s+(%b{})%s+([%w_.]+)"
    if not type_ then type_, name = rest:match "^%s+(%S+)%s+([%w_.]+)" end
    return type_, name
  end
  if SHORT[tag] then return SHORT[tag], rest:match "^%s+([%w_.]+)" end
end

local function add(parameters, names, type_, name)
  local of, option = name:match "^([%w_]+)%.([%w_.]+)$"
  if not of then
    parameters[#parameters + 1] = { name = name, type = type_ }
    return
  end
  for _, p in ipairs(parameters) do
    if p.name == of then
      p.options = p.options or {}
      p.options[#p.options + 1] = { name = option, type = type_ }
    end
  end
  names[#names + 1] = option
end

-- A comment's function and parameters. `self` of a method is written by some, and not counted.
local function read_comment(module, comment, following, functions, names)
  local name = comment:match "@function%s+([%w_.:]+)" or following:match "function%s+([%w_.:]+)"
  if not name then return end
  local parameters = {}
  for line in comment:gmatch "[^\n]+" do
    local type_, parameter = read_parameter(line)
    if type_ and parameter and parameter ~= "self" then add(parameters, names, type_, parameter) end
  end
  name = name:match "[%w_]+$"
  functions[name], functions[(module or "") .. "." .. name] = parameters, parameters
end

-- In C a comment is within "/***" and "*/", in Lua a line "---" and the lines "--" behind it.
local function read_file(path, functions, names)
  local comment
  local module = path:match "lua/(luabox/.*)%.lua$"
  module = module and module:gsub("/", "."):gsub("%.init$", "")
  for line in io.lines(path) do
    module = module or line:match "^@s?u?b?module%s+(%S+)"
    if line:find "^/%*%*%*" or line:find "^%-%-%-" and not line:find "^%-%-%-%-" then
      comment = line
    elseif comment and (path:find "c$" and line:find "^%*/" or path:find "lua$" and not line:find "^%-%-") then
      read_comment(module, comment, line, functions, names)
      comment = nil
    elseif comment then
      comment = comment .. "\n" .. line
    end
  end
end

--- Reads the files.
-- @treturn {[string]=table} "luabox.sys.net.links", and "links" (of two of one name the last), → its parameters
-- @treturn {string,...} the names of all options
function M.read(paths)
  local functions, names = {}, {}
  for _, path in ipairs(paths) do read_file(path, functions, names) end
  return functions, names
end

return M
