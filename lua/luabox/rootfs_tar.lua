--- A root from a tar.
-- Internal: a part of `luabox.rootfs`, for nobody else.
-- @module luabox.rootfs_tar
local description = require "luabox.container_description"
local options = require "luabox.options"
local place = require "luabox.rootfs_place"
local sys = require("luabox").sys

local M = {}

local ARCHIVE = { "any", { "string", min = 1, max = 4095 }, { "handle" }, required = true }

local spec = {
  to = place.TO,
  owners = { "boolean", default = true },
  uid_map = description.id_map,
  gid_map = description.id_map,
  max_size = { "size", min = 1 },
}

--- Makes the root, as `luabox.rootfs.from_tar` says.
-- @tparam string|handle archive
-- @tparam ?table o
-- @treturn luabox.mount|string
-- @treturn table
-- @raise an argument error, luabox.error
function M.make(archive, o)
  archive = options.argument(ARCHIVE, archive, "from_tar")
  o = options.check(spec, o or {}, "from_tar", 2)
  description.check_id_maps(o, "from_tar", 2)
  if o.uid_map and not o.owners then options.fail("from_tar", "owners", "is false: there is nothing to map", 2) end
  local function unpack(directory)
    return sys.tar.unpack(archive, directory,
      { owners = o.owners, uid_map = o.uid_map, gid_map = o.gid_map, max_size = o.max_size })
  end
  if o.to then return place.in_directory("from_tar", o.to, unpack) end
  return place.in_memory("nodev", unpack) -- a node of an untrusted root is a disk of the host
end

return M
