--- Drawings of networks as text.
-- Internal: a part of `luabox.network`, for nobody else.
-- @module luabox.drawing

local M = {}

local WIDTH = 100

local function centered(text, width)
  local left = (width - utf8.len(text)) // 2
  return (" "):rep(left) .. text .. (" "):rep(width - left - utf8.len(text))
end

-- A member as a column: its name, then its addresses.
local function column(member)
  local lines = { member.name }
  local width = #member.name
  for _, a in ipairs(member.addresses) do
    lines[#lines + 1] = tostring(a:host())
    width = math.max(width, #lines[#lines])
  end
  return { lines = lines, width = width + 4 }
end

local function rows_of(members)
  local rows, row, width = {}, {}, 0
  for _, member in ipairs(members) do
    local c = column(member)
    if width + c.width > WIDTH and #row > 0 then
      rows[#rows + 1], row, width = row, {}, 0
    end
    row[#row + 1], width = c, width + c.width
  end
  rows[#rows + 1] = row
  return rows
end

local function line(row, text_of)
  local parts = {}
  for i, c in ipairs(row) do parts[i] = centered(text_of(c), c.width) end
  return "  " .. (table.concat(parts):gsub("%s+$", ""))
end

local function bus(row)
  local parts = {}
  for i, c in ipairs(row) do parts[i] = centered("┬", c.width):gsub(" ", "─") end
  return "  " .. table.concat(parts)
end

local function draw_row(lines, row)
  lines[#lines + 1] = bus(row)
  local height = 0
  for _, c in ipairs(row) do height = math.max(height, #c.lines) end
  for i = 1, height do lines[#lines + 1] = line(row, function(c) return c.lines[i] or "" end) end
end

local function subnets_of(network)
  local texts = {}
  for version = 4, 6, 2 do
    if network.pools[version] then texts[#texts + 1] = tostring(network.pools[version].subnet) end
  end
  return table.concat(texts, ", ")
end

-- A drawing is made without rights, too: then nothing is known of the host's rules.
local function add_obstacles(lines, network)
  local ok, obstacles = pcall(network.way_out.obstacles, network.way_out)
  for _, obstacle in ipairs(ok and obstacles or {}) do
    lines[#lines + 1] = ("  host: its %s drops by default: what has to pass there needs a rule"):format(obstacle)
  end
end

--- A network: its way out, the switch as a line, its members below.
-- @tparam luabox.network network
-- @treturn string
-- @usage
-- local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
-- assert(luabox.drawing.network(lan):find "10.1.0.0/24")
function M.network(network)
  local lines = { ("%s, %s"):format(network.name, subnets_of(network)) }
  if network.way_out then
    lines[#lines + 1] = ("  host: %s on %s%s"):format(network.gateway, network.way_out.link,
      network.nat and ", NAT to all that the host reaches" or "")
    add_obstacles(lines, network)
  end
  for _, row in ipairs(rows_of(network.members)) do draw_row(lines, row) end
  return table.concat(lines, "\n")
end

return M
