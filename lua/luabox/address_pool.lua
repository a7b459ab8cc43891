--- The addresses of a subnet, each handed out once.
-- Internal: a part of `luabox.network`, for nobody else.
-- @module luabox.address_pool

local pool_methods = {}
local pool_mt = { __name = "luabox.address_pool", __index = pool_methods }

local M = {}

local function key_of(address)
  return tostring(address:host())
end

--- Makes a pool in which every address is free.
-- @tparam luabox.address subnet
-- @treturn luabox.address_pool
-- @usage
-- local pool = luabox.address_pool.new(luabox.address.subnet("192.168.2.0/24"))
-- assert(tostring(pool:next("v1")) == "192.168.2.1/24")
-- assert(select(2, pool:take(luabox.address.parse("192.168.2.1"), "v2")) == "192.168.2.1 is taken by v1")
function M.new(subnet)
  return setmetatable({ subnet = subnet, cursor = subnet:first(), owners = {} }, pool_mt)
end

-- Why an address cannot be had, or nil.
local function problem_with(self, address)
  local subnet = self.subnet
  if not subnet:contains(address) then
    return ("%s is not in the subnet %s"):format(address, subnet)
  end
  if address.prefix and address.prefix ~= subnet.prefix then
    return ("%s has another prefix than its subnet %s"):format(address, subnet)
  end
  address = address:with_prefix(subnet.prefix)
  if address < subnet:first() then return ("%s is the address of the subnet itself"):format(address:host()) end
  if address > subnet:last() then return ("%s is the broadcast address of %s"):format(address:host(), subnet) end
  local owner = self.owners[key_of(address)]
  return owner and ("%s is taken by %s"):format(address:host(), owner)
end

--- Takes a given address.
-- @function pool:take
-- @tparam luabox.address address without a prefix, or with the subnet's
-- @tparam string owner who others are told has it
-- @treturn ?luabox.address with the prefix; nil if it cannot be had
-- @treturn[2] string the sentence that says why
function pool_methods:take(address, owner)
  local problem = problem_with(self, address)
  if problem then return nil, problem end
  self.owners[key_of(address)] = owner
  return address:with_prefix(self.subnet.prefix)
end

-- From `from` on; addresses that were given back are found again when the end has been reached.
local function find_free(self, from)
  local address, last = from, self.subnet:last()
  while address <= last do
    if not self.owners[key_of(address)] then return address end
    if address == last then return nil end -- the last of all has no next
    address = address + 1
  end
end

--- Takes the next address that is free.
-- @function pool:next
-- @tparam string owner
-- @treturn ?luabox.address with the prefix; nil if there is none left
-- @treturn[2] string the sentence that says so
function pool_methods:next(owner)
  local address = find_free(self, self.cursor) or find_free(self, self.subnet:first())
  if not address then return nil, ("the subnet %s has no free address left; take a larger one"):format(self.subnet) end
  self.owners[key_of(address)] = owner
  self.cursor = address
  return address
end

--- Gives an address back.
-- @function pool:release
-- @tparam luabox.address address
function pool_methods:release(address)
  self.owners[key_of(address)] = nil
end

return M
