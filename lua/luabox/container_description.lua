--- What a container can be told, and the checks of it. Nothing here touches the system.
-- The options are documented with `luabox.container`.
-- Internal: a part of `luabox.container`, `luabox.mount` and `luabox.rootfs`, for nobody else.
-- @module luabox.container_description

local kinds = require "luabox.option_kinds"
local options = require "luabox.options"
local sys = require("luabox").sys

local M = {}

local HOST_NAME = { "string", min = 1, max = 63, pattern = "^%w[%w-]*$",
  says = "is not a host name: letters, digits and '-', not at the start" }
local ABSOLUTE = { "string", min = 1, max = 4095, pattern = "^/", says = "is not an absolute path" }
local LAST_ID = 4294967294
local ID = { "integer", min = 0, max = LAST_ID }
local STREAM = { "any", { "handle" }, { "table", fields = {
  path = { "string", required = true, min = 1 }, mode = { "enum", names = { "r", "w", "a" } } } },
  { "enum", names = { "inherit", "null" } } }

local ID_MAP = { "list", min = 1, max = 340, of = { "table", fields = {
  inside = { "integer", required = true, min = 0, max = LAST_ID },
  outside = { "integer", required = true, min = 0, max = LAST_ID },
  count = { "integer", default = 1, min = 1, max = 4294967295 } } } }

--- The kind of an absolute path.
M.path = ABSOLUTE

--- The kind of `uid_map` and `gid_map`.
M.id_map = ID_MAP

local ADDRESSES = { "any", { "address", prefix = "none" },
  { "list", min = 1, max = 2, of = { "address", prefix = "none" } } }

local NETWORK = { "object", is = "luabox.network" }

-- The words that the core takes for an option, made at the first need.
local mount_words = setmetatable({}, { __index = function(self, kind)
  self[kind] = sys.mount.flags(kind)
  return self[kind]
end })

local LINK = { "table", fields = {
  network = { NETWORK[1], is = NETWORK.is, required = true },
  interface = { "interface" },
  address = ADDRESSES,
  mac = { "mac" },
  default_route = { "boolean" },
  routes = { "routes", default = {} } } }

local MOUNT = { "table", fields = {
  target = { ABSOLUTE[1], min = 1, max = 4095, pattern = ABSOLUTE.pattern, says = ABSOLUTE.says, required = true },
  source = { "string", min = 1, max = 4095 },
  type = { "string", default = "bind", min = 1, max = 63 },
  flags = { "string" },
  data = { "string", max = 4095 } } }

local USER = { "table", fields = { uid = ID, gid = ID, groups = { "list", of = ID, max = 65536 } } }

-- The first word is a program's name.
local function check_command(command)
  if command[1] == "" then return nil, "the program's name is empty" end
  return command
end

local COMMAND = { "list", of = { "string" }, min = 1, check = check_command }
local VARIABLE = { "string", min = 1, pattern = "^[^=]+$", says = "has a '=' in it" }
local ENVIRONMENT = { "map", key = VARIABLE, of = { "string" } }

-- What the core says of a word that it does not know.
local function known(f, word)
  local ok, problem = pcall(f, word)
  if ok or type(problem) ~= "string" then return word end
  return nil, problem:match "%((.*)%)$"
end

local RESOURCE = { "string", check = function(name)
  local resource, problem = known(sys.system.rlimit, name)
  return resource, problem and problem:gsub("^unknown value ('.-')", "%1 is unknown")
end }
local UNLIMITED = { "string", pattern = "^unlimited$", says = "is neither a number nor 'unlimited'" }
local CPUS = "'%s' is not a list of CPUs, such as '0-1,3'"

local function check_cpus(text)
  for part in (text .. ","):gmatch "([^,]*)," do
    local first, last = part:match "^(%d+)%-?(%d*)$"
    if not first or part:find "%-$" or (tonumber(last) or math.huge) < tonumber(first) then
      return nil, CPUS:format(text)
    end
  end
  return text
end

-- Beside the names, the two words for several that luabox.sys.capability takes.
local function capability_words()
  local words = sys.capability.names()
  table.insert(words, "default")
  table.insert(words, "all")
  return words
end

local IO_KEYS = { rbps = true, wbps = true, riops = true, wiops = true }

local function check_io(text)
  for word in text:gmatch "%S+" do
    local key, value = word:match "^(%a+)=(%w+)$"
    if not IO_KEYS[key] or value ~= "max" and not value:find "^%d+$" then
      return nil, ("'%s' is not a limit, such as 'rbps=1048576'; there are rbps, wbps, riops and wiops"):format(word)
    end
  end
  return text
end

-- The parameters that are not the host's: those of the namespaces that a container has.
local OWN_SYSCTLS = {
  "^net%.", "^fs%.mqueue%.", "^kernel%.msg", "^kernel%.sem$", "^kernel%.shm", "^kernel%.domainname$",
}

local SYSCTL = { "string", pattern = "^%w[%w_./-]*[./][%w_./-]*%w$",
  says = "is not a sysctl's name, such as 'net.ipv4.ip_forward'" }

-- Of rootfs, and of each lower layer of an overlay.
M.layer = { "any", ABSOLUTE, { "object", is = "luabox.mount" } }

local spec = {
  name = { HOST_NAME[1], min = 1, max = 63, pattern = HOST_NAME.pattern, says = HOST_NAME.says, required = true },
  command = COMMAND,
  init = { "boolean", default = true },
  rootfs = { "any", { "object", is = "luabox.overlay" }, table.unpack(M.layer, 2) },
  access = { "enum", names = { "overlay", "ro", "rw" }, default = "overlay" },
  size = { "size", min = 4096 },
  mounts = { "list", of = MOUNT, default = {} },
  files = { "map", key = ABSOLUTE, of = { "string" }, default = {} },
  hostname = HOST_NAME,
  domainname = { "string", min = 1, max = 64 },
  env = ENVIRONMENT,
  cwd = ABSOLUTE,
  user = { USER[1], fields = USER.fields, default = {} },
  uid_map = ID_MAP,
  gid_map = ID_MAP,
  network = { "any", NETWORK, { "enum", names = { "none", "host" }, also = "a luabox.network" } },
  networks = { "list", of = LINK, min = 1 },
  address = ADDRESSES,
  routes = { "routes" },
  ports = { "ports" },
  hosts = { "map", key = { "name" }, of = { "address", prefix = "none" }, default = {} },
  dns = { "list", of = { "address", prefix = "none" }, max = 3 },
  memory = { "size", min = 4096 },
  memory_high = { "size", min = 4096 },
  memory_swap = { "size", min = 0 },
  cpus = { "number", min = 0.01, max = 8192 },
  cpu_weight = { "integer", min = 1, max = 10000 },
  cpuset = { "string", check = check_cpus },
  pids = { "integer", min = 1, max = 4194304 },
  io = { "map", key = { "string", pattern = "^%d+:%d+$", says = "is not a device, such as '8:0'" },
    of = { "string", min = 1, check = check_io } },
  rlimits = { "map", key = RESOURCE, of = { "any", { "integer", min = 0 }, UNLIMITED }, default = {} },
  sysctls = { "map", key = SYSCTL, default = {}, of = { "any", { "integer" },
    { "string", pattern = "^[^\n]*$", says = "has more than one line" } } },
  capabilities = { "flags", names = capability_words },
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

local function io_lines(devices)
  local lines = {}
  for device, text in pairs(devices or {}) do lines[#lines + 1] = device .. " " .. text end
  return devices and lines
end

local function limits_of(o)
  return {
    ["memory.max"] = o.memory, ["memory.high"] = o.memory_high, ["memory.swap.max"] = o.memory_swap,
    ["cpu.max"] = o.cpus, ["cpu.weight"] = o.cpu_weight, ["cpuset.cpus"] = o.cpuset, ["pids.max"] = o.pids,
    ["io.max"] = io_lines(o.io),
  }
end

-- `network`, `address` and `routes` are the short form of one entry of `networks`.
local function links_of(o)
  if o.networks and o.network then fail("networks", "cannot be given together with 'network'") end
  local is_short = type(o.network) == "table"
  for _, name in ipairs { "address", "routes" } do
    if o[name] and not is_short then
      fail(name, o.networks and "belongs into an entry of 'networks' here" or "needs a network")
    end
  end
  return o.networks or is_short and { { network = o.network, address = o.address, routes = o.routes or {} } } or {}
end

local function name_links(links, name)
  local taken = {}
  for i, link in ipairs(links) do
    link.name = name
    link.interface = link.interface or "eth" .. i - 1
    if link.interface == "lo" or taken[link.interface] then
      fail(("networks[%d].interface"):format(i), "'%s' is taken in this container", link.interface)
    end
    taken[link.interface] = true
  end
end

local function leads_everywhere(link)
  for _, route in ipairs(link.routes) do
    if route.to.prefix == 0 then return true end
  end
  return false
end

-- One default route: the one asked for, else the first link that has a way out.
local function choose_default_route(links)
  local asked
  for i, link in ipairs(links) do
    if link.default_route or leads_everywhere(link) then
      if asked then fail(("networks[%d].default_route"):format(i), "networks[%d] has it already", asked) end
      asked = i
      if link.default_route == nil then link.default_route = true end
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

-- What is wrong with one kind of ids of two ranges, or nil.
local function range_problem(ranges, side)
  for i, range in ipairs(ranges) do
    local first, last = range[side], range[side] + range.count - 1
    if last > LAST_ID then return ("range %d goes beyond the last id, %d"):format(i, LAST_ID) end
    for j = 1, i - 1 do
      if first < ranges[j][side] + ranges[j].count and ranges[j][side] <= last then
        return ("the %s ids of ranges %d and %d overlap"):format(side, j, i)
      end
    end
  end
end

local function check_ranges(o, name, where, arg)
  local problem = range_problem(o[name] or {}, "inside") or range_problem(o[name] or {}, "outside")
  if problem then options.fail(where, name, problem, arg) end
end

--- Checks what its description cannot say of a pair of id maps.
-- @tparam table o with `uid_map` and `gid_map`, or neither
-- @tparam string where the function
-- @tparam[opt=1] integer arg
-- @raise an argument error
function M.check_id_maps(o, where, arg)
  check_ranges(o, "uid_map", where, arg)
  check_ranges(o, "gid_map", where, arg)
  if (o.uid_map == nil) ~= (o.gid_map == nil) then
    options.fail(where, o.uid_map and "gid_map" or "uid_map", "is missing: a user namespace needs both maps", arg)
  end
end

local function check_maps(o)
  M.check_id_maps(o, "container")
  if o.uid_map and o.network == "host" then fail("uid_map", "cannot be combined with network = \"host\"") end
end

local function check_flags(i, mount)
  local names = mount_words[mount.type == "bind" and "bind" or "mount"]
  local _, problem = kinds.checks.flags(mount.flags or "", { names = names })
  if problem then fail(("mounts[%d].flags"):format(i), "%s", problem) end
end

local function check_sysctls(o)
  for name in pairs(o.sysctls) do
    local dotted, own = name:gsub("/", "."), false
    for _, pattern in ipairs(OWN_SYSCTLS) do own = own or dotted:find(pattern) ~= nil end
    if not own or o.network == "host" and dotted:find "^net%." then
      fail("sysctls", "'%s' is the host's, not the container's; set it with luabox.sys.system.set_sysctl", name)
    end
  end
end

--- The overlay that is a container's root, if one is.
-- @tparam table d its description
-- @treturn ?luabox.overlay
function M.overlay_of(d)
  return type(d.rootfs) == "table" and d.rootfs or nil
end

--- Checks `access` and `size`, with `rootfs`.
-- @tparam table o options
-- @tparam string where whose
-- @tparam integer arg
-- @raise an argument error
function M.check_access(o, where, arg)
  local overlay = M.overlay_of(o)
  if overlay and o.access == "rw" then
    options.fail(where, "access", "'rw' is for a directory or a tree; an overlay's lower layers are never written to",
      arg)
  end
  if overlay and overlay.upper and o.size then
    options.fail(where, "size", "is of a layer in memory; this overlay has an 'upper'", arg)
  end
  if not o.rootfs and o.access ~= "overlay" then
    options.fail(where, "access", ("'%s' needs a 'rootfs'"):format(o.access), arg)
  end
end

--- The descriptions of some of a container's options, for who takes the same.
-- @tparam {string,...} names
-- @treturn table
function M.some(names)
  local some = {}
  for _, name in ipairs(names) do some[name] = spec[name] end
  return some
end

local function check_root(o)
  M.check_access(o, "container", 1)
  for i, mount in ipairs(o.mounts) do
    check_flags(i, mount)
    if not mount.target:find "[^/]" then
      fail(("mounts[%d].target"):format(i), "'/' is the root itself, which 'rootfs' and 'access' tell")
    end
    if mount.type == "bind" and mount.data then
      fail(("mounts[%d].data"):format(i), "a bind mount has none; its flags may be '%s'",
        table.concat(mount_words.bind, "', '"))
    end
    if mount.type == "bind" and not (mount.source or ""):find("^/") then
      fail(("mounts[%d].source"):format(i), "an absolute path of the host is needed for a bind mount")
    end
  end
end

-- Beside what was asked for, what every program may rely on.
local function environment(asked)
  local env = {
    PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME = "/root", container = "luabox",
  }
  for name, value in pairs(asked or {}) do env[name] = value end
  return env
end

--- Checks what `luabox.container` was given.
-- @tparam table o
-- @treturn table the description that `luabox.container`, `luabox.root` and the others read
-- @raise an argument error
function M.check(o)
  local d = options.check(spec, o, "container")
  check_maps(d)
  check_root(d)
  check_sysctls(d)
  d.links = links_of(d)
  name_links(d.links, d.name)
  choose_default_route(d.links)
  d.ports = check_ports(d, d.links)
  d.limits = limits_of(d)
  d.hostname = d.hostname or d.name
  d.env = environment(d.env)
  d.uid, d.gid, d.groups = d.user.uid or 0, d.user.gid or 0, d.user.groups or {}
  -- The embedded root's ping knows only raw sockets, and a LAN without ping is no laboratory.
  d.capabilities = d.capabilities or sys.capability.default() .. ",net_raw"
  return d
end

-- ---- what its methods take ----

-- Of `wait` and `stop`, of `kill`, of `call`.
M.timeout = { "duration", min = 0 }
M.signal = { "any", { "string" }, { "integer" }, default = "KILL",
  check = function(signal) return known(sys.signal.number, signal) end }
M.body = { "function", required = true }

local run_spec = {
  input = { "string" },
  timeout = M.timeout,
  max_output = { "size", min = 1, default = 64 << 20 },
  env = ENVIRONMENT,
  cwd = ABSOLUTE,
  user = USER,
}

--- Checks what `run` and `check` were given.
-- @tparam table command
-- @tparam ?table o
-- @tparam string where "run" or "check"
-- @treturn {string,...}
-- @treturn table
-- @raise an argument error
function M.check_run(command, o, where)
  if type(command) ~= "table" then
    local hint = type(command) == "string" and "; there is no shell in between" or ""
    local got = command == nil and "no value" or type(command)
    options.fail(where, nil, ("list of program and arguments expected, got %s%s"):format(got, hint))
  end
  return options.check({ command = COMMAND }, { command = command }, where).command,
    options.check(run_spec, o or {}, where, 2)
end

return M
