--- Sizes and durations as people write them.
-- @module luabox.units

-- Floats, so that what is too large becomes no integer instead of wrapping around.
local factors = { [""] = 0x1p0, K = 0x1p10, M = 0x1p20, G = 0x1p30, T = 0x1p40 }
local seconds = { [""] = 1, ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }

local M = {}

-- Loaded here: most values are what they should be.
local function check(value, where, kind)
  local type_ = type(value)
  if type_ == "number" or type_ == "string" and kind ~= "number" then return end
  require("luabox.options").argument({ kind or where, required = true }, value, where)
end

local function not_a_size(value)
  return nil, ("'%s' is not a size, such as '512K', '64M' or '1G'"):format(value)
end

--- Bytes from a number or a text such as "512K", "64M", "1.5G", with powers of 1024; "64MiB" and "64MB" are the same.
-- @tparam number|string value
-- @treturn ?integer nil if it is none
-- @treturn[2] string the sentence that says so
-- @usage
-- assert(luabox.units.size("64M") == 64 * 1024 * 1024)
-- assert(luabox.units.size("1.5K") == 1536)
function M.size(value)
  check(value, "size")
  local bytes
  if type(value) == "number" then
    bytes = math.tointeger(value)
  else
    local number, unit = value:gsub("i?B$", ""):match("^(%d+%.?%d*)([KMGT]?)$")
    bytes = number and math.tointeger(math.floor(tonumber(number) * factors[unit]))
  end
  if not bytes or bytes < 0 then return not_a_size(value) end
  return bytes
end

--- Seconds from a number or a text such as "1.5s", "200ms", "5m", "2h", "1d".
-- @tparam number|string value
-- @treturn ?number nil if it is none
-- @treturn[2] string the sentence that says so
-- @usage
-- assert(luabox.units.duration("200ms") == 0.2)
-- assert(luabox.units.duration(3) == 3)
function M.duration(value)
  check(value, "duration")
  if type(value) == "number" and value >= 0 then return value end
  local number, unit = tostring(value):match("^(%d+%.?%d*)(%l*)$")
  local factor = seconds[unit]
  if not factor then return nil, ("'%s' is not a duration, such as 3, '1.5s' or '200ms'"):format(value) end
  return tonumber(number) * factor
end

local SUFFIXES = { "KiB", "MiB", "GiB", "TiB" }

--- Bytes for people.
-- @tparam integer bytes
-- @treturn string
-- @usage assert(luabox.units.format_size(64 << 20) == "64.0 MiB")
function M.format_size(bytes)
  check(bytes, "format_size", "number")
  if bytes < 1024 then return bytes .. " bytes" end
  local i, value = 0, bytes
  repeat i, value = i + 1, value / 1024 until value < 1024 or i == #SUFFIXES
  return ("%.1f %s"):format(value, SUFFIXES[i])
end

return M
