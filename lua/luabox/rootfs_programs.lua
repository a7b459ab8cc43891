--- A root from a list of programs.
-- Internal: a part of `luabox.rootfs`, for nobody else.
-- @module luabox.rootfs_programs
local errors = require "luabox.error"
local options = require "luabox.options"
local program_files = require "luabox.program_files"
local scope = require "luabox.scope"
local sys = require("luabox").sys
local file = sys.file

local M = {}

local PATH = { "string", min = 1, max = 4095, pattern = "^/", says = "is not an absolute path" }
-- A path that is no absolute one would be another one's after a chdir.
local PROGRAM = { "string", min = 1, max = 4095, check = function(name)
  if name:find "/" and not name:find "^/" then
    return nil, ("'%s' is neither an absolute path nor a name for PATH"):format(name)
  end
  return name
end }

local programs_spec = { programs = { "list", of = PROGRAM } }
local spec = { files = { "list", of = PATH, default = {} }, to = PATH, link = { "boolean", default = false } }

local function check(t)
  if type(t) ~= "table" then options.check(spec, t, "from_programs") end
  local programs, named = {}, {}
  for key, value in next, t do
    if math.type(key) == "integer" then programs[key] = value else named[key] = value end
  end
  local o = options.check(spec, named, "from_programs")
  o.programs = options.check(programs_spec, { programs = programs }, "from_programs").programs
  if #o.programs + #o.files == 0 then options.fail("from_programs", nil, "no program and no file is named") end
  if o.link and not o.to then
    options.fail("from_programs", "link", "needs 'to', a directory on the file system of the programs")
  end
  return o
end

-- ---- writing ----

local make = {}

function make.directory(root, entry)
  file.mkdir(entry.path, { root = root })
  file.chmod(entry.path, entry.mode, { root = root }) -- past the umask
end

function make.symlink(root, entry)
  file.symlink(entry.target, entry.path, { root = root })
end

function make.file(root, entry, link)
  local linked = link and errors.try(function()
    file.link(entry.path, entry.path, { root = root })
    return true
  end)
  if not linked then file.copy(entry.path, entry.path, { root = root }) end
end

-- Removes what was made, last first. The entry that was being made when it failed may be there or not.
local function remove(root, list, last)
  for i = last, 1, -1 do
    local _, e = errors.try(list[i].type == "directory" and file.rmdir or file.unlink, list[i].path, { root = root })
    if e and (e.code ~= "ENOENT" or i < last) then error(e, 0) end
  end
end

local function write(root, list, link, undo)
  local last = 0
  undo:add(function() remove(root, list, last) end)
  for i, entry in ipairs(list) do
    last = i
    make[entry.type](root, entry, link)
  end
end

-- ---- the two places ----

local function refuse_full(path)
  errors.raise { op = "from_programs", subject = path, code = "ENOTEMPTY",
    hint = "give an empty directory, or a path that is not there yet" }
end

local function in_directory(path, list, link)
  local undo <close> = scope.new()
  if not file.exists(path) then
    file.mkdir(path)
    undo:add(function() file.rmdir(path) end)
  elseif file.list(path)[1] then
    refuse_full(path)
  end
  write(path, list, link, undo)
  undo:forget()
  return path
end

local function in_memory(list)
  local context <close> = sys.mount.fsopen "tmpfs"
  context:set("source", "luabox")
  context:set("mode", "755")
  context:create()
  local undo <close> = scope.new()
  local tree = undo:own(context:mount "nosuid,nodev")
  write(tree, list, false, undo)
  undo:forget()
  return tree
end

--- Makes the root, as `luabox.rootfs.from_programs` says.
-- @tparam table t its argument
-- @treturn luabox.mount|string
-- @raise an argument error, luabox.error
function M.make(t)
  local o = check(t)
  local list = program_files.find(o.programs, o.files)
  if o.to then return in_directory(o.to, list, o.link) end
  return in_memory(list)
end

return M
