--- A map as a graph for Graphviz, and as a picture that Graphviz draws.
-- Internal: a part of `luabox.map`, for nobody else.
-- @module luabox.map_dot
local errors = require "luabox.error"
local map_lines = require "luabox.map_lines"
local sys = require("luabox").sys

local M = {}

local function quote(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

local function node_name(id, index)
  return quote(("%s/%d"):format(id, index))
end

local COLORS = { up = "black", down = "gray50" }

local function add_link(out, namespace, link)
  local lines = { ("%s %s"):format(map_lines.plain(link.name), link.state) }
  for _, note in ipairs(map_lines.notes(link)) do lines[#lines + 1] = note end
  local color = COLORS[link.state] or "red"
  out[#out + 1] = ("    %s [label=%s, color=%s, fontcolor=%s];"):format(node_name(namespace.id, link.index),
    quote(table.concat(lines, "\n")), color, color)
end

local function add_rules(out, namespace)
  local texts = {}
  for i, rule in ipairs(namespace.nat) do texts[i] = map_lines.plain(rule.text) end
  if #texts == 0 then return end
  out[#out + 1] = ("    %s [label=%s, shape=note];"):format(quote(namespace.id .. "/nat"),
    quote("NAT\n" .. table.concat(texts, "\n")))
end

local function add_namespace(out, namespace)
  out[#out + 1] = ("  subgraph %s {"):format(quote("cluster " .. namespace.id))
  out[#out + 1] = ("    label=%s;"):format(quote(map_lines.title(namespace)))
  for _, link in ipairs(namespace.links) do
    if not map_lines.is_dull(link) then add_link(out, namespace, link) end
  end
  if map_lines.is_empty(namespace) then
    out[#out + 1] = ("    %s [label=\"\", shape=none];"):format(quote(namespace.id .. "/empty"))
  end
  add_rules(out, namespace)
  out[#out + 1] = "  }"
end

-- Each pair of ends once; a port to its bridge.
local function add_edges(out, namespace, by_name, seen)
  for _, link in ipairs(namespace.links) do
    local own = node_name(namespace.id, link.index)
    local master = by_name[link.master or ""]
    if master then
      out[#out + 1] = ("  %s -- %s [style=dashed];"):format(own, node_name(namespace.id, master.index))
    end
    local far = link.peer or link.lower
    local other = far and far.namespace and far.link and node_name(far.namespace, far.index)
    if other and not seen[other .. own] then
      out[#out + 1] = ("  %s -- %s [style=%s];"):format(own, other, link.peer and "solid" or "dotted")
      seen[own .. other] = true
    end
  end
end

--- A map in Graphviz's language: a cluster for each namespace, a node for each link; solid edges join the ends of a
-- pair, dashed ones a port and its bridge, dotted ones a link and the one that it is on.
-- @tparam luabox.map map
-- @treturn string
-- @see dot(1)
-- @usage assert(luabox.map_dot.draw(luabox.map()):find "^graph luabox {")
function M.draw(map)
  map = map_lines.check(map, "draw")
  local out = { "graph luabox {", "  node [shape=box, fontname=monospace, fontsize=10];",
    "  graph [rankdir=LR, fontname=monospace, fontsize=11, compound=true];" }
  for _, namespace in ipairs(map.namespaces) do add_namespace(out, namespace) end
  local seen = {}
  for _, namespace in ipairs(map.namespaces) do
    local by_name = {}
    for _, link in ipairs(namespace.links) do by_name[link.name] = link end
    add_edges(out, namespace, by_name, seen)
  end
  out[#out + 1] = "}\n"
  return table.concat(out, "\n")
end

local function run_dot(text)
  local process <close> = sys.process.spawn { program = { "dot", "-Tsvg" }, stdin = "pipe", stdout = "pipe",
    stderr = "pipe" }
  local stdout, stderr = sys.process.communicate(process, { input = text })
  local result = process:wait()
  if result.code ~= 0 then
    errors.raise { op = "run", subject = "dot", message = stderr:match "[^\n]+" or "it failed" }
  end
  return stdout
end

--- A map as a picture, in SVG; Graphviz's program `dot` draws it.
-- @tparam luabox.map map
-- @treturn string
-- @raise luabox.error: ENOENT if Graphviz is not installed
-- @see dot(1)
function M.svg(map)
  map = map_lines.check(map, "svg")
  local ok, result = pcall(run_dot, M.draw(map))
  if ok then return result end
  if errors.is(result) and result.code == "ENOENT" then
    errors.raise { op = "draw SVG", subject = "dot", code = "ENOENT",
      hint = "install the package graphviz, or let another machine draw what `luabox map --dot` prints" }
  end
  error(result, 0)
end

return M
