--- Numbers that no other run has: from the kernel, since a script may seed `math.random` as it likes, and two programs
-- that start in the same second may be seeded alike.
-- Internal: for the other modules, and nobody else.
-- @module luabox.random

local M = {}

--- A random integer.
-- @tparam integer first
-- @tparam integer last
-- @treturn integer from `first` to `last`
-- @usage
-- local port = luabox.random.integer(49152, 65535)
-- assert(port >= 49152 and port <= 65535)
function M.integer(first, last)
  local source <close> = assert(io.open("/dev/urandom", "rb"))
  source:setvbuf "no"
  return first + string.unpack("I4", source:read(4)) % (last - first + 1)
end

return M
