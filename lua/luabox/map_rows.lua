--- A box on the left, boxes on its right, and lines between the two: the rows of a drawing.
-- Internal: a part of `luabox.map_text`, for nobody else.
-- @module luabox.map_rows
local map_lines = require "luabox.map_lines"

local M = {}

-- Columns: between the boxes; of the borders and the blanks beside them.
M.GAP, M.FRAME = 4, 4

local rows_methods = {}

local function border(left, title, right, width)
  local text = title and ("─ %s "):format(map_lines.cut(title, width - 2)) or ""
  return left .. text .. ("─"):rep(width + 2 - utf8.len(text)) .. right
end

local function content(left, text, right, width)
  return ("%s %s %s"):format(left, map_lines.pad(text, width), right)
end

local function put(self, left, right, is_joined)
  self[#self + 1] = { left = left, right = right, is_joined = is_joined }
end

-- A row of the left box; beside it goes what is waiting, or the end of the box on the right.
local function put_left(self, left, is_joined)
  local right = table.remove(self.waiting, 1)
  if not right and self.is_open then
    right, self.is_open = border("└", nil, "┘", self.right), false
  end
  put(self, left, right, is_joined)
end

-- A row for the right side alone.
local function put_filler(self, after, right)
  put(self, self.is_finished and (" "):rep(self.left + M.FRAME) or content("│", after, "│", self.left), right)
end

local function flush(self, after)
  while #self.waiting > 0 do put_filler(self, after, table.remove(self.waiting, 1)) end
end

--- Begins a box on the left.
-- @tparam integer left the width inside
-- @tparam integer right the width inside of the boxes beside it
-- @treturn luabox.map_rows
function M.new(left, right)
  return setmetatable({ left = left, right = right, waiting = {} }, { __index = rows_methods })
end

--- Draws its upper border.
-- @function rows:begin
-- @tparam string title
function rows_methods:begin(title)
  put(self, border("┌", title, "┐", self.left))
end

--- Adds a line of it.
-- @function rows:add
-- @tparam string text
-- @tparam[opt=false] boolean is_joined a line goes from it to the box that was opened last
function rows_methods:add(text, is_joined)
  put_left(self, content("│", text, is_joined and "├" or "│", self.left), is_joined)
end

--- Opens a box on the right.
-- @function rows:open
-- @tparam string after what the left box has in lines between two of its own
-- @tparam string title
-- @tparam {table,...} lines each with `text`
-- @tparam integer at which of them is to stand beside the line that is added next
function rows_methods:open(after, title, lines, at)
  flush(self, after)
  local is_free = not self.is_open and self[#self] and not self[#self].right
  local top = border(self.is_open and "├" or "┌", title, self.is_open and "┤" or "┐", self.right)
  if is_free then self[#self].right = top else put_filler(self, after, top) end
  self.is_open = true
  for i, line in ipairs(lines) do
    local text = content(i == at and "┤" or "│", line.text, "│", self.right)
    self.waiting[#self.waiting + 1] = text
    if i < at then flush(self, after) end
  end
end

--- Draws the lower borders.
-- @function rows:finish
function rows_methods:finish()
  put_left(self, border("└", nil, "┘", self.left))
  self.is_finished = true
  flush(self, "")
  if self.is_open then put_filler(self, "", border("└", nil, "┘", self.right)) end
end

--- Adds all rows to a list of lines.
-- @function rows:draw
-- @tparam {string,...} out
function rows_methods:draw(out)
  for _, row in ipairs(self) do
    local gap = row.is_joined and ("─"):rep(M.GAP) or (" "):rep(M.GAP)
    out[#out + 1] = ((row.left .. (row.right and gap .. row.right or "")):gsub("%s+$", ""))
  end
end

return M
