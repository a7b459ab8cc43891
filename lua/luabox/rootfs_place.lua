--- Where a root is made: in a directory or in memory; and nothing of it stays if that fails.
-- Internal: a part of `luabox.rootfs`, for nobody else.
-- @module luabox.rootfs_place
local errors = require "luabox.error"
local scope = require "luabox.scope"
local sys = require("luabox").sys
local file = sys.file

local M = {}

-- All below a directory of a root, whatever it is; no link is followed.
local function empty(root, path)
  local inside = { root = root }
  for _, name in ipairs(file.list(path, inside)) do
    local below = path .. "/" .. name
    if file.lstat(below, inside).type == "directory" then
      file.chmod(below, "700", inside) -- an archive may have shut it, to all but root
      empty(root, below)
      file.rmdir(below, inside)
    else
      file.unlink(below, inside)
    end
  end
end

--- Calls a function that makes a root in a directory, which is empty or not there yet.
-- @tparam string where the public function, for the error
-- @tparam string path
-- @tparam function fill gets the path
-- @return the path, and what `fill` returns
-- @raise luabox.error: ENOTEMPTY; what `fill` raises, then what it made is removed
function M.in_directory(where, path, fill)
  local undo <close> = scope.new()
  local _, e = errors.try(file.mkdir, path)
  if not e then
    undo:add(function() file.rmdir(path) end)
  elseif e.code ~= "EEXIST" then
    error(e, 0)
  elseif file.list(path)[1] then
    errors.raise { op = where, subject = path, code = "ENOTEMPTY",
      hint = "give an empty directory, or a path that is not there yet" }
  end
  undo:add(function() empty(path, ".") end)
  local result = fill(path)
  undo:forget()
  return path, result
end

-- Where there is no file system without a place, or no right to it, a directory will do.
local function advise(e)
  if e.code == "ENOSYS" or e.code == "EPERM" then
    e.hint = (e.hint and e.hint .. "; or " or "") .. "name a directory: to = \"/path\""
  end
  error(e, 0)
end

local function new_tmpfs()
  local context, e = errors.try(sys.mount.fsopen, "tmpfs")
  return context or advise(e)
end

--- Calls a function that makes a root in memory.
-- @tparam string attributes of the mount: "nodev"
-- @tparam function fill gets the tree
-- @treturn luabox.mount the tree, which only its holder sees
-- @return what `fill` returns
-- @raise luabox.error: EPERM, ENOSYS; what `fill` raises
function M.in_memory(attributes, fill)
  local context <close> = new_tmpfs()
  context:set("source", "luabox")
  context:set("mode", "755")
  context:create()
  local undo <close> = scope.new()
  local tree = undo:own(context:mount(attributes))
  local result = fill(tree)
  undo:forget()
  return tree, result
end

return M
