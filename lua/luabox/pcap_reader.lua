--- Headers field by field, as far as the bytes go.
-- Internal: a part of `luabox.pcap`, for nobody else. A cursor `c` has `data`, `at`, `stop` (the last byte that
-- belongs to the packet) and the `packet` that notes are made in.
-- @module luabox.pcap_reader
local unpack = string.unpack

local M = {}

-- ---- kinds of fields: how many bytes, and what they say ----

local function integer(size)
  local format = ">I" .. size
  return { size, function(data, at) return (unpack(format, data, at)) end }
end

M.u8, M.u16, M.u32 = integer(1), integer(2), integer(4)

M.mac = { 6, function(data, at) return ("%02x:%02x:%02x:%02x:%02x:%02x"):format(data:byte(at, at + 5)) end }
M.ip4 = { 4, function(data, at) return ("%d.%d.%d.%d"):format(data:byte(at, at + 3)) end }

M.ip6 = { 16, function(data, at)
  local text = ("%x:%x:%x:%x:%x:%x:%x:%x"):format(unpack(">I2I2I2I2I2I2I2I2", data, at))
  return tostring(require("luabox.address").parse(text))
end }

--- So many bytes as they are.
function M.skip(size)
  return { size, function(data, at) return data:sub(at, at + size - 1) end }
end

-- ---- the cursor ----

--- Says what could not be decoded.
function M.note(c, text)
  local packet = c.packet
  packet.note = packet.note and packet.note .. "; " .. text or text
end

--- Reads the fields of a layout, a list of names and kinds.
-- @treturn table those that are there
-- @treturn boolean whether all are
function M.fields(c, what, layout, into)
  into = into or {}
  for _, field in ipairs(layout) do
    local size, read = field[2][1], field[2][2]
    if c.at + size - 1 > c.stop then
      M.note(c, ("the %s is cut off"):format(what))
      return into, false
    end
    into[field[1]] = read(c.data, c.at)
    c.at = c.at + size
  end
  return into, true
end

--- What is behind this byte is not the packet's; one that ends earlier was cut off.
function M.limit(c, stop)
  if stop > c.stop and not c.packet.note then M.note(c, ("the last %d bytes are missing"):format(stop - c.stop)) end
  c.stop = math.min(c.stop, stop)
end

return M
