--- Chooses a subnet for a network that was not given one.
-- Internal: a part of `luabox.network`, for nobody else.
-- @module luabox.free_subnet

local address = require "luabox.address"
local errors = require "luabox.error"
local random = require "luabox.random"
local sys = require("luabox").sys

local M = {}

-- The 16384 subnets of 10.64.0.0/10, at random: two runs that choose at the same time hardly choose the same.
local COUNT, SIZE, PREFIX = 1 << 14, 256, 24
local FIRST = assert(address.subnet "10.64.0.0/24")
local TRIES = 1000

local function overlaps_any(subnet, others)
  for _, other in ipairs(others) do
    if other:overlaps(subnet) then return true end
  end
  return false
end

--- What the host has routes to, but for those to everywhere.
-- @tparam luabox.netlink socket in the host's network namespace
-- @tparam[opt] string but a link whose routes do not count
-- @treturn {luabox.address,...}
-- @usage
-- local socket <close> = luabox.sys.net.socket()
-- for _, subnet in ipairs(luabox.free_subnet.routed(socket)) do assert(subnet:length() > 0) end
function M.routed(socket, but)
  local list = {}
  for _, route in ipairs(socket:routes()) do
    local destination = (not but or route.link ~= but) and route.destination and address.parse(route.destination)
    if destination and destination:length() > 0 then list[#list + 1] = destination end
  end
  return list
end

--- A subnet that the host has no route to.
-- @tparam {luabox.address,...} taken others that are not to be chosen
-- @treturn luabox.address
-- @raise luabox.error if there is none
-- @usage
-- local subnet = luabox.free_subnet.choose {}
-- assert(subnet.prefix == 24)
function M.choose(taken)
  local socket <close> = sys.net.socket()
  local others = M.routed(socket)
  table.move(taken, 1, #taken, #others + 1, others)
  for _ = 1, TRIES do
    local subnet = (FIRST + random.integer(0, COUNT - 1) * SIZE):host():with_prefix(PREFIX)
    if not overlaps_any(subnet, others) then return subnet end
  end
  errors.raise { op = "choose", subject = "a subnet of 10.64.0.0/10", code = "EADDRNOTAVAIL",
    hint = "the host has routes to all of them; give the network a subnet" }
end

return M
