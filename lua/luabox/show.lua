--- Values as a person reads them: what the prompt prints of a table.
-- Internal: a part of the prompt, for nobody else.
-- @module luabox.show

local show = {}

local WIDTH, DEPTH, ITEMS = 100, 6, 100

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch("%a+") do
  keywords[word] = true
end

local escapes = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }

local function quoted(s)
  return '"' .. s:gsub('[%c"\\]', function(c) return escapes[c] or ("\\%03d"):format(c:byte()) end) .. '"'
end

local function is_name(key)
  return type(key) == "string" and key:match("^[%a_][%w_]*$") and not keywords[key]
end

local type_rank = { number = 1, string = 2, boolean = 3 }

-- Numbers, then strings, then the rest by how they print.
local function key_less(a, b)
  local ra, rb = type_rank[type(a)] or 4, type_rank[type(b)] or 4
  if ra ~= rb then return ra < rb end
  if ra <= 2 then return a < b end
  return tostring(a) < tostring(b)
end

local function sorted_keys(t, length)
  local keys = {}
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= length) then keys[#keys + 1] = key end
  end
  table.sort(keys, key_less)
  return keys
end

local function has_tostring(value)
  local metatable = debug.getmetatable(value)
  return type(metatable) == "table" and rawget(metatable, "__tostring") ~= nil
end

local render

-- "key = value" of each entry that is shown, in order.
local function render_items(t, indent, path)
  local items, length = {}, rawlen(t)
  local keys = sorted_keys(t, length)
  for i = 1, math.min(length, ITEMS) do items[i] = render(rawget(t, i), indent, path) end
  for i = 1, math.min(#keys, ITEMS - #items) do
    local key = keys[i]
    local name = is_name(key) and key or "[" .. render(key, indent, path) .. "]"
    items[#items + 1] = name .. " = " .. render(rawget(t, key), indent, path)
  end
  local hidden = length + #keys - #items
  if hidden > 0 then items[#items + 1] = ("... %d more"):format(hidden) end
  return items
end

local function render_table(t, indent, path)
  if path[t] then return "<cycle>" end
  if next(t) == nil then return "{}" end
  if path.depth == DEPTH then return "{...}" end
  path[t], path.depth = true, path.depth + 1
  local items = render_items(t, indent .. "  ", path)
  path[t], path.depth = nil, path.depth - 1
  local line = "{ " .. table.concat(items, ", ") .. " }"
  if #indent + #line <= WIDTH and not line:find("\n", 1, true) then return line end
  local inner = "\n" .. indent .. "  "
  return "{" .. inner .. table.concat(items, "," .. inner) .. "\n" .. indent .. "}"
end

function render(value, indent, path)
  if type(value) == "string" then return quoted(value) end
  if type(value) ~= "table" or has_tostring(value) then return tostring(value) end
  return render_table(value, indent, path)
end

--- A value as one would write it: strings quoted, tables nested, keys sorted. A table that holds itself shows
-- `<cycle>`; beyond six levels or a hundred entries the rest is left out, and it says so.
-- @function value
-- @param v any value
-- @treturn string
-- @usage assert(luabox.show.value { 1, "two", b = { c = true } } == '{ 1, "two", b = { c = true } }')
function show.value(v)
  return render(v, "", { depth = 0 })
end

--- Prints values as the prompt does: as `print`, but tables are readable.
-- @function print
-- @param ... any values
-- @usage luabox.show.print("links", { "eth0", "lo" })
function show.print(...)
  local texts = table.pack(...)
  for i = 1, texts.n do
    local v = texts[i]
    texts[i] = type(v) == "table" and show.value(v) or tostring(v)
  end
  io.stdout:write(table.concat(texts, "\t"), "\n")
end

return show
