--- Whole sets of mounts. The single calls are `luabox.sys.mount`.
-- @module luabox.mount
local description = require "luabox.container_description"
local options = require "luabox.options"
local root_steps = require "luabox.root"

local M = {}

local MODES = { ["/run"] = "755" } -- what is in all others is everybody's

local function tmpfs(path)
  return { type = "tmpfs", target = path, flags = "nosuid,nodev,noexec",
    data = ("mode=%s,size=65536k"):format(MODES[path] or "1777") }
end

-- "/srv:/data:ro", as docker's -v has it.
local function volume(text)
  local source, target, access = text:match "^(/[^:]*):(/[^:]*):?(%a*)$"
  if not source or not (access == "" and text:sub(-1) ~= ":" or access == "ro" or access == "rw") then
    return nil, ("'%s' is not a volume, such as '/srv:/data' or '/srv:/data:ro'"):format(text)
  end
  if not target:find "[^/]" then return nil, ("'%s': the root itself is no volume"):format(text) end
  return { type = "bind", source = source, target = target, flags = access == "ro" and "ro" or nil }
end

local spec = description.some { "access", "size", "hostname", "domainname", "hosts", "dns" }
spec.tmpfs = { "list", default = { "/run", "/tmp" },
  of = { "string", max = 4095, pattern = "^/.*[^/]", says = "is not an absolute path below the root" } }
spec.volumes = { "list", of = { "string", check = volume }, default = {} }
spec.bind_devices = { "boolean", default = false }

local ROOT = description.some({ "rootfs" }).rootfs

--- Docker's set of mounts as steps for `luabox.sys.process.spawn`: a new root with /proc, /sys (read-only), /dev with
-- its nodes and links, devpts, shm and mqueue, cgroup2, tmpfs on /run and /tmp, the volumes, and
-- /etc/hostname, /etc/hosts and /etc/resolv.conf bound in; what shows or changes the host masked or read-only. A
-- container has the same from the same place, but for /run and /tmp, and writes these files where its root is thrown
-- away. Nothing is mounted before the process is spawned: in namespaces of its own, `mnt` and `pid`, with `hostname`
-- `uts`, and best `ipc`, `net` and `cgroup`. Further steps may be added at the end of the list, where all paths are
-- those of the new root.
-- @tparam ?string|luabox.mount|luabox.overlay root as a container's `rootfs`; the embedded root by default
-- @tparam[opt] table o
-- @tparam[opt="overlay"] string o.access to `root`: "overlay" (what is written is thrown away), "ro" or "rw", where
--   files of /etc are bound over those that are there
-- @tparam[opt] integer|string o.size of the throw-away layer, in bytes or as "64M"; half of the memory by default
-- @tparam[opt] string o.hostname that of the child's namespace by default, and no /etc/hostname
-- @tparam[opt] string o.domainname
-- @tparam[opt] {[string]=string} o.hosts more lines of /etc/hosts: name → address
-- @tparam[opt] {string,...} o.dns name servers; those of this host that are not on its loopback by default
-- @tparam[opt] {string,...} o.volumes of the host, with all that is mounted below: "/srv:/data", "/srv:/data:ro"
-- @tparam[opt] {string,...} o.tmpfs directories that are empty and in memory; { "/run", "/tmp" } by default
-- @tparam[opt=false] boolean o.bind_devices binds the host's nodes into /dev, for a process in a user namespace, which
--   can make none
-- @treturn {table,...} steps
-- @raise an argument error; luabox.error if a volume's source is not there
-- @see mount(8)
-- @usage
-- local steps = luabox.mount.docker(nil, { hostname = "web", volumes = { "/usr/share:/data:ro" } })
-- local p <close> = luabox.sys.process.spawn { namespaces = "mnt,pid,uts,ipc,net,cgroup", steps = steps,
--   program = { "sh", "-c", "cat /etc/hostname; mount" }, stdout = "pipe" }
-- assert(luabox.sys.process.communicate(p):find "^web\n")
function M.docker(root, o)
  root = options.argument(ROOT, root, "docker")
  local d = options.check(spec, o or {}, "docker", 2)
  d.rootfs = root
  description.check_access(d, "docker", 2)
  d.mounts, d.files, d.sysctls, d.endpoints = {}, {}, {}, {}
  for i, path in ipairs(d.tmpfs) do d.mounts[i] = tmpfs(path) end
  for i, mount in ipairs(d.volumes) do
    mount.option = ("volumes[%d]"):format(i) -- what errors call it
    d.mounts[#d.mounts + 1] = mount
  end
  d.binds_files, d.bound_devices, d.serves_again = true, d.bind_devices, true
  return root_steps.steps(d, root_steps.layers(d))
end

return M
