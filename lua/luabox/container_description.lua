--- What a container can be told, and the checks of it. Nothing here touches the system.
-- The options are documented with `luabox.container`.
-- @module luabox.container_description

local options = require "luabox.options"
local sys = require("luabox").sys

local M = {}

local HOST_NAME = { "string", min = 1, max = 63, pattern = "^%w[%w-]*$",
  says = "is not a host name: letters, digits and '-', not at the start" }
local ABSOLUTE = { "string", min = 1, max = 4095, pattern = "^/", says = "is not an absolute path" }
local ID = { "integer", min = 0, max = 4294967294 }
local STREAM = { "any", { "handle" }, { "table", fields = {
  path = { "string", required = true, min = 1 }, mode = { "enum", names = { "r", "w", "a" } } } },
  { "enum", names = { "inherit", "null" } } }

local ID_MAP = { "list", min = 1, max = 340, of = { "table", fields = {
  inside = { "integer", required = true, min = 0, max = 4294967294 },
  outside = { "integer", required = true, min = 0, max = 4294967294 },
  count = { "integer", default = 1, min = 1, max = 4294967295 } } } }

local ADDRESSES = { "any", { "address", prefix = "none" },
  { "list", min = 1, max = 2, of = { "address", prefix = "none" } } }

local NETWORK = { "object", is = "luabox.network" }

local LINK = { "table", fields = {
  network = { NETWORK[1], is = NETWORK.is, required = true },
  interface = { "string", min = 1, max = 15, pattern = "^[^/%s]+$", says = "has a '/' or a blank in it" },
  address = ADDRESSES,
  mac = { "string", pattern = "^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$", says = "is not a MAC address: 02:00:00:00:00:01" },
  default_route = { "boolean" } } }

local MOUNT = { "table", fields = {
  target = { ABSOLUTE[1], min = 1, max = 4095, pattern = ABSOLUTE.pattern, says = ABSOLUTE.says, required = true },
  source = { "string", min = 1, max = 4095 },
  type = { "string", default = "bind", min = 1, max = 63 },
  flags = { "string" },
  data = { "string" } } }

local USER = { "table", fields = { uid = ID, gid = ID, groups = { "list", of = ID, max = 65536 } } }

M.command = { "list", of = { "string" }, min = 1 }
M.environment = { "map", key = { "string", min = 1, pattern = "^[^=]+$", says = "has a '=' in it" }, of = { "string" } }
M.directory = ABSOLUTE
M.user = USER

local spec = {
  name = { HOST_NAME[1], min = 1, max = 63, pattern = HOST_NAME.pattern, says = HOST_NAME.says, required = true },
  command = M.command,
  init = { "boolean", default = true },
  rootfs = { "string", min = 1, max = 4095 },
  access = { "enum", names = { "overlay", "ro", "rw" }, default = "overlay" },
  size = { "size", min = 4096 },
  mounts = { "list", of = MOUNT, default = {} },
  files = { "map", key = ABSOLUTE, of = { "string" }, default = {} },
  hostname = HOST_NAME,
  domainname = { "string", min = 1, max = 64 },
  env = M.environment,
  cwd = ABSOLUTE,
  user = { USER[1], fields = USER.fields, default = {} },
  uid_map = ID_MAP,
  gid_map = ID_MAP,
  network = { "any", NETWORK, { "enum", names = { "none", "host" } } },
  networks = { "list", of = LINK, min = 1 },
  address = ADDRESSES,
  ports = { "ports" },
  hosts = { "map", key = { "string", min = 1 }, of = { "address", prefix = "none" }, default = {} },
  dns = { "list", of = { "address", prefix = "none" }, max = 3 },
  memory = { "size", min = 4096 },
  memory_swap = { "size", min = 0 },
  cpus = { "number", min = 0.01, max = 8192 },
  cpu_weight = { "integer", min = 1, max = 10000 },
  cpuset = { "string", pattern = "^[%d,-]+$", says = "is not a list of CPUs: '0-1,3'" },
  pids = { "integer", min = 1, max = 4194304 },
  io = { "map", key = { "string", pattern = "^%d+:%d+$", says = "is not a device: '8:0'" }, of = { "string" } },
  rlimits = { "map", key = { "string" }, of = { "integer", min = 0 }, default = {} },
  sysctls = { "map", key = { "string" }, of = { "any", { "integer" }, { "string" } }, default = {} },
  capabilities = { "string" },
  seccomp = { "any", { "boolean" }, { "object", is = "luabox.seccomp" }, default = true },
  no_new_privs = { "boolean", default = true },
  stdin = { STREAM[1], STREAM[2], STREAM[3], STREAM[4], default = "null" },
  stdout = { STREAM[1], STREAM[2], STREAM[3], STREAM[4], default = "inherit" },
  stderr = { STREAM[1], STREAM[2], STREAM[3], STREAM[4], default = "inherit" },
  stop_timeout = { "duration", default = 10, min = 0 },
}

local function fail(name, text, ...)
  options.fail("container", name, text:format(...))
end

local function same_limits(o)
  return {
    ["memory.max"] = o.memory, ["memory.swap.max"] = o.memory_swap, ["cpu.max"] = o.cpus,
    ["cpu.weight"] = o.cpu_weight, ["cpuset.cpus"] = o.cpuset, ["pids.max"] = o.pids, ["io.max"] = o.io,
  }
end

-- `network` and `address` are the short form of one entry of `networks`.
local function links_of(o)
  if o.networks and o.network then fail("networks", "cannot be given together with 'network'") end
  if o.networks then
    if o.address then fail("address", "belongs into an entry of 'networks' here") end
    return o.networks
  end
  if type(o.network) ~= "table" then
    if o.address then fail("address", "needs a network") end
    return {}
  end
  return { { network = o.network, address = o.address } }
end

local function name_interfaces(links)
  local taken = {}
  for i, link in ipairs(links) do
    link.interface = link.interface or "eth" .. i - 1
    if link.interface == "lo" or taken[link.interface] then
      fail("networks", "[%d].interface: '%s' is taken in this container", i, link.interface)
    end
    taken[link.interface] = true
  end
end

-- One default route: the one asked for, else the first link that has a way out.
local function choose_default_route(links)
  local asked
  for i, link in ipairs(links) do
    if link.default_route then
      if asked then fail("networks", "[%d].default_route: networks[%d] has the default route already", i, asked) end
      asked = i
    end
  end
  for _, link in ipairs(links) do
    if asked then return end
    if link.default_route == nil then
      link.default_route, asked = true, true
    end
  end
end

-- A map that names an address of the host leads to a member's address of the same version.
local function check_ports(o, links)
  for _, map in ipairs(o.ports or {}) do
    if #links == 0 then fail("ports", "'%s' needs a network", map.text) end
    if map.address and not links[1].network.pools[map.address.version] then
      fail("ports", "'%s': network '%s' has no IPv%d", map.text, links[1].network.name, map.address.version)
    end
  end
  return o.ports or {}
end

local function check_maps(o)
  if (o.uid_map == nil) ~= (o.gid_map == nil) then
    fail(o.uid_map and "gid_map" or "uid_map", "is missing: a user namespace needs both maps")
  end
  if o.uid_map and o.network == "host" then fail("uid_map", "cannot be combined with network = \"host\"") end
end

local function check_root(o)
  if o.rootfs and o.rootfs:sub(1, 1) ~= "/" then fail("rootfs", "'%s' is not an absolute path", o.rootfs) end
  if not o.rootfs and o.access ~= "overlay" then fail("access", "'%s' needs a 'rootfs'", o.access) end
  for i, mount in ipairs(o.mounts) do
    if mount.type == "bind" and not (mount.source or ""):find("^/") then
      fail(("mounts[%d].source"):format(i), "an absolute path of the host is needed for a bind mount")
    end
  end
end

--- Checks what `luabox.container` was given.
-- @tparam table o
-- @treturn table the description that `luabox.container`, `luabox.root` and the others read
-- @raise an argument error
function M.check(o)
  local d = options.check(spec, o, "container")
  check_maps(d)
  check_root(d)
  d.links = links_of(d)
  name_interfaces(d.links)
  choose_default_route(d.links)
  d.ports = check_ports(d, d.links)
  d.limits = same_limits(d)
  d.hostname = d.hostname or d.name
  d.uid, d.gid, d.groups = d.user.uid or 0, d.user.gid or 0, d.user.groups or {}
  -- The embedded root's ping knows only raw sockets, and a LAN without ping is no laboratory.
  d.capabilities = d.capabilities or sys.capability.default() .. ",net_raw"
  return d
end

return M
