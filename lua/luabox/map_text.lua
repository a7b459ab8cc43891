--- A map as text: boxes of namespaces, and lines between them.
-- A namespace that is joined with one other only stands on its right, at the link that leads to it.
-- @module luabox.map_text
local map_lines = require "luabox.map_lines"

local M = {}

local WIDTH, GAP = 100, 4
local FRAME = 4 -- a border and a blank on each side
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
    for _, link in ipairs(namespace.links) do
      local far = far_of(link)
      if far and graph.by_id[far] then visit(graph.by_id[far]) end
    end
    for _, other in ipairs(graph.namespaces) do
      if sets[namespace.id][other.id] then visit(other) end
    end
  end
  for _, first in ipairs { "here", "is_host", "id" } do
    for _, namespace in ipairs(graph.namespaces) do
      if namespace[first] then visit(namespace) end
    end
  end
  return order
end

-- ---- the joints of a box with those on its right ----

-- Pairs of items: this side's and that side's, for one line each. A second link between the same two is told in words.
local function joints_of(namespace, items, leaves)
  local joints, by_name = {}, {}
  for _, item in ipairs(items) do by_name[item.link.name] = item end
  for _, leaf in ipairs(leaves) do
    leaf.items = map_lines.items(leaf)
    for _, theirs in ipairs(leaf.items) do
      local far = theirs.link.peer or theirs.link.lower
      local mine = far and far.namespace == namespace.id and by_name[far.link]
      if mine and not leaf.at then leaf.at, leaf.joint = mine, theirs end
    end
    for _, mine in ipairs(items) do -- what is below a link of the other is told by that one alone
      local far = not leaf.at and mine.link.lower
      if far and far.namespace == leaf.id then
        for _, theirs in ipairs(leaf.items) do
          if theirs.link.name == far.link then leaf.at, leaf.joint = mine, theirs end
        end
      end
    end
    if leaf.at then
      joints[leaf.at] = joints[leaf.at] or {}
      table.insert(joints[leaf.at], leaf)
      leaf.at.drawn, leaf.joint.drawn = true, true
    end
  end
  return joints
end

-- ---- rows ----

local function border(left, title, right, width)
  local text = title and ("─ %s "):format(map_lines.cut(title, width - 2)) or ""
  return left .. text .. ("─"):rep(width + 2 - utf8.len(text)) .. right
end

local function content(left, text, right, width)
  return ("%s %s %s"):format(left, map_lines.pad(text, width), right)
end

-- Rows have a left and a right side; the right one is put beside a row when it is asked for.
local rows_methods = {}

local function new_rows(left, right)
  return setmetatable({ left = left, right = right, waiting = {} }, { __index = rows_methods })
end

function rows_methods:add(text, side)
  self[#self + 1] = { left = text, right = side }
end

-- A row of the left side; beside it goes what is waiting, or the end of the box on the right.
function rows_methods:add_left(text)
  local side = table.remove(self.waiting, 1)
  if not side and self.is_open then
    side, self.is_open = border("└", nil, "┘", self.right), false
  end
  self:add(text, side)
end

function rows_methods:add_filler(after, side)
  self:add(self.closed and (" "):rep(self.left + FRAME) or content("│", after, "│", self.left), side)
end

function rows_methods:flush(after)
  while #self.waiting > 0 do self:add_filler(after, table.remove(self.waiting, 1)) end
end

-- Opens a box on the right, of which the line 'at' is to stand in the next row.
function rows_methods:open(after, title, lines, at)
  self:flush(after)
  local is_free = not self.is_open and self[#self] and not self[#self].right
  local top = border(self.is_open and "├" or "┌", title, self.is_open and "┤" or "┐", self.right)
  if is_free then self[#self].right = top else self:add_filler(after, top) end
  self.is_open = true
  for i, line in ipairs(lines) do
    local text = content(i == at and "┤" or "│", line.text, "│", self.right)
    self.waiting[#self.waiting + 1] = text
    if i < at then self:flush(after) end
  end
end

function rows_methods:draw(out)
  for _, row in ipairs(self) do
    local gap = row.is_joined and ("─"):rep(GAP) or (" "):rep(GAP)
    out[#out + 1] = ((row.left .. (row.right and gap .. row.right or "")):gsub("%s+$", ""))
  end
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
    rows:add_left(content("│", i == 1 and line.text or line.after, "├", rows.left))
    rows[#rows].is_joined = true
  end
  if #leaves == 0 then rows:add_left(content("│", line.text, "│", rows.left)) end
end

local function draw_box(out, graph, namespace, leaves)
  local items = map_lines.items(namespace)
  local joints = joints_of(namespace, items, leaves)
  local rows = new_rows(widths_of(graph, namespace, items, leaves))
  rows:add(border("┌", map_lines.title(namespace), "┐", rows.left))
  local after = ""
  for _, line in ipairs(map_lines.lines(graph, namespace, items, rows.left)) do
    add_line(rows, graph, line, after, line.item and joints[line.item] or {})
    after = line.after
  end
  rows:add_left(border("└", nil, "┘", rows.left))
  rows.closed = true
  rows:flush("")
  if rows.is_open then rows:add_filler("", border("└", nil, "┘", rows.right)) end
  rows:draw(out)
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
    if map_lines.is_empty(namespace) and not next(sets[namespace.id]) then
      empty[#empty + 1] = map_lines.cut(map_lines.title(namespace), WIDTH - 2)
    else
      draw_box(out, graph, namespace, leaves[namespace.id])
    end
  end
  add_list(out, "Nothing but a loopback:", empty)
  add_list(out, "Not seen:", map.unseen)
  return table.concat(out, "\n")
end

return M
