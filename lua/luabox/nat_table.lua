--- An nftables table that ends with its maker, whatever ends that one.
-- Internal: a part of `luabox.nat` and `luabox.gateway`, for nobody else.
-- @module luabox.nat_table

local errors = require "luabox.error"
local keeper = require "luabox.keeper"

local M = {}

-- Before Linux 5.12 a table does not end with the socket that made it: the keeper is told.
local function make_unowned(nft, operations, undo, is_elsewhere)
  local family, name = operations[1].family or "inet", operations[1].name
  local token = not is_elsewhere and keeper.get():table { family = family, name = name }
  local ok, e = pcall(nft.apply, nft, operations)
  if not ok then
    if token and errors.is(e) and not e.signal then token:forget() end -- else it may be there
    error(e, 0)
  end
  undo:add(function()
    nft:apply { { "delete", "table", family = family, name = name } }
    if token then token:forget() end
  end)
end

--- Makes a table and what is in it: the socket owns it, and with the socket it is gone.
-- @tparam luabox.nft nft
-- @tparam {table,...} operations the first one makes the table
-- @tparam luabox.scope undo removes the table where the kernel knows no owners
-- @tparam[opt=false] boolean is_elsewhere in another network namespace than the run's, which the keeper does not see
-- @raise luabox.error
function M.make(nft, operations, undo, is_elsewhere)
  operations[1].owner = true
  local ok, e = pcall(nft.apply, nft, operations)
  if ok then return end
  if not errors.is(e, "EOPNOTSUPP") then error(e, 0) end
  operations[1].owner = nil
  make_unowned(nft, operations, undo, is_elsewhere)
end

return M
