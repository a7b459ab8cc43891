--- Each member of a network asks each other one: `network:pingall`.
-- Internal: a part of `luabox.network`, for nobody else.
-- @module luabox.pingall
local columns = require "luabox.columns"
local loop = require "luabox.probe_loop"
local options = require "luabox.options"
local ping = require "luabox.probe_ping"
local sys = require("luabox").sys

local WINDOW = 8 -- requests of a member that are open at a time: neighbours are asked for by broadcast

local spec = {
  count = { "integer", min = 1, max = 100, default = 1 },
  interval = { "duration", min = 0, max = 3600, default = 0.2 },
  timeout = { "duration", min = 0, max = 3600, default = 4 },
  size = { "integer", min = 0, max = 65507, default = 56 },
  version = { "integer" },
}

local M = {}

local function address_of(member, version)
  for _, a in ipairs(member.addresses) do
    if a.version == version then return tostring(a:host()) end
  end
end

-- Asks all others; fills in the row.
local function ask(member, others, row, o)
  local addresses = {}
  for i, other in ipairs(others) do addresses[i] = address_of(other, o.version) end
  local socket <close> = sys.probe.open { kind = "icmp", address = addresses[1], netns = member:namespace() }
  for i, replies in ipairs(ping.run(socket, addresses, o)) do
    row[others[i].name] = ping.summary(replies)
    row[others[i].name].address = addresses[i]
  end
end

local function others_of(members, member)
  local others = {}
  for _, other in ipairs(members) do
    if other ~= member then others[#others + 1] = other end
  end
  return others
end

local function cell_text(cell)
  if not cell then return "-" end
  return cell.ok and ("%.3f"):format(cell.rtt.avg * 1000) or cell.icmp or cell.error
end

local result_mt = { __name = "luabox.pingall" }

-- Who asks at the left, who is asked on top, in milliseconds.
function result_mt:__tostring()
  local rows = { { "ms", table.unpack(self.names) } }
  for i, name in ipairs(self.names) do
    local row = { name }
    for j, asked in ipairs(self.names) do row[j + 1] = cell_text(self.matrix[name][asked]) end
    rows[i + 1] = row
  end
  local lines = columns.lines(rows, "  ", function(i) return i > 1 end)
  lines[#lines + 1] = ("%d of %d answered"):format(self.received, self.sent)
  return table.concat(lines, "\n")
end

--- Runs it.
-- @tparam luabox.network network
-- @tparam table o as `network:pingall`
-- @treturn table as `network:pingall`
function M.run(network, o)
  o = options.check(spec, o, "pingall")
  o.version, o.window = o.version or network.pools[4] and 4 or 6, WINDOW
  if not network.pools[o.version] then
    options.fail("pingall", "version", ("network '%s' has no IPv%d"):format(network.name, o.version))
  end
  local names, matrix, bodies = {}, {}, {}
  for i, member in ipairs(network.members) do
    local row, others = {}, others_of(network.members, member)
    names[i], matrix[member.name] = member.name, row
    if not member:namespace() then
      for _, other in ipairs(others) do row[other.name] = { ok = false, error = "ENOTCONN" } end
    elseif #others > 0 then
      bodies[#bodies + 1] = function() ask(member, others, row, o) end
    end
  end
  loop.run(bodies)
  local result = { names = names, matrix = matrix, sent = 0, received = 0 }
  for _, row in pairs(matrix) do
    for _, cell in pairs(row) do
      result.sent, result.received = result.sent + 1, result.received + (cell.ok and 1 or 0)
    end
  end
  result.ok = result.received == result.sent
  return setmetatable(result, result_mt)
end

return M
