--- `luabox doctor`: what of all that luabox uses is here, what depends on it, and how to get it.
--
-- It changes nothing, needs no privilege, and tells what it cannot tell. `check` gives what the command prints.
-- @module luabox.doctor

local command_line = require "luabox.command_line"
local features = require "luabox.doctor_features"
local json = require "luabox.json"
local look = require "luabox.doctor_look"

local M = {}

local WIDTH = 100

-- ---- looking ----

local function examine(feature, see, group)
  local ok, status, detail = pcall(feature.look, see)
  if not ok then status, detail = "cannot tell", tostring(status):match "[^\n]*" end
  return {
    name = feature.name, group = group, status = status, detail = detail, needed_by = feature.needed_by,
    instead = feature.instead, get = feature.get, essential = feature.essential or false,
  }
end

local function examine_all(see)
  local rows, group = {}, nil
  for _, feature in ipairs(features) do
    if type(feature) == "string" then
      group = feature
    else
      rows[#rows + 1] = examine(feature, see, group)
    end
  end
  return rows
end

local function names_of(rows, status)
  local names = {}
  for _, row in ipairs(rows) do
    if row.essential and row.status == status then names[#names + 1] = row.name end
  end
  return names
end

-- "a, b and 3 more" in at most `width` columns; it names one at least.
local function enumerate(names, width)
  local text = names[1]
  for i = 2, #names do
    local longer = text .. ", " .. names[i]
    local rest = i < #names and (" and %d more"):format(#names - i) or ""
    if #longer + #rest > width then return ("%s and %d more"):format(text, #names - i + 1) end
    text = longer
  end
  return text
end

-- Whether the main job can run, and the sentence that says it, which fits a line.
local function judge(rows)
  local missing, unknown = names_of(rows, "missing"), names_of(rows, "cannot tell")
  local function sentence(beginning, names)
    return ("%s%s."):format(beginning, enumerate(names, WIDTH - #beginning - #"."))
  end
  if #missing > 0 then return false, sentence("The main job cannot run here: missing ", missing) end
  if #unknown > 0 then return true, sentence("The main job can run here, but for what cannot be told: ", unknown) end
  return true, "The main job can run here."
end

--- Looks at all that luabox uses. What only an attempt tells is tried by children in namespaces that end with them.
-- @treturn {table,...} features, each with `name`, `group`, `status` ("ok", "missing" or "cannot tell"), `detail` (why;
-- may be nil), `needed_by` (what depends on it), `instead` (what luabox does without it; nil if nothing), `get` (how to
-- get it) and `essential` (whether luabox's main job cannot run without it)
-- @treturn boolean whether luabox's main job can run here: containers on a network with NAT, ports and limits
-- @treturn string the sentence that says so
-- @treturn string who and where this is
-- @usage
-- for _, feature in ipairs(luabox.doctor.check()) do
--   if feature.status == "missing" then print(feature.name, feature.needed_by, feature.get) end
-- end
function M.check()
  local see = look.new()
  local rows = examine_all(see)
  local can_run, summary = judge(rows)
  return rows, can_run, summary, see:words()
end

-- ---- as a table ----

local STATUS_WIDTH, NAME_WIDTH = 13, 26
local INDENT = STATUS_WIDTH + NAME_WIDTH

-- Lines of at most `width`; only a word that fits none is cut.
local function wrap(text, width)
  local lines, line = {}, nil
  for word in text:gmatch "%S+" do
    while #word > width do
      lines[#lines + 1], line = line, nil
      lines[#lines + 1], word = word:sub(1, width), word:sub(width + 1)
    end
    if line and #line + 1 + #word > width then
      lines[#lines + 1], line = line, word
    else
      line = line and line .. " " .. word or word
    end
  end
  lines[#lines + 1] = line
  return lines
end

-- `first` stands before the first line, in the margin.
local function write_indented(write, first, indent, text)
  for _, line in ipairs(wrap(text, WIDTH - indent)) do
    write(first .. (" "):rep(indent - #first) .. line .. "\n")
    first = ""
  end
end

local function write_row(write, row)
  local name = row.name .. (row.essential and " *" or "")
  local text = row.needed_by .. (row.status == "ok" and row.detail and (" (%s)"):format(row.detail) or "")
  local first = row.status .. (" "):rep(STATUS_WIDTH - #row.status) .. name
  if #name >= NAME_WIDTH then
    write(first .. "\n")
    first = ""
  end
  write_indented(write, first, INDENT, text)
  if row.status == "ok" then return end
  local function more(label, value)
    if value then write_indented(write, (" "):rep(STATUS_WIDTH + 2) .. label, INDENT, value) end
  end
  more("why", row.detail)
  more("luabox's way", row.instead)
  more("to get it", row.get)
end

local function print_table(write, rows, summary, here)
  write_indented(write, "", 0, here)
  write "Features, and what needs them; * the main job does: containers on a network, NAT, ports, limits.\n"
  local group
  for _, row in ipairs(rows) do
    if row.group ~= group then write("\n" .. row.group .. "\n") end
    group = row.group
    write_row(write, row)
  end
  write("\n" .. summary .. "\n")
end

-- ---- the command ----

local USAGE = [[
usage: luabox doctor [--json]
Says what of all that luabox uses is here, what depends on it, what luabox does without it, and how to get it. It
changes nothing and needs no privilege, but root sees more. What only an attempt tells is tried in namespaces that end
with it, and not where the attempt would load a module into the kernel.
  --json  the same for scripts: { here, features = [{ name, group, status, detail, needed_by, instead, get,
          essential }], can_run, summary }
Exit status: 0 if luabox's main job can run here by this user, 1 if not, 2 for wrong arguments.
]]

--- The command line.
-- @tparam {string,...} arguments
-- @treturn int the exit status: 0 if the main job can run, 1 if not; 2 for wrong arguments
-- @usage assert(luabox.doctor.main { "--help" } == 0)
function M.main(arguments)
  local function write(text) io.stdout:write(text) end
  local o, status = command_line.flags("doctor", USAGE, { ["--json"] = "json" }, arguments)
  if not o then return status end
  local rows, can_run, summary, here = M.check()
  if o.json then
    write(json.encode { here = here, features = rows, can_run = can_run, summary = summary } .. "\n")
  else
    print_table(write, rows, summary, here)
  end
  return can_run and 0 or 1
end

return M
