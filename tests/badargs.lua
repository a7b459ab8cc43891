--- Every way to give a function a wrong table of options, and the sentence that each must get.
--
-- The description is that of luabox.options; it has the kinds of the C core, too: "int" (integer), "bool" (boolean),
-- "flags" (a comma list; `names` in the order of the core's table) and "fd" (handle). A kind that a case cannot be
-- made for is passed over, except for its type.
local nearest = require("luabox.sys.options").nearest

local aliases = { int = "integer", bool = "boolean", fd = "handle" }

-- kind → what its messages call it, and a value of another type
local types = {
  string = { "string", true },
  integer = { "integer", "x" },
  number = { "number", "x" },
  boolean = { "boolean", 1 },
  ["function"] = { "function", 1 },
  table = { "table", 1 },
  list = { "list", 1 },
  map = { "table", 1 },
  enum = { "string", true },
  flags = { "string", true },
  handle = { "handle, io file or descriptor number", true },
  size = { "number of bytes or string such as '64M'", true },
  duration = { "number of seconds or string such as '1.5s'", true },
  address = { "string", true },
  subnet = { "string", true },
}

local generators = {}

function generators.string(add, d)
  add("a\0b", "contains a zero byte")
  if (d.min or 0) > 0 then add("", "is empty") end
  if d.max then
    local text = ("x"):rep(d.max + 1)
    add(text, ("'%.80s' is %d bytes long; at most %d are allowed"):format(text, #text, d.max))
  end
end

local function add_range(add, d, shown)
  if not d.min or not d.max then return end
  for _, value in ipairs { d.min - 1, d.max + 1 } do
    add(value, ("%s is out of range (%d to %d)"):format(shown(value), d.min, d.max))
  end
end

function generators.integer(add, d)
  add(1.5, "integer expected, got number")
  add_range(add, d, tostring)
end

function generators.number(add, d)
  add_range(add, d, function(value) return ("%g"):format(value) end)
end

-- A word that is near to none.
local STRANGE = "qqqqqqqqqqqqqqqq"

function generators.enum(add, d)
  add(STRANGE, ("unknown value '%s'; expected one of '%s'"):format(STRANGE, table.concat(d.names, "', '")))
end
generators.flags = generators.enum

function generators.address(add)
  add("10.0.0.300/24", "'10.0.0.300/24' is not an address")
end

function generators.size(add)
  add("64Q", "'64Q' is not a size, such as '512K', '64M' or '1G'")
end

function generators.duration(add)
  add("64Q", "'64Q' is not a duration, such as 3, '1.5s' or '200ms'")
end

local function changed(valid, name, value)
  local t = {}
  for k, v in pairs(valid) do t[k] = v end
  t[name] = value
  return t
end

local M = {}

--- All wrong tables.
-- @tparam table spec name → description
-- @tparam table valid a table that the function would take
-- @treturn {{table,string},...} a table and the sentence that it must get
function M.cases(spec, valid)
  local cases, names = {}, {}
  for name in pairs(spec) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local d = spec[name]
    local kind = aliases[d[1]] or d[1]
    local function add(value, sentence)
      cases[#cases + 1] = { changed(valid, name, value), ("option '%s': %s"):format(name, sentence) }
    end
    local misspelt = name .. "x"
    local meant = nearest(misspelt, names)
    cases[#cases + 1] = {
      changed(valid, misspelt, valid[name] or 1), ("unknown option '%s'; did you mean '%s'?"):format(misspelt, meant),
    }
    if d.required then cases[#cases + 1] = { changed(valid, name, nil), ("option '%s' is missing"):format(name) } end
    local wrong = types[kind]
    if wrong then add(wrong[2], ("%s expected, got %s"):format(wrong[1], type(wrong[2]))) end
    if generators[kind] then generators[kind](add, d) end
  end
  cases[#cases + 1] = { changed(valid, 1, "x"), "option names are strings, got a number key" }
  return cases
end

-- What is wrong with how a function refused its arguments, or nil.
local function deviation(sentence, arg, ok, message)
  if ok then return "was taken" end
  if type(message) ~= "string" then return "raised " .. tostring(message) end
  local number, text = message:match("bad argument #(%d+) to '[^']*' %((.*)%)$")
  if number == tostring(arg) and text == sentence then return nil end
  return "got       " .. message
end

--- Asserts that a function refuses each wrong table with the sentence that it must, and that nothing was changed.
-- @tparam function f takes the table
-- @tparam table spec name → description
-- @tparam table valid a table that it would take; it is never called with it
-- @tparam[opt] table o
-- @tparam[opt=1] integer o.arg the number of the argument in the messages
-- @tparam[opt] function o.state returns a string that describes what the function could change
function M.check(f, spec, valid, o)
  o = o or {}
  local arg, state = o.arg or 1, o.state or function() end
  local before, deviations = state(), {}
  local function try(sentence, value)
    local problem = deviation(sentence, arg, pcall(f, value))
    if problem then deviations[#deviations + 1] = ("expected  %s\n%s"):format(sentence, problem) end
  end
  try("table expected, got string", "x")
  for _, case in ipairs(M.cases(spec, valid)) do try(case[2], case[1]) end
  if #deviations > 0 then error(table.concat(deviations, "\n"), 2) end
  if state() ~= before then error(("a refused call changed %s\nto %s"):format(before, state()), 2) end
end

return M
