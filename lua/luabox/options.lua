--- Option tables against a description: the Lua twin of src/binding/options.c, with the same sentences.
--
-- A description maps each option's name to a kind and its limits, as in
-- `{ name = { "string", required = true, max = 15 }, cpus = { "number", min = 0 } }`. An integer for a name allows
-- that list entry. Names are checked first over the whole table, then each value and its presence, in the order
-- of the names; nothing else has happened yet. Every kind takes `required`, `default`, and `check`: a function that
-- returns the value to use, or nil and a sentence. The kinds and their limits:
--
-- * `string`: `min`, `max` (bytes), `pattern` with `says` ("is not a name: …")
-- * `integer`, `number`: `min`, `max`
-- * `boolean`, `function`
-- * `enum`: `names`; `also` is what else the sentence offers
-- * `flags`: a comma list of `names` (a list, or a function that gives one)
-- * `name`: of a network or of who is in it
-- * `interface`: the name of a link; `mac`: the address of one
-- * `list`: `of` (a description), `min`, `max` (entries)
-- * `map`: `of`, and `key` (a description of the names)
-- * `table`: `fields` (a table of descriptions; any table without)
-- * `size`: bytes, or "64M"; `min`, `max`
-- * `duration`: seconds, or "1.5s", "200ms", "5m"; `min`, `max`
-- * `address`: a luabox.address from "10.0.0.2" or "10.0.0.2/24"; `prefix` is "required" or "none"
-- * `subnet`: the same, with a prefix and without host bits
-- * `ports`: a list of port maps, as `luabox.port_map.parse` gives them
-- * `handle`: a handle, an io file or a descriptor number
-- * `object`: a value whose metatable's `__name` is `is`
-- * `any`: what one of the descriptions that follow takes, the last to speak for a value that fits none; any value
--   without
-- @module luabox.options
local kinds = require "luabox.option_kinds"

local OWN_SOURCES = debug.getinfo(1, "S").source:match("^(.*/)options%.lua$")

-- The kinds of option_kinds, to which those that hold other values are added here. Each returns the value to
-- use, or nil and a problem: a sentence without a subject, or a table made from one by `at`.
local checks = kinds.checks

-- The problem, seen from the table around: `name` goes before its path.
local function at(problem, name)
  if type(problem) == "string" then return { before = "option '", path = name, after = "': " .. problem } end
  local path = problem.path
  if path ~= "" and path:sub(1, 1) ~= "[" then path = "." .. path end
  problem.path = name .. path
  return problem
end

local function sentence(problem)
  if type(problem) == "string" then return problem end
  return problem.before .. problem.path .. (problem.path == "" and problem.after:gsub("^: ", "") or problem.after)
end

local function check_value(value, description)
  local checked, problem = checks[description[1]](value, description)
  if problem or not description.check then return checked, problem end
  return description.check(checked)
end

-- description → its options, sorted by name
local compiled = setmetatable({}, { __mode = "k" })

local function compile(spec)
  local list = {}
  for name, description in pairs(spec) do
    -- With a check of its own, an option takes the longer way.
    local check = description.check and check_value or checks[description[1]]
    local path = type(name) == "number" and ("[%d]"):format(name) or name
    list[#list + 1] = {
      name = name, path = path, description = description, check = check,
      required = description.required, default = description.default,
    }
  end
  table.sort(list, function(a, b) return a.path < b.path end)
  compiled[spec] = list
  return list
end

local function unknown_name(spec, key)
  if type(key) ~= "string" then
    return { before = "", path = "", after = (": option names are strings, got a %s key"):format(type(key)) }
  end
  local names = {}
  for _, o in ipairs(compiled[spec] or compile(spec)) do
    if type(o.name) == "string" then names[#names + 1] = o.name end
  end
  return { before = "unknown option '", path = key, after = "'" .. kinds.suggestion(key, names) }
end

-- The checked copy of a table, or nil and a problem. A table's own entries count, not what a metatable adds.
local function check_table(spec, t)
  local given = {}
  for key, value in next, t do
    if spec[key] == nil then return nil, unknown_name(spec, key) end
    given[key] = value
  end
  local list = compiled[spec] or compile(spec)
  for i = 1, #list do
    local o = list[i]
    local name = o.name
    local value = given[name]
    if value ~= nil then
      local checked, problem = o.check(value, o.description)
      if problem then return nil, at(problem, o.path) end
      given[name] = checked
    elseif o.required then
      return nil, { before = "option '", path = o.path, after = "' is missing" }
    elseif o.default ~= nil then
      given[name] = o.default
    end
  end
  return given
end

function checks.table(value, d)
  if type(value) ~= "table" then return nil, kinds.expected("table", value) end
  if not d.fields then return value end
  return check_table(d.fields, value)
end

-- Why a table is no list.
local function no_list(value)
  for key in next, value do
    if math.type(key) ~= "integer" then return ("list expected, got a table with the key '%s'"):format(key) end
  end
  return "list expected, got a table with holes"
end

-- What is wrong with the number of entries, or nil.
local function count_problem(count, d)
  if count == 0 and (d.min or 0) > 0 then return "is empty" end
  if d.min and count < d.min then return ("has %d entries; at least %d are needed"):format(count, d.min) end
  if d.max and count > d.max then return ("has %d entries; at most %d are allowed"):format(count, d.max) end
end

function checks.list(value, d)
  if type(value) ~= "table" then return nil, kinds.expected("list", value) end
  local result, of = {}, d.of
  local check = of.check and check_value or checks[of[1]]
  local length, count = #value, 0
  for _ in next, value do count = count + 1 end
  if count ~= length then return nil, no_list(value) end
  for i = 1, length do
    if value[i] == nil then return nil, no_list(value) end
    local checked, problem = check(value[i], of)
    if problem then return nil, at(problem, ("[%d]"):format(i)) end
    result[i] = checked
  end
  local problem = count_problem(length, d)
  if problem then return nil, problem end
  return result
end

function checks.map(value, d)
  if type(value) ~= "table" then return nil, kinds.expected("table", value) end
  local result = {}
  for key, entry in next, value do
    if type(key) ~= "string" then return nil, ("names are strings, got a %s key"):format(type(key)) end
    local _, problem = check_value(key, d.key or { "string" })
    if problem then return nil, "name " .. problem end
    result[key], problem = check_value(entry, d.of)
    if problem then return nil, at(problem, key) end
  end
  return result
end

local function alternatives(d)
  local names = {}
  for i = 2, #d do names[#names + 1] = kinds.spoken(d[i]) end
  return table.concat(names, " or ")
end

function checks.any(value, d)
  if #d == 1 then return value end
  local last
  for i = 2, #d do
    if kinds.accepts[d[i][1]][type(value)] then
      local checked, problem = check_value(value, d[i])
      if not problem then return checked end
      last = problem
    end
  end
  return nil, last or kinds.expected(alternatives(d), value)
end

-- The line of the first caller that is no part of the library, as error() puts it.
local function position()
  for level = 3, math.huge do
    local info = debug.getinfo(level, "Sl")
    if not info then return "" end
    local own = info.what == "C" or info.source:match("^(.*/)[^/]+%.lua$") == OWN_SOURCES
    if not own and info.currentline > 0 then return ("%s:%d: "):format(info.short_src, info.currentline) end
  end
end

local M = {}

--- Checks a table against a description.
-- @tparam table spec name → description
-- @tparam table t
-- @tparam string where the function whose argument this is, as the message names it
-- @tparam[opt=1] integer arg the number of the argument
-- @treturn table a new one, with the values as the kinds made them and the defaults filled in
-- @raise an argument error with the position of the first caller outside of the library
-- @usage
-- local spec = { name = { "string", required = true }, memory = { "size", default = 1024 } }
-- assert(luabox.options.check(spec, { name = "a" }, "container").memory == 1024)
-- local ok, message = pcall(luabox.options.check, spec, { nam = "a" }, "container")
-- assert(message:find("bad argument #1 to 'container' (unknown option 'nam'; did you mean 'name'?)", 1, true))
function M.check(spec, t, where, arg)
  if type(t) ~= "table" then M.fail(where, nil, kinds.expected("table", t), arg) end
  local result, problem = check_table(spec, t)
  if problem then M.fail(where, nil, sentence(problem), arg) end
  return result
end

--- Raises the argument error "option 'name': text", for what a description cannot say.
-- @tparam string where the function
-- @tparam ?string name the option; nil if the text is the whole sentence
-- @tparam string text
-- @tparam[opt=1] integer arg
-- @raise always
-- @usage
-- local ok, message = pcall(luabox.options.fail, "network", "subnet", "is too small")
-- assert(message:find("bad argument #1 to 'network' (option 'subnet': is too small)", 1, true))
function M.fail(where, name, text, arg)
  if name then text = ("option '%s': %s"):format(name, text) end
  error(("%sbad argument #%d to '%s' (%s)"):format(position(), arg or 1, where, text), 0)
end

--- Checks one operand of a function that takes no table of options.
-- @tparam table description of the one value
-- @param value
-- @tparam string where the function
-- @tparam[opt=1] integer arg
-- @return the value to use
-- @raise an argument error
-- @usage
-- assert(luabox.options.argument({ "duration", min = 0 }, "1.5s", "wait") == 1.5)
-- local ok, message = pcall(luabox.options.argument, { "string", required = true }, nil, "wait")
-- assert(message:find("bad argument #1 to 'wait' (string expected, got no value)", 1, true))
function M.argument(description, value, where, arg)
  if value == nil and not description.required then return description.default end
  local checked, problem = check_value(value, description)
  if problem then M.fail(where, nil, sentence(problem), arg) end
  return checked
end

--- Makes methods refuse, with an argument error, to be called on anything but an object of their type, as with a dot
-- in place of the colon.
-- @tparam string is the `__name` of the objects' metatable
-- @tparam {[string]=function} methods
-- @usage
-- local methods = { size = function(self) return #self.list end }
-- luabox.options.methods("bag", methods)
-- local ok, message = pcall(methods.size, "x")
-- assert(message:find("calling 'size' on bad self (bag expected, got string)", 1, true))
function M.methods(is, methods)
  local description = { is = is }
  for name, f in pairs(methods) do
    methods[name] = function(self, ...)
      local _, problem = checks.object(self, description)
      if problem then error(("%scalling '%s' on bad self (%s)"):format(position(), name, problem), 0) end
      return f(self, ...)
    end
  end
end

return M
