--- `luabox ls`: the namespaces that there are, in lsns's columns.
-- @module luabox.ls
local columns = require "luabox.columns"
local command_line = require "luabox.command_line"
local json = require "luabox.json"
local ns = require "luabox.ns"
local options = require "luabox.options"

local M = {}

local USAGE = [[
usage: luabox ls [options] [NAMESPACE]
Lists the namespaces that this user may see, or the processes in the one with the given id.
  -t, --type TYPES     only these: a comma list of cgroup, ipc, mnt, net, pid, time, user, uts
  -p, --task PID       only those that this process is in
  -o, --output COLUMNS a comma list of NS, TYPE, NPROCS, PID, USER, UID, COMMAND, PATH, PNS (the namespace above)
  -n, --noheadings     no line of headings
  -J, --json           as JSON
      --held           those, too, that only a descriptor holds, with its process
]]

-- Columns: what to take of an entry, whether it is a number.
local COLUMNS = {
  NS = { "id", true }, TYPE = { "type" }, NPROCS = { "processes", true }, PID = { "pid", true }, UID = { "uid", true },
  USER = { "user" }, COMMAND = { "command" }, PATH = { "path" }, PNS = { "parent", true }, PPID = { "ppid", true },
}

local DEFAULT, OF_ONE = { "NS", "TYPE", "NPROCS", "PID", "USER", "COMMAND" }, { "PID", "PPID", "USER", "COMMAND" }

-- ---- the command line ----

local WORDS = {
  ["-t"] = "types", ["--type"] = "types", ["-p"] = "pid", ["--task"] = "pid", ["-o"] = "columns",
  ["--output"] = "columns",
}
local FLAGS = { ["-n"] = "bare", ["--noheadings"] = "bare", ["-J"] = "json", ["--json"] = "json", ["--held"] = "held" }

local function read_columns(text)
  local list = {}
  for word in text:gmatch "[^,%s]+" do
    local name = word:upper()
    if not COLUMNS[name] then return nil, ("there is no column '%s'"):format(word) end
    list[#list + 1] = name
  end
  return #list > 0 and list or nil, "no column is named"
end

local function read_value(o, name, text)
  if name == "types" then
    o.types = text
    local ok, problem = pcall(options.argument, ns.types, text, "ls")
    return not ok and (problem:match "%((.*)%)$" or problem) or nil
  elseif name == "pid" then
    o.pid = math.tointeger(tonumber(text))
    if not o.pid then return ("'%s' is not a pid"):format(text) end
  else
    local problem
    o.columns, problem = read_columns(text)
    return not o.columns and problem or nil
  end
end

-- The options, or nil and what is wrong.
local function read(arguments)
  local o, i = {}, 1
  while i <= #arguments do
    local word = arguments[i]
    if FLAGS[word] then
      o[FLAGS[word]] = true
    elseif WORDS[word] then
      i = i + 1
      if not arguments[i] then return nil, ("'%s' needs a value"):format(word) end
      local problem = read_value(o, WORDS[word], arguments[i])
      if problem then return nil, problem end
    elseif word:find "^%-" or o.one or not word:find "^%d+$" then
      return nil, ("unknown argument '%s'"):format(word)
    else
      o.one = tonumber(word)
    end
    i = i + 1
  end
  return o
end

-- ---- the table ----

local function cell(entry, column)
  local value = entry[COLUMNS[column][1]]
  if value == nil and column == "COMMAND" then
    value = entry.path or entry.holder and ("held by process %d"):format(entry.holder)
  end
  return value == nil and "" or (tostring(value):gsub("%c", "?")) -- a name may hold what moves a terminal's cursor
end

local function print_table(rows, names, bare)
  local lines = bare and {} or { names }
  for _, entry in ipairs(rows) do
    local cells = {}
    for i, name in ipairs(names) do cells[i] = cell(entry, name) end
    lines[#lines + 1] = cells
  end
  for _, line in ipairs(columns.lines(lines, " ", function(i) return COLUMNS[names[i]][2] end)) do print(line) end
end

local function print_json(what, rows, names)
  local list = {}
  for i, entry in ipairs(rows) do
    list[i] = {}
    for _, column in ipairs(names) do list[i][column:lower()] = entry[COLUMNS[column][1]] end
  end
  print(json.encode { [what] = list })
end

--- The command line.
-- @tparam {string,...} arguments
-- @treturn int the exit status: 0; 1 if there is no such namespace or process; 2 for wrong arguments
-- @usage assert(luabox.ls.main { "--help" } == 0)
function M.main(arguments)
  local o, status = command_line.read("ls", USAGE, read, arguments)
  if not o then return status end
  local ok, rows = pcall(o.one and ns.processes or ns.list,
    o.one or { types = o.types, pid = o.pid, held = o.held })
  if not ok then return command_line.fail("ls", rows, 1) end
  local names = o.columns or (o.one and OF_ONE or DEFAULT)
  if o.json then
    print_json(o.one and "processes" or "namespaces", rows, names)
  else
    print_table(rows, names, o.bare)
  end
  return 0
end

return M
