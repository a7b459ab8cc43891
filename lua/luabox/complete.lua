--- What the prompt's Tab key adds: names of globals, fields and methods.
-- Internal: a part of the prompt, for nobody else.
-- @module luabox.complete

local keywords = {
  "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not",
  "or", "repeat", "return", "then", "true", "until", "while",
}

-- The value that "a.b.c" names, or nil. Fields are indexed as the statement itself would.
local function resolve(path)
  local value = _G
  for name in path:gmatch("[%w_]+") do
    local ok, field = pcall(function() return value[name] end)
    if not ok or field == nil then return nil end
    value = field
  end
  return value
end

local function add_keys(names, t, methods)
  for key, field in next, t do
    if type(key) == "string" and key:match("^[%a_][%w_]*$") and (not methods or type(field) == "function") then
      names[key] = true
    end
  end
end

-- The fields of a value: its own, and those of the tables that its __index leads to; or the functions among them.
local function add_fields(names, value, methods)
  for _ = 1, 10 do
    if type(value) == "table" then add_keys(names, value, methods) end
    local metatable = debug.getmetatable(value)
    value = type(metatable) == "table" and rawget(metatable, "__index")
    if type(value) ~= "table" then return end
  end
end

-- Modules of the library that are parts of others, and fields of luabox once they are loaded. So is what has another
-- module's name before a '_': container_process.
local INTERNAL = {
  columns = true, command_line = true, complete = true, confinement = true, drawing = true, free_subnet = true,
  gateway = true, iptables = true, limits = true, missing_library = true, names = true, net_place = true,
  option_kinds = true, overlay = true, pingall = true, proc_text = true, program_files = true, random = true,
  root = true, route_list = true, show = true,
}

local function is_internal(name)
  local whole = name:match "^(%w+)_"
  return INTERNAL[name] or whole and package.preload["luabox." .. whole]
end

-- Modules that are loaded at their first touch: luabox.container is there before it is a field.
local function add_modules(names, path)
  for module in next, package.preload do
    local rest = module:sub(1, #path + 1) == path .. "." and module:sub(#path + 2):match("^[%w_]+")
    if rest then names[rest] = true end
  end
end

local function candidates(path, prefix, methods)
  local names, found = {}, {}
  if path == "" then
    for _, word in ipairs(keywords) do names[word] = true end
    add_fields(names, _G)
  else
    local value = resolve(path)
    if value ~= nil then add_fields(names, value, methods) end
    if not methods then add_modules(names, (path:gsub(":", "."))) end
    if path == "luabox" then
      for name in next, names do
        if is_internal(name) then names[name] = nil end
      end
    end
  end
  for name in next, names do
    if name:sub(1, #prefix) == prefix then found[#found + 1] = name end
  end
  table.sort(found)
  return found
end

-- The longest beginning that all names share.
local function common_prefix(names)
  local first, last = names[1] or "", names[#names] or "" -- sorted: these two differ the most
  local length = 0
  while length < #first and first:byte(length + 1) == last:byte(length + 1) do length = length + 1 end
  return first:sub(1, length)
end

--- What may follow a line.
-- @function complete
-- @string line the text up to the cursor
-- @treturn string what to insert there: what all candidates share beyond what is typed; a tab on an empty line
-- @treturn {string,...} the candidates, sorted
-- @usage local insert, names = luabox.complete("string.form")
-- assert(insert == "at" and names[1] == "format")
local function complete(line)
  if not line:match("%S") then return "\t", {} end
  local before, prefix = line:match("^(.-)([%w_]*)$")
  local path = ""
  if before:match("[%.:]$") and not before:match("%.%.$") then
    path = before:match("([%a_][%w_%.:]*)[%.:]$")
    if not path then return "", {} end
  end
  local names = candidates(path, prefix, before:match(":$"))
  return common_prefix(names):sub(#prefix + 1), names
end

return complete
