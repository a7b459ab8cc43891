--- luabox: containers, networks and the kernel's primitives.
-- Each field is a module, loaded at first touch: `luabox.container` is
-- `require "luabox.container"`, `luabox.sys.mount` is `require "luabox.sys.mount"`.
-- @module luabox

local function lazy(prefix, modules)
  return setmetatable(modules, {
    __index = function(self, name)
      if type(name) ~= "string" or not name:match("^[%a_]+$") then return nil end
      local ok, module = pcall(require, prefix .. name)
      if not ok then
        -- A module that is there and fails must not look like one that is missing.
        if not tostring(module):find("module '" .. prefix .. name .. "' not found", 1, true) then error(module, 0) end
        return nil
      end
      rawset(self, name, module)
      return module
    end,
  })
end

--- The version as a string, as `luabox -v` prints it.
-- @field version
-- @usage assert(luabox.version:match "^%d+%.%d+%.%d+$")

-- The luabox program gives the table that its global already is.
local luabox = lazy("luabox.", select(3, ...) or {})
rawset(luabox, "sys", lazy("luabox.sys.", {}))

--- Calls a function and returns its results, or nil and the luabox.error that it raised: `luabox.error.try`.
-- @function try
-- @tparam function f
-- @param ... its arguments
-- @usage
-- local value, e = luabox.try(luabox.error.raise, { op = "open", subject = "/x", code = "ENOENT" })
-- assert(value == nil and e.code == "ENOENT")
rawset(luabox, "try", function(...) return require("luabox.error").try(...) end)
return luabox
