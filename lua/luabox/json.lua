--- JSON, written: for scripts in other languages.
-- @module luabox.json
local M = {}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r" }

-- What is no UTF-8 (a file name may be anything) is taken as Latin-1.
local function string_of(text)
  if not utf8.len(text) then
    text = text:gsub("[\128-\255]", function(c) return utf8.char(c:byte()) end)
  end
  return '"' .. text:gsub('[%c"\\]', function(c) return ESCAPES[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
end

local function number_of(value)
  if value ~= value or value == math.huge or value == -math.huge then return "null" end
  return math.type(value) == "integer" and ("%d"):format(value) or ("%.14g"):format(value)
end

local function is_list(t)
  local count = 0
  for _ in pairs(t) do count = count + 1 end
  return count == #t
end

local encode

local function list_of(t, indent)
  local parts = {}
  for i, value in ipairs(t) do parts[i] = encode(value, indent) end
  return parts, "[", "]"
end

local function object_of(t, indent)
  local names, parts = {}, {}
  for name in pairs(t) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = string_of(name) .. ": " .. encode(t[name], indent) end
  return parts, "{", "}"
end

-- A table of plain values goes on one line, one of tables on several.
local function table_of(t, indent)
  local inner = indent .. "  "
  local parts, open, close = (is_list(t) and list_of or object_of)(t, inner)
  local nested = false
  for _, value in pairs(t) do nested = nested or type(value) == "table" end
  if not nested then return open .. table.concat(parts, ", ") .. close end
  return ("%s\n%s%s\n%s%s"):format(open, inner, table.concat(parts, ",\n" .. inner), indent, close)
end

function encode(value, indent)
  local kind = type(value)
  if kind == "table" then return table_of(value, indent) end
  if kind == "number" then return number_of(value) end
  if kind == "nil" or kind == "boolean" then return kind == "nil" and "null" or tostring(value) end
  return string_of(tostring(value))
end

--- A value as JSON text. A table is an array if it is a list (an empty one, too), else an object with sorted names.
-- @param value what is no table, string, number, boolean or nil is written as `tostring` gives it
-- @treturn string without a newline at its end
-- @usage assert(luabox.json.encode { a = { 1, 2 }, b = "x" } == '{\n  "a": [1, 2],\n  "b": "x"\n}')
function M.encode(value)
  return encode(value, "")
end

return M
