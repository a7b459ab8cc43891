--- The steps that give a container its root: mounts, devices, files, masks.
-- A list of steps for `luabox.sys.process.spawn`, in the one order that works, each line with
-- its reason. The mount set is the one that Docker, containerd and podman share.
-- Internal: a part of `luabox.container` and `luabox.mount`, for nobody else.
-- @module luabox.root

local description = require "luabox.container_description"
local errors = require "luabox.error"
local names = require "luabox.names"
local sys = require("luabox").sys

local M = {}

local READABLE, EXECUTABLE = 420, 493 -- 0644, 0755

-- Found by name in the container's own tree, after pivot_root: a link in an untrusted
-- root then cannot lead a mount out of it. Those in the root itself may be no links at all: another container that
-- shares it could turn one round between this mount and the masks on it.
local PROC_AND_DEV = {
  { "mount", type = "proc", source = "proc", target = "/proc", flags = "nosuid,nodev,noexec", create = "dir",
    nofollow = true },
  { "mount", type = "tmpfs", source = "tmpfs", target = "/dev", flags = "nosuid,strictatime",
    data = "mode=755,size=65536k", create = "dir", nofollow = true },
}

local function terminals(group)
  return { "mount", type = "devpts", source = "devpts", target = "/dev/pts", flags = "nosuid,noexec",
    data = "newinstance,ptmxmode=0666,mode=0620" .. group, create = "dir" }
end

-- A user namespace may have no group of terminals.
local TERMINALS, USERS_TERMINALS = terminals ",gid=5", terminals ""

local KERNEL_MOUNTS = {
  { "mount", type = "tmpfs", source = "shm", target = "/dev/shm", flags = "nosuid,nodev,noexec",
    data = "mode=1777,size=65536k", create = "dir" },
  { "mount", type = "mqueue", source = "mqueue", target = "/dev/mqueue", flags = "nosuid,nodev,noexec",
    create = "dir" },
  { "mount", type = "sysfs", source = "sysfs", target = "/sys", flags = "ro,nosuid,nodev,noexec", create = "dir",
    nofollow = true },
  { "mount", type = "cgroup2", source = "cgroup", target = "/sys/fs/cgroup", flags = "ro,nosuid,nodev,noexec" },
}

local DEVICES = {
  { "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
}

-- Where the kernel has kcore, which is masked.
local CORE = { "symlink", path = "/dev/core", target = "/proc/kcore" }

local LINKS = {
  { "symlink", path = "/dev/fd", target = "/proc/self/fd" },
  { "symlink", path = "/dev/stdin", target = "/proc/self/fd/0" },
  { "symlink", path = "/dev/stdout", target = "/proc/self/fd/1" },
  { "symlink", path = "/dev/stderr", target = "/proc/self/fd/2" },
  { "symlink", path = "/dev/ptmx", target = "pts/ptmx" },
}

-- What shows or changes the host from inside; a path that is not there is passed over.
local MASKED = {
  "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
  "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
  "/sys/devices/virtual/powercap", "/sys/firmware",
}
local READ_ONLY = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" }

local function append(steps, more)
  return table.move(more, 1, #more, #steps + 1, steps)
end

local function step_list(name, paths)
  local list = {}
  for i, path in ipairs(paths) do list[i] = { name, path = path } end
  return list
end

local MASKS = step_list("mask", MASKED)
local READ_ONLYS = step_list("readonly", READ_ONLY)

-- mknod needs a privilege over the file system that a user namespace never has;
-- there the host's own nodes are bound in.
local function device_steps(bound)
  local steps = {}
  for i, device in ipairs(DEVICES) do
    local name, major, minor = device[1], device[2], device[3]
    local path = "/dev/" .. name
    steps[i] = bound and { "bind", source = path, target = path, create = "file" }
      or { "mknod", path = path, type = "c", major = major, minor = minor, mode = 438 } -- 0666
  end
  return steps
end

local MADE_DEVICES, BOUND_DEVICES = device_steps(false), device_steps(true)

local function kind_of(path)
  return sys.file.stat(path).type == "directory" and "dir" or "file"
end

local function kind_of_source(i, mount)
  return errors.within(mount.option or ("mounts[%d].source"):format(i), kind_of, mount.source)
end

local function mount_steps(mounts)
  local steps = {}
  for i, m in ipairs(mounts) do
    steps[i] = m.type == "bind"
      and { "bind", source = m.source, target = m.target, flags = m.flags and m.flags .. ",rec" or "rec",
        create = kind_of_source(i, m) }
      or { "mount", type = m.type, source = m.source or m.type, target = m.target, flags = m.flags, data = m.data,
        create = "dir" }
  end
  return steps
end

-- How a file comes into the root. Into a throw-away layer it is written as it is. In a directory that stays it is bound
-- from our /dev, so that the directory's own file is neither changed nor has to be writable; one that is not there
-- stays away.
local WRITE, COVER, BIND = "write", "cover", "bind"

local function add_file(steps, path, data, mode, way)
  if way == WRITE then
    steps[#steps + 1] = { "write", path = path, data = data, mode = mode, parents = true }
    return
  end
  local staged = "/dev/.luabox"
  append(steps, {
    { "write", path = staged, data = data, mode = mode },
    { "bind", source = staged, target = path, inside = true, optional = true, create = way == BIND and "file" or nil },
    { "unlink", path = staged },
  })
end

local function add_files(steps, d, way)
  for path, data in pairs(d.files) do add_file(steps, path, data, EXECUTABLE, way) end
  if d.hostname then add_file(steps, "/etc/hostname", d.hostname .. "\n", READABLE, way) end
  add_file(steps, "/etc/hosts", names.hosts(d.endpoints, d.hosts), READABLE, way)
  add_file(steps, "/etc/resolv.conf", names.resolv_conf(d.dns), READABLE, way)
end

-- The embedded default root: the lower layer of all containers that have no other, as long as there is one of them.
-- Where the kernel has no overlay, copies no detached tree (before Linux 6.15) or makes none read-only (before
-- 5.12), each has one of its own.
local shared = setmetatable({}, { __mode = "v" })
local has_overlay, copies -- nil until it was tried

local LACKING = { ENODEV = true, ENOSYS = true, EPERM = true } -- what fsopen says then

local function can_overlay()
  if has_overlay == nil then
    local ok, context = pcall(sys.mount.fsopen, "overlay")
    if not ok and not LACKING[context.code] then error(context, 0) end
    has_overlay = ok
    if ok then context:close() end
  end
  return has_overlay
end

-- nil if the kernel cannot.
local function copy(tree)
  local ok, result = pcall(sys.mount.open_tree, tree, "clone,rec")
  if not ok and result.code ~= "EINVAL" and result.code ~= "ENOSYS" then error(result, 0) end
  copies = ok
  return ok and result or nil
end

-- One that has served needs a copy to serve again.
local function can_share(tree)
  if copies == nil then
    local tried = copy(tree)
    if tried then tried:close() end
  end
  return copies
end

-- nil if the kernel cannot.
local function new_tree()
  local ok, result = pcall(sys.rootfs.default)
  if not ok and result.code ~= "ENOSYS" then error(result, 0) end
  return ok and result or nil
end

local function default_tree()
  if copies == false or not can_overlay() then return nil end
  if shared.tree and not can_share(shared.tree) then return nil end
  shared.tree = shared.tree or new_tree()
  return shared.tree
end

local function copy_of_default()
  local tree = default_tree()
  return tree and copy(tree)
end

local function is_mapped(id_map, id)
  for _, range in ipairs(id_map) do
    if id >= range.outside and id < range.outside + range.count then return true end
  end
  return false
end

-- Of a path or a tree.
local function stat(root)
  if type(root) == "string" then return sys.file.stat(root) end
  return sys.file.stat("/", { root = root })
end

-- Files of an owner who is nobody in the user namespace become its root's.
local function mapped(d, layer)
  if layer and is_mapped(d.uid_map, errors.within("rootfs", stat, layer).uid) then return nil end
  local tree = layer and sys.mount.open_tree(layer, "clone,rec") or copy_of_default()
  if tree then tree:setattr { userns = d.user_namespace, recursive = true } end
  return tree
end

--- What the root is made of, as the container's user namespace is to see it.
-- @tparam table d a container's description
-- @tparam ?luabox.scope undo holds what was opened for the start, with `uid_map`
-- @treturn {string|luabox.mount,...} directories and detached trees, the topmost first; none: the default root, which
--   is made in the container
-- @raise luabox.error: a file system that cannot show other owners
function M.layers(d, undo)
  local overlay = description.overlay_of(d)
  local list = overlay and table.move(overlay.lower, 1, #overlay.lower, 1, {}) or { d.rootfs }
  if not d.uid_map then return list end
  for i = 1, math.max(#list, 1) do
    local tree = mapped(d, list[i])
    if tree then list[i] = undo:own(tree) end
  end
  return list
end

local function root_step(d, layers)
  local overlay = description.overlay_of(d)
  d.tree = not (layers[1] or d.uid_map or d.serves_again) and default_tree() or nil
  local top = layers[1] or d.tree
  local is_path = type(top) == "string"
  return { "root", path = is_path and top or nil, tree = not is_path and top or nil,
    below = layers[2] and table.move(layers, 2, #layers, 1, {}),
    overlay = overlay ~= nil or d.access == "overlay" and top ~= nil, -- else it is thrown away whole
    upper = overlay and overlay.upper, work = overlay and overlay.work, size = d.size, readonly = d.access == "ro",
    nodev = true } -- devices are in /dev alone: a node in an untrusted root is a disk of the host
end

local function way_of_files(d)
  local overlay = description.overlay_of(d)
  local is_thrown_away = d.access == "overlay" and not (overlay and overlay.upper)
  return not is_thrown_away and COVER or d.binds_files and BIND or WRITE
end

--- The steps, from a private propagation to a detached old root.
-- @tparam table d a container's description; where `luabox.mount.docker` has it, `binds_files`, as Docker does,
--   `bound_devices`, for a user namespace, and `serves_again`: the steps may be taken several times
-- @tparam {string|luabox.mount,...} layers what `layers` gave
-- @treturn {table,...} steps for `luabox.sys.process.spawn`
function M.steps(d, layers)
  local is_user = d.uid_map or d.bound_devices
  -- Else every mount below would appear on the host too.
  local steps = { { "propagation", path = "/", flags = "private,rec" }, root_step(d, layers) }
  append(steps, PROC_AND_DEV)
  append(steps, is_user and BOUND_DEVICES or MADE_DEVICES)
  steps[#steps + 1] = is_user and USERS_TERMINALS or TERMINALS
  append(steps, KERNEL_MOUNTS)
  append(steps, LINKS)
  if sys.file.access "/proc/kcore" then steps[#steps + 1] = CORE end
  append(steps, mount_steps(d.mounts))
  add_files(steps, d, way_of_files(d))
  if d.hostname then steps[#steps + 1] = { "hostname", name = d.hostname } end
  if d.domainname then steps[#steps + 1] = { "domainname", name = d.domainname } end
  for name, value in pairs(d.sysctls) do steps[#steps + 1] = { "sysctl", name = name, value = tostring(value) } end
  append(steps, MASKS)
  append(steps, READ_ONLYS)
  -- Last: in a user namespace the kernel gives a new proc only to those who still see an old one.
  steps[#steps + 1] = { "detach_root" }
  return steps
end

return M
