--- A map as text: boxes of namespaces, and lines between them.
-- A namespace that is joined with one other only stands on its right, at the link that leads to it.
-- Internal: a part of `luabox.map`, for nobody else.
-- @module luabox.map_text
local map_lines = require "luabox.map_lines"
local map_rows = require "luabox.map_rows"

local M = {}

local WIDTH = 100
local GAP, FRAME = map_rows.GAP, map_rows.FRAME
local LEFT, LEFT_TITLE = 48, 30 -- the widest inside of a box with others on its right, at first

-- ---- who stands where ----

local function far_of(link)
  local far = link.peer or link.lower
  return far and far.namespace
end

-- Sets of neighbours by id.
local function neighbours_of(graph)
  local sets = {}
  for _, namespace in ipairs(graph.namespaces) do sets[namespace.id] = {} end
  for _, namespace in ipairs(graph.namespaces) do
    for _, link in ipairs(namespace.links) do
      local far = far_of(link)
      if far and far ~= namespace.id and sets[far] then
        sets[namespace.id][far], sets[far][namespace.id] = true, true
      end
    end
  end
  return sets
end

-- Of two that have only each other, which is the one to stand on the left.
local function comes_first(a, b)
  for _, field in ipairs { "here", "is_host" } do
    if a[field] ~= b[field] then return a[field] == true end
  end
  if #a.links ~= #b.links then return #a.links > #b.links end
  return a.position < b.position
end

-- id → the one on whose right it stands.
local function find_leaves(graph, sets)
  local leaf_of = {}
  for _, namespace in ipairs(graph.namespaces) do
    local only = next(sets[namespace.id])
    if only and not next(sets[namespace.id], only) then
      local other = graph.by_id[only]
      local is_pair = next(sets[only], next(sets[only])) == nil
      if not is_pair or comes_first(other, namespace) then leaf_of[namespace.id] = only end
    end
  end
  return leaf_of
end

-- Those on the left, each followed by those that it is joined with.
local function order_of(graph, sets, leaf_of)
  local order, seen = {}, {}
  local function visit(namespace)
    if seen[namespace.id] or leaf_of[namespace.id] then return end
    seen[namespace.id] = true
    order[#order + 1] = namespace
    local others = {}
    for id in pairs(sets[namespace.id]) do others[#others + 1] = graph.by_id[id] end
    table.sort(others, function(a, b) return a.position < b.position end)
    for _, other in ipairs(others) do visit(other) end
  end
  for _, first in ipairs { "here", "is_host", "id" } do
    for _, namespace in ipairs(graph.namespaces) do
      if namespace[first] then visit(namespace) end
    end
  end
  return order
end

-- ---- the joints of a box with those on its right ----

local function by_name(items)
  local map = {}
  for _, item in ipairs(items) do map[item.link.name] = item end
  return map
end

-- The first of some items whose other end is in a namespace, and the item of that end.
local function first_joint(items, id, theirs)
  for _, item in ipairs(items) do
    local far = item.link.peer or item.link.lower
    if far and far.namespace == id and theirs[far.link] then return item, theirs[far.link] end
  end
end

-- For each item the namespaces to which a line is drawn from it. Each gets one line: a second link between the same two
-- is told in words. What is on a link in another namespace is told by that one alone.
local function joints_of(namespace, items, leaves)
  local joints, own, upper = {}, by_name(items), {}
  for _, item in ipairs(items) do
    local lower = item.link.lower
    if lower and lower.namespace and not upper[lower.namespace] then upper[lower.namespace] = { item } end
  end
  for _, leaf in ipairs(leaves) do
    leaf.items = map_lines.items(leaf)
    leaf.joint, leaf.at = first_joint(leaf.items, namespace.id, own)
    if not leaf.at and upper[leaf.id] then
      leaf.at, leaf.joint = first_joint(upper[leaf.id], leaf.id, by_name(leaf.items))
    end
    if leaf.at then
      joints[leaf.at] = joints[leaf.at] or {}
      table.insert(joints[leaf.at], leaf)
      leaf.at.drawn, leaf.joint.drawn = true, true
    end
  end
  return joints
end

-- ---- boxes ----

local function widest(lines, title, most, most_title)
  local width = math.min(utf8.len(title) + 2, most_title or most)
  for _, line in ipairs(lines) do width = math.max(width, utf8.len(line.text)) end
  return math.min(width, most)
end

-- The widths inside of the box on the left and of those on the right.
local function widths_of(graph, namespace, items, leaves)
  local title = map_lines.title(namespace)
  if #leaves == 0 then
    local most = WIDTH - FRAME
    return widest(map_lines.lines(graph, namespace, items, most), title, most), 1
  end
  local left = widest(map_lines.lines(graph, namespace, items, LEFT), title, LEFT, LEFT_TITLE)
  local right, most = 1, WIDTH - GAP - 2 * FRAME - left
  for _, leaf in ipairs(leaves) do
    right = math.max(right, widest(map_lines.lines(graph, leaf, leaf.items, most), map_lines.title(leaf), most))
  end
  return math.max(left, math.min(utf8.len(title) + 2, left + most - right)), right
end

local function add_leaf(rows, graph, after, leaf)
  local lines, at = map_lines.lines(graph, leaf, leaf.items, rows.right), 1
  for i, line in ipairs(lines) do
    if line.item == leaf.joint then at = i end
  end
  rows:open(after, map_lines.title(leaf), lines, at)
end

local function add_line(rows, graph, line, after, leaves)
  for i, leaf in ipairs(leaves) do
    if i > 1 then after = line.after end
    add_leaf(rows, graph, after, leaf)
    rows:add(i == 1 and line.text or line.after, true)
  end
  if #leaves == 0 then rows:add(line.text) end
end

local function draw_box(out, graph, namespace, leaves)
  local items = map_lines.items(namespace)
  local joints = joints_of(namespace, items, leaves)
  local rows = map_rows.new(widths_of(graph, namespace, items, leaves))
  rows:begin(map_lines.title(namespace))
  local after = ""
  for _, line in ipairs(map_lines.lines(graph, namespace, items, rows.left)) do
    add_line(rows, graph, line, after, line.item and joints[line.item] or {})
    after = line.after
  end
  rows:finish()
  rows:draw(out)
  for _, leaf in ipairs(leaves) do -- whose link is not among those that are drawn
    if not leaf.at then draw_box(out, graph, leaf, {}) end
  end
end

-- ---- the whole ----

local function add_list(out, head, sentences)
  if #sentences > 0 then out[#out + 1] = head end
  for _, sentence in ipairs(sentences) do
    for i, text in ipairs(map_lines.wrap(map_lines.words(sentence), WIDTH - 2, " ")) do
      out[#out + 1] = (i == 1 and "- " or "  ") .. text
    end
  end
end

-- What a drawing adds to a graph, on a copy of it.
local function prepare(graph)
  local copy = { namespaces = {}, by_id = {} }
  for i, namespace in ipairs(graph.namespaces) do
    local own = setmetatable({ position = i, is_host = namespace.label == "host" or nil }, { __index = namespace })
    copy.namespaces[i], copy.by_id[namespace.id] = own, own
  end
  return copy
end

--- Draws a map with box-drawing characters, at most 100 columns wide.
-- @tparam luabox.map map
-- @treturn string without a newline at its end
-- @usage print(luabox.map_text.draw(luabox.map()))
function M.draw(map)
  map = map_lines.check(map, "draw")
  local graph, out, empty = prepare(map), {}, {}
  local sets = neighbours_of(graph)
  local leaf_of = find_leaves(graph, sets)
  local leaves = {}
  for _, namespace in ipairs(graph.namespaces) do
    local hub = leaf_of[namespace.id]
    leaves[hub or namespace.id] = leaves[hub or namespace.id] or {}
    if hub then table.insert(leaves[hub], namespace) end
  end
  for _, namespace in ipairs(order_of(graph, sets, leaf_of)) do
    local is_apart = not next(sets[namespace.id])
    if is_apart and map_lines.is_empty(namespace) then
      empty[#empty + 1] = map_lines.cut(map_lines.title(namespace), WIDTH - 2)
    elseif not (is_apart and namespace.unread) then
      draw_box(out, graph, namespace, leaves[namespace.id])
    end
  end
  add_list(out, "Nothing but a loopback:", empty)
  add_list(out, "Not seen:", map.unseen)
  return table.concat(out, "\n")
end

return M
