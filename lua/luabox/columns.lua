--- Texts in columns.
-- Internal: a part of `luabox.ls` and `luabox.pingall`, for nobody else.
-- @module luabox.columns

local M = {}

local function width_of(text)
  return utf8.len(text) or #text
end

local function widths_of(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, text in ipairs(row) do widths[i] = math.max(widths[i] or 0, width_of(text)) end
  end
  return widths
end

--- The lines of a table, without blanks at their ends.
-- @tparam {{string,...},...} rows
-- @tparam string gap between two columns
-- @tparam function is_right whether the column of a number stands at the right
-- @treturn {string,...}
-- @usage
-- local lines = luabox.columns.lines({ { "a", "b" }, { "10", "2" } }, " ", function(i) return i == 1 end)
-- assert(lines[1] == " a b" and lines[2] == "10 2")
function M.lines(rows, gap, is_right)
  local widths, lines = widths_of(rows), {}
  for n, row in ipairs(rows) do
    local cells = {}
    for i, text in ipairs(row) do
      local blanks = (" "):rep(widths[i] - width_of(text))
      cells[i] = is_right(i) and blanks .. text or text .. blanks
    end
    lines[n] = table.concat(cells, gap):gsub("%s+$", "")
  end
  return lines
end

return M
