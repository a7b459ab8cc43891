--- Ordered undo: what was done is undone in reverse, on error or at the end.
--
-- A step registers its undo right after it is done. A scope belongs to the process that made it: in a child
-- made by a fork, closing the copy undoes nothing.
-- @module luabox.scope
local errors = require "luabox.error"
local process = require "luabox.sys.process"

local scope_methods = {}
local scope_mt = { __name = "luabox.scope", __index = scope_methods }

local M = {}

--- Makes an empty scope, to be held in a `<close>` variable.
-- @treturn luabox.scope
-- @usage
-- local done = {}
-- do
--   local s <close> = luabox.scope.new()
--   s:add(function() table.insert(done, "link") end)
--   s:add(function() table.insert(done, "address") end)
-- end
-- assert(table.concat(done, " ") == "address link")
function M.new()
  return setmetatable({ n = 0, owner = process.owner() }, scope_mt)
end

--- Registers an undo, to run before all that were registered earlier.
-- @function scope:add
-- @tparam function undo
function scope_methods:add(undo)
  self.n = self.n + 1
  self[self.n] = undo
end

--- Registers the closing of a handle.
-- @function scope:own
-- @param handle anything with a method `close`
-- @return the handle, as in `local ns = s:own(namespace.create("net"))`
function scope_methods:own(handle)
  self:add(function() handle:close() end)
  return handle
end

--- Moves every undo to a new scope and leaves this one empty: what a constructor ends with.
-- @function scope:keep
-- @treturn luabox.scope
function scope_methods:keep()
  local kept = M.new()
  table.move(self, 1, self.n, 1, kept)
  kept.n, kept.owner = self.n, self.owner
  self:forget()
  return kept
end

--- Drops every undo without running it.
-- @function scope:forget
function scope_methods:forget()
  for i = self.n, 1, -1 do self[i] = nil end
  self.n = 0
end

-- Takes the undo off before it runs: one that fails is not run again.
local function pop(self)
  local undo = self[self.n]
  self[self.n] = nil
  self.n = self.n - 1
  return undo
end

--- Runs every undo, last first; all of them, even if some fail.
-- @function scope:close
-- @raise the first failure; those after it are in its `suppressed`
function scope_methods:close()
  if self.owner ~= process.owner() then return self:forget() end
  local failed, first = false, nil
  while self.n > 0 do
    local ok, failure = pcall(pop(self))
    if not ok and failed then
      errors.suppress(first, failure)
    elseif not ok then
      failed, first = true, failure
    end
  end
  if failed then error(first, 0) end
end

scope_mt.__close = errors.closer(scope_methods.close)

function scope_mt:__tostring()
  return ("luabox.scope (%d undos)"):format(self.n)
end

return M
