-- The single values that luabox.options knows: each function takes a value and its description, and returns
-- the value to use, or nil and a sentence without a subject ("string expected, got number").
-- Internal: a part of `luabox.options`, for nobody else.
local nearest = require("luabox.sys.options").nearest

local find = string.find

local M = {}

-- The Lua types that a kind takes: how `any` chooses among its alternatives.
M.accepts = {
  string = { string = true },
  integer = { number = true },
  number = { number = true },
  boolean = { boolean = true },
  ["function"] = { ["function"] = true },
  enum = { string = true },
  flags = { string = true },
  name = { string = true },
  interface = { string = true },
  mac = { string = true },
  list = { table = true },
  map = { table = true },
  table = { table = true },
  size = { number = true, string = true },
  duration = { number = true, string = true },
  address = { string = true, table = true },
  subnet = { string = true, table = true },
  ports = { table = true },
  routes = { table = true },
  handle = { userdata = true, number = true },
  object = { table = true, userdata = true },
}

-- How messages call a kind, where its own name would not do.
local spoken = {
  enum = "string",
  flags = "string",
  name = "string",
  interface = "string",
  mac = "string",
  size = "number of bytes or string such as '64M'",
  duration = "number of seconds or string such as '1.5s'",
  address = "string",
  subnet = "string",
  handle = "handle, io file or descriptor number",
}

function M.spoken(description)
  return description.is or spoken[description[1]] or description[1]
end

function M.expected(what, value)
  return ("%s expected, got %s"):format(what, value == nil and "no value" or type(value))
end

--- What may have been meant, as the end of a sentence.
-- @string word
-- @tparam {string,...} names
-- @treturn string "; did you mean 'x'?", or "; expected one of 'x', 'y'" where nothing is near
function M.suggestion(word, names)
  local best = nearest(word, names)
  if best then return ("; did you mean '%s'?"):format(best) end
  return "; expected one of '" .. table.concat(names, "', '") .. "'"
end

local function out_of_range(value, shown, d)
  if not (d.min and value < d.min or d.max and value > d.max or value ~= value) then return nil end
  if d.min and d.max then return ("%s is out of range (%s to %s)"):format(shown, d.min, d.max) end
  if d.min then return ("%s is out of range (at least %s)"):format(shown, d.min) end
  if d.max then return ("%s is out of range (at most %s)"):format(shown, d.max) end
  return shown .. " is out of range"
end

local checks = {}
M.checks = checks

function checks.string(value, d)
  if type(value) ~= "string" then return nil, M.expected("string", value) end
  if find(value, "\0", 1, true) then return nil, "contains a zero byte" end
  local max = d.max
  if max and #value > max then
    return nil, ("'%.80s' is %d bytes long; at most %d are allowed"):format(value, #value, max)
  end
  if #value < (d.min or 0) then return nil, "is empty" end
  if d.pattern and not find(value, d.pattern) then return nil, ("'%.80s' %s"):format(value, d.says) end
  return value
end

function checks.integer(value, d)
  local number = type(value) == "number" and math.tointeger(value)
  if not number then return nil, M.expected("integer", value) end
  local problem = out_of_range(number, number, d)
  if problem then return nil, problem end
  return number
end

function checks.number(value, d)
  if type(value) ~= "number" then return nil, M.expected("number", value) end
  local problem = out_of_range(value, ("%g"):format(value), d)
  if problem then return nil, problem end
  return value
end

function checks.boolean(value)
  if type(value) ~= "boolean" then return nil, M.expected("boolean", value) end
  return value
end

checks["function"] = function(value)
  if type(value) ~= "function" then return nil, M.expected("function", value) end
  return value
end

function checks.enum(value, d)
  local names = d.names
  for i = 1, #names do
    if names[i] == value then return value end
  end
  if type(value) ~= "string" then return nil, M.expected("string", value) end
  local suggestion = M.suggestion(value, names)
  if d.also and not suggestion:find "%?$" then suggestion = suggestion .. " or " .. d.also end
  return nil, ("unknown value '%s'%s"):format(value, suggestion)
end

-- A comma list. The names may be a function that gives them, where they are the core's.
function checks.flags(value, d)
  local text, problem = checks.string(value, {})
  if not text then return nil, problem end
  local names = type(d.names) == "function" and d.names() or d.names
  for word in text:gmatch "[^,]+" do
    local _, unknown = checks.enum(word, { names = names })
    if unknown then return nil, unknown end
  end
  return text
end

local NAME = { min = 1, max = 63, pattern = "^[%w_][%w_.-]*$",
  says = "is not a name: letters, digits, '_', '.' and '-', the last two not at the start" }

function checks.name(value)
  return checks.string(value, NAME)
end

-- What the kernel takes for the name of a link; '%' is for names that it is to complete.
local INTERFACE = { min = 1, max = 15, pattern = "^[^/:%%%s]+$",
  says = "is not an interface name: no '/', ':', '%' or blank is allowed in it" }

function checks.interface(value)
  local name, problem = checks.string(value, INTERFACE)
  if name == "." or name == ".." or name == "lo" then
    return nil, ("'%s' is not an interface name that can be chosen"):format(name)
  end
  return name, problem
end

local MAC = { pattern = "^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$", says = "is not a MAC address, such as '02:00:00:00:00:01'" }

-- The lowest bit of the first byte marks an address of many.
function checks.mac(value)
  local mac, problem = checks.string(value, MAC)
  if not mac then return nil, problem end
  if tonumber(mac:sub(1, 2), 16) & 1 == 1 or not mac:find "[^0:]" then
    return nil, ("'%s' is no MAC address of a single link"):format(mac)
  end
  return mac
end

local function unit_check(parse, d, value)
  local number, problem = parse(value)
  problem = problem or out_of_range(number, ("'%s'"):format(value), d)
  if problem then return nil, problem end
  return number
end

function checks.size(value, d)
  if not M.accepts.size[type(value)] then return nil, M.expected(spoken.size, value) end
  return unit_check(require("luabox.units").size, d, value)
end

function checks.duration(value, d)
  if not M.accepts.duration[type(value)] then return nil, M.expected(spoken.duration, value) end
  return unit_check(require("luabox.units").duration, d, value)
end

function checks.address(value, d)
  local address = require "luabox.address"
  if address.is(value) then return address.require_prefix(value, d.prefix) end
  if type(value) ~= "string" then return nil, M.expected("string", value) end
  local parsed, problem = address.parse(value)
  if not parsed then return nil, problem end
  return address.require_prefix(parsed, d.prefix)
end

function checks.subnet(value)
  local address = require "luabox.address"
  if address.is(value) then value = tostring(value) end
  if type(value) ~= "string" then return nil, M.expected("string", value) end
  return address.subnet(value)
end

function checks.ports(value)
  local option = require("luabox.port_map").option
  local list, problem = checks.list(value, option)
  if problem then return nil, problem end
  return option.check(list)
end

function checks.routes(value)
  return checks.list(value, require("luabox.route_list").option)
end

local function is_open_handle(value)
  local fileno = getmetatable(value).__index.fileno
  return pcall(fileno, value)
end

function checks.handle(value)
  local kind = type(value)
  if kind == "number" and math.tointeger(value) and value >= 0 then return value end
  if io.type(value) == "file" then return value end
  local meta = kind == "userdata" and getmetatable(value)
  local is_handle = meta and type(meta.__index) == "table" and meta.__index.fileno
  if io.type(value) == "closed file" or is_handle and not is_open_handle(value) then
    return nil, "attempt to use a closed handle"
  end
  if not is_handle then return nil, M.expected(spoken.handle, value) end
  return value
end

function checks.object(value, d)
  local meta = getmetatable(value)
  local name = type(meta) == "table" and meta.__name
  if name == d.is then
    if type(value) == "userdata" and not is_open_handle(value) then return nil, "attempt to use a closed handle" end
    return value
  end
  if value == nil or type(name) ~= "string" then return nil, M.expected(d.is, value) end
  return nil, ("%s expected, got %s"):format(d.is, name)
end

return M
