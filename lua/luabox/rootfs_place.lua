--- Where a root is made: in a directory or in memory; and nothing of it stays if that fails.
-- Internal: a part of `luabox.rootfs`, for nobody else.
-- @module luabox.rootfs_place
local errors = require "luabox.error"
local keeper = require "luabox.keeper"
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

--- The option `to` of what makes a root. A record of the keeper is one line.
M.TO = { "string", min = 1, max = 4000, pattern = "^/", says = "is not an absolute path", check = function(path)
  if path:find "\n" then return nil, "contains a newline" end
  return path
end }

-- Tells the keeper what to undo if this run is killed. An ordinary user may have none: then only the scope undoes.
local function tell(kind, path)
  return errors.try(function()
    local run = keeper.get()
    return run[kind](run, path)
  end)
end

local function forget(token)
  if token then token:forget() end
end

local function check_empty(where, path)
  if not file.list(path)[1] then return end
  errors.raise { op = where, subject = path, code = "ENOTEMPTY",
    hint = "give an empty directory, or a path that is not there yet" }
end

-- Makes the directory if it is not there; gives the keeper's token for it.
local function make_directory(where, path, undo)
  if file.exists(path) then return check_empty(where, path) end
  local token = tell("directory", path)
  local _, e = errors.try(file.mkdir, path)
  if e then
    forget(token)
    error(e, 0)
  end
  undo:add(function()
    file.rmdir(path)
    forget(token)
  end)
  return token
end

--- Calls a function that makes a root in a directory, which is empty or not there yet.
-- @tparam string where the public function, for the error
-- @tparam string path
-- @tparam function fill gets the path
-- @return the path, and what `fill` returns
-- @raise luabox.error: ENOTEMPTY; what `fill` raises, then what it made is removed
function M.in_directory(where, path, fill)
  local undo <close> = scope.new()
  local directory = make_directory(where, path, undo)
  local contents = tell("contents", path)
  undo:add(function()
    empty(path, ".")
    forget(contents)
  end)
  local result = fill(path)
  undo:forget()
  forget(directory)
  forget(contents)
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
