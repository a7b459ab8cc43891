--- `luabox map`: the network namespaces and what is connected with what, as a picture.
-- Internal: the command line of `luabox.map`, for nobody else.
-- @module luabox.map_command
local command_line = require "luabox.command_line"
local find = require "luabox.ns_find"
local map = require "luabox.map"

local M = {}

local USAGE = [[
usage: luabox map [options] [--] [PID|NAME...]
Draws the network namespaces that this user may see, their links, and which link is joined with which. PID is a process;
NAME a network namespace of `ip netns`, or the host name of a container: then only these and what they are joined with.
      --dot    as a graph for Graphviz
      --svg    as a picture, drawn by Graphviz
  -J, --json   as JSON
]]

local FORMATS = { ["--dot"] = "dot", ["--svg"] = "svg", ["--json"] = "json", ["-J"] = "json" }

local function draw_json(graph)
  return require("luabox.json").encode(graph) .. "\n"
end

local DRAW = {
  text = function(graph) return tostring(graph) .. "\n" end,
  dot = function(graph) return require("luabox.map_dot").draw(graph) end,
  svg = function(graph) return require("luabox.map_dot").svg(graph) end,
  json = draw_json,
}

-- The options, or nil and what is wrong.
local function read(arguments)
  local o, only_targets = { format = "text", targets = {} }, false
  for _, word in ipairs(arguments) do
    if only_targets or not word:find "^%-" then
      o.targets[#o.targets + 1] = word
    elseif word == "--" then
      only_targets = true
    elseif FORMATS[word] then
      o.format = FORMATS[word]
    else
      return nil, ("unknown option '%s'"):format(word)
    end
  end
  return o
end

-- What the option `namespaces` of luabox.map takes; nil for all, or nil and what is wrong.
local function resolve(targets)
  local names, handles = {}, {}
  for _, target in ipairs(targets) do
    local pid, namespace, problem = find.one(target)
    if problem then return nil, problem end
    handles[#handles + 1] = namespace
    local label = math.tointeger(tonumber(target)) and ("process %d"):format(pid) or target
    names[label] = pid or namespace
  end
  return next(names) and names or nil, nil, handles
end

local function draw(o)
  local namespaces, problem, handles = resolve(o.targets)
  if problem then return nil, problem end
  local ok, text = pcall(function() return DRAW[o.format](map { namespaces = namespaces }) end)
  for _, handle in ipairs(handles) do handle:close() end
  return ok and text or nil, tostring(text)
end

--- The command line.
-- @tparam {string,...} arguments
-- @treturn int the exit status: 0; 1 if it cannot be drawn; 2 for wrong arguments
-- @usage assert(luabox.map_command.main { "--help" } == 0)
function M.main(arguments)
  local o, status = command_line.read("map", USAGE, read, arguments)
  if not o then return status end
  local text, problem = draw(o)
  if not text then return command_line.fail("map", problem, 1) end
  io.stdout:write(text)
  return 0
end

return M
