--- Overlays that are described and not mounted yet.
-- Internal: a part of `luabox.rootfs`, for nobody else.
-- @module luabox.overlay
local description = require "luabox.container_description"
local errors = require "luabox.error"
local options = require "luabox.options"

local MOST = 64

local overlay_methods = {}
local overlay_mt = { __name = "luabox.overlay", __index = overlay_methods }

-- upper layer → the container that writes to it
local taken = {}

--- Takes the upper layer for one container: what two mounts write to it the kernel leaves undefined.
-- @function overlay:take
-- @tparam string who
-- @treturn table gives it back when it is closed
-- @raise luabox.error: EBUSY
function overlay_methods:take(who)
  local upper = self.upper
  if upper and taken[upper] then
    errors.raise { op = "mount overlay", subject = upper, code = "EBUSY",
      message = ("it is the upper layer of %s"):format(taken[upper]),
      hint = "give each an upper layer of its own, or none; lower layers can be shared" }
  end
  if upper then taken[upper] = who end
  return { close = function() if upper then taken[upper] = nil end end }
end

function overlay_mt:__tostring()
  return ("luabox.overlay (%d lower %s)"):format(#self.lower, #self.lower == 1 and "layer" or "layers")
end

options.methods(overlay_mt.__name, overlay_methods)

local spec = { lower = { "list", of = description.layer, min = 1, max = MOST, required = true },
  upper = description.path, work = description.path }

local M = {}

--- Describes one, as `luabox.rootfs.overlay` says.
-- @tparam table o
-- @treturn luabox.overlay
-- @raise an argument error
function M.new(o)
  local self = options.check(spec, o, "overlay")
  if (self.upper == nil) ~= (self.work == nil) then
    options.fail("overlay", self.upper and "work" or "upper", "is missing: 'upper' and 'work' go together")
  end
  return setmetatable(self, overlay_mt)
end

return M
