--- Sysctls that are 1 as long as somebody's rules need it.
-- Internal: a part of `luabox.nat`, for nobody else.
-- @module luabox.nat_switch

local keeper = require "luabox.keeper"
local sys = require("luabox").sys

local M = {}

-- "net:[ID]" → sysctl → how many handles of this process have it on
local needed = {}

local function here(name, undo)
  local token = keeper.get():sysctl { name = name, value = 1 }
  undo:add(function() token:undo() end)
end

-- The keeper knows only the run's own namespace.
local function there(name, undo, namespace)
  local id = namespace:id() -- several descriptors may be of one namespace
  local counts = needed[id] or {}
  if counts[name] then
    counts[name] = counts[name] + 1
  elseif sys.system.sysctl(name, namespace) == "1" then
    return
  else
    sys.system.set_sysctl(name, 1, namespace)
    counts[name] = 1
    needed[id] = counts
  end
  undo:add(function()
    counts[name] = counts[name] > 1 and counts[name] - 1 or nil
    if not counts[name] then sys.system.set_sysctl(name, 0, namespace) end
    if not next(counts) then needed[id] = nil end
  end)
end

--- Sets a sysctl of a network namespace to 1.
-- @tparam string name
-- @tparam luabox.scope undo puts it back, if nobody else needs it
-- @tparam ?luabox.namespace namespace nil for this process's own
function M.on(name, undo, namespace)
  if namespace then
    there(name, undo, namespace)
  else
    here(name, undo)
  end
end

return M
