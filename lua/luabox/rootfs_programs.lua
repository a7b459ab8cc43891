--- A root from a list of programs.
-- Internal: a part of `luabox.rootfs`, for nobody else.
-- @module luabox.rootfs_programs
local description = require "luabox.container_description"
local errors = require "luabox.error"
local options = require "luabox.options"
local program_files = require "luabox.program_files"
local place = require "luabox.rootfs_place"
local file = require("luabox").sys.file

local M = {}

-- A path that is no absolute one would be another one's after a chdir.
local PROGRAM = { "string", min = 1, max = 4095, check = function(name)
  if name:find "/" and not name:find "^/" then
    return nil, ("'%s' is neither an absolute path nor a name for PATH"):format(name)
  end
  return name
end }

local programs_spec = { programs = { "list", of = PROGRAM } }
local spec = { files = { "list", of = description.path, default = {} }, to = place.TO,
  link = { "boolean", default = false } }

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

--- Makes the root, as `luabox.rootfs.from_programs` says.
-- @tparam table t its argument
-- @treturn luabox.mount|string
-- @raise an argument error, luabox.error
function M.make(t)
  local o = check(t)
  local list = program_files.find(o.programs, o.files)
  local function write(root)
    for _, entry in ipairs(list) do make[entry.type](root, entry, o.link) end
  end
  if o.to then return (place.in_directory("from_programs", o.to, write)) end
  return (place.in_memory("nosuid,nodev", write))
end

return M
