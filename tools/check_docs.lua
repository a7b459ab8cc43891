-- Names every exported function that has no doc comment. Usage: check_docs.lua FILE...
--
-- Exported are the entries of luaL_Reg arrays in C, in Lua methods and the functions of the table that a file
-- returns, if it has a @module comment: one without is a part of another module. Names that begin with an
-- underscore are not.
local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- The names that doc comments give with @function, without their table, added to 'names'.
local function add_documented(names, text, open, close)
  for block in text:gmatch(open .. "(.-)" .. close) do
    local name = block:match("@function%s+([%w_%.:]+)")
    if name then names[name:match("[%w_]+$")] = true end
  end
end

local function is_public(name)
  return name:sub(1, 1) ~= "_"
end

-- The module that a C file is, or is a part of.
local function module_of(text)
  return text:match("\n@%a*mod%a* ([%w_.]+)")
end

-- What the C files of each module document.
local c_names = setmetatable({}, {
  __index = function(self, module)
    self[module] = {}
    return self[module]
  end,
})

local function check_c(text, missing)
  local names = c_names[module_of(text) or ""]
  for array in text:gmatch("luaL_Reg [%w_]+%[%] = (%b{})") do
    for name in array:gmatch('{ "([%w_]+)",') do
      if is_public(name) and not names[name] then missing(name) end
    end
  end
end

-- A function of the table that the file returns, or a method of any table.
local function exported_name(line, module)
  return line:match("^function " .. module .. "%.([%w_]+)") or line:match("^" .. module .. "%.([%w_]+) = function")
    or line:match("^function [%w_]+:([%w_]+)")
end

-- A doc comment is a run of comment lines that begins with three dashes, right above the function.
local function check_lua(text, missing)
  local module = text:match("\nreturn ([%w_]+)%s*$")
  if not module or not text:find("\n-- @module ", 1, true) then return end
  local names, in_doc = {}, false
  add_documented(names, text:gsub("\n%-%-%-", "\n/*/%0") .. "\n", "/%*/", "\n[^%-]")
  for line in text:gmatch("[^\n]*") do
    local name = exported_name(line, module)
    if name and is_public(name) and not in_doc and not names[name] then missing(name) end
    in_doc = line:match("^%-%-%-[^-]") ~= nil or in_doc and line:match("^%-%-") ~= nil
  end
end

local count = 0
for _, path in ipairs(arg) do
  local text = read(path)
  if path:match("%.c$") then
    add_documented(c_names[module_of(text) or ""], text, "/%*%*%*", "%*/")
    if text:find("/***\n", 1, true) and not module_of(text) then
      count = count + 1
      io.stderr:write(path, ": has doc comments, but none with @module or @submodule\n")
    end
  end
end
for _, path in ipairs(arg) do
  local check = path:match("%.c$") and check_c or check_lua
  check(read(path), function(name)
    count = count + 1
    io.stderr:write(path, ": '", name, "' has no doc comment\n")
  end)
end
os.exit(count == 0)
