--- A container: a process tree with namespaces, a root, limits and links of its own.
-- `luabox.container{…}` describes and checks, and touches nothing; `start` acts. Whatever a container made is gone
-- when it is deleted, closed or collected, and when luabox ends in any way.
--
-- The order of a start, and why it is this one:
--
--   1. the network namespace and its links: held by descriptors, they outlive the process, so that a container keeps
--      its addresses when it is started again;
--   2. the cgroup, told to the keeper before it is made: the child enters it by itself, which costs the kernel
--      nothing, where a parent that moves it waits for a grace period;
--   3. the process: cloned into its namespaces, it walks the steps of `luabox.root`, then gives up what it may, each
--      step while the next ones still may (`luabox.confinement`);
--   4. port maps, last: nobody is sent to a container that did not start.
-- @module luabox.container

local confinement = require "luabox.confinement"
local description = require "luabox.container_description"
local container_process = require "luabox.container_process"
local errors = require "luabox.error"
local names = require "luabox.names"
local options = require "luabox.options"
local root = require "luabox.root"
local scope = require "luabox.scope"
local luabox = require "luabox"
local sys = luabox.sys

local container_methods = {}
local container_mt = { __name = "luabox.container", __index = container_methods }

local function label(self)
  return "container '" .. self.name .. "'"
end

-- ---- the namespaces that outlive its process ----

-- ping for every user: the kernel's own sockets for it are open to these groups. Where this process's user namespace
-- does not map them all, the kernel takes no such range, and ping is for who has net_raw.
local function open_ping(namespace)
  local _, e = errors.try(sys.system.set_sysctl, "net.ipv4.ping_group_range", "0 2147483647", namespace)
  if e and e.code ~= "EINVAL" then error(e, 0) end
end

-- A user namespace and the network namespace that it owns (else the container may not mount sysfs). Their maker only
-- has to be there until both are held.
local function make_owned(self, undo)
  local maker <close> = sys.process.spawn {
    init = true, namespaces = "user,net", uid_map = self.uid_map, gid_map = self.gid_map,
  }
  self.user_namespace = undo:own(sys.namespace.open("user", maker:pid()))
  return undo:own(sys.namespace.open("net", maker:pid()))
end

local function connect(self)
  if self.namespace or self.network == "host" then return end
  local undo <close> = scope.new()
  local namespace = self.uid_map and make_owned(self, undo) or undo:own(sys.namespace.create "net")
  open_ping(namespace)
  if #self.endpoints == 0 then
    local socket <close> = sys.net.socket(namespace)
    socket:link_set { name = "lo", up = true }
  end
  for i, endpoint in ipairs(self.endpoints) do endpoint:connect(namespace, i + 1) end
  self.namespace, self.links_undo = namespace, undo:keep()
end

-- ---- the process ----

-- A cgroup namespace begins where its maker is, and version 1's groups are entered by a step, the first.
local function begin_in_groups(self, o)
  if not self.cgroup or #self.cgroup_fds == 0 then return end
  o.namespaces = o.namespaces:gsub(",cgroup", "")
  table.insert(o.steps, 2, { "unshare", namespaces = "cgroup" })
end

local function first_process(self)
  local undo <close> = scope.new()
  local steps = root.steps(self, root.layers(self, undo))
  local last = confinement.steps(self)
  table.move(last, 1, #last, #steps + 1, steps)
  local o = container_process.options(self, steps)
  o.program, o.init = self.command, self.init
  o.namespaces = container_process.NAMESPACES
  o.join = { self.namespace, self.user_namespace }
  o.guard = self.guard
  begin_in_groups(self, o)
  return sys.process.spawn(o)
end

-- As first_process; a limit too small for a start is named.
local function started(self)
  local ok, process = pcall(first_process, self)
  if ok then return process end
  local death = { signal = "KILL" }
  if errors.is(process, "ESRCH") then container_process.explain(self, death) end
  if death.reason then process.hint = death.reason end
  error(process, 0)
end

-- A program of an untrusted root must not get at luabox's own. One in a user namespace has no right to it.
local function guard(self)
  if not (self.guard or self.uid_map) then self.guard = sys.process.guard() end
end

local function begin(self, undo)
  guard(self)
  local overlay = description.overlay_of(self)
  if overlay then undo:own(overlay:take(label(self))) end
  connect(self)
  if next(self.limits) then self.cgroup, self.cgroup_fds = luabox.limits.apply(self.name, self.limits, undo) end
  local process = undo:own(started(self))
  for _, endpoint in ipairs(self.endpoints) do
    endpoint.on_change = function() names.refresh(process:pid(), self) end
    undo:add(function() endpoint.on_change = nil end)
  end
  if #self.ports > 0 then undo:own(self.endpoints[1].network:publish_maps(self.endpoints[1], self.ports)) end
  return process
end

-- The end of the first process is the end of the run: its cgroup, port maps and descriptors go.
local function ended(self, result)
  container_process.explain(self, result)
  self.result = result
  local run = self.run_undo
  self.run_undo, self.process, self.cgroup = nil, nil, nil
  run:close()
  return result
end

local function what_ended(self)
  local result = self.result
  if self.deleted then return "describe it anew" end
  if not result then return "call start() first" end
  return result.reason or result.signal and ("it was ended by SIG%s"):format(result.signal)
    or ("its command ended with status %d"):format(result.code)
end

local function expect_running(self, verb)
  local state = self:state()
  if state == "running" then return end
  errors.raise {
    op = verb, subject = label(self), message = ("it is %s, not running"):format(state), hint = what_ended(self),
  }
end

-- ---- lifecycle ----

--- "created", "running", "stopped" or "deleted".
-- @function container:state
-- @treturn string
function container_methods:state()
  if self.process and not self.process:alive() then self:wait() end
  return self.process and "running" or self.deleted and "deleted" or self.result and "stopped" or "created"
end

--- The number of its first process, as the host sees it.
-- @function container:pid
-- @treturn integer
-- @raise luabox.error if it is not running
function container_methods:pid()
  expect_running(self, "ask the pid of")
  return self.process:pid()
end

--- The host's port that leads to one of its own: what a map such as "0:80" has become.
-- @function container:host_port
-- @tparam integer port of the container
-- @tparam[opt="tcp"] string protocol
-- @treturn ?integer nil if none does
-- @raise luabox.error if it is not running
function container_methods:host_port(port, protocol)
  expect_running(self, "ask a port of")
  for _, map in ipairs(self.ports) do
    if map.container == port and map.protocol == (protocol or "tcp") then return map.published end
  end
end

--- What its processes have used, as far as it has limits: a container without has no cgroup of its own.
-- @function container:stat
-- @treturn ?table as `luabox.sys.cgroup`'s `stat` gives it: `cpu.usage_usec`, `memory.current`, `pids.refused`…
-- @raise luabox.error if it is not running
function container_methods:stat()
  expect_running(self, "ask the usage of")
  return self.cgroup and self.cgroup:stat()
end

--- Starts it: links, limits, root, the command. A container that has stopped is started again, with the same links.
-- @function container:start
-- @treturn luabox.container itself
-- @raise luabox.error; then every step is undone. It is running or deleted; the program is not there, or its loader;
-- a host port is taken; whatever the kernel refuses
function container_methods:start()
  local state = self:state()
  if state == "running" or state == "deleted" then
    errors.raise { op = "start", subject = label(self), message = "it is " .. state }
  end
  local undo <close> = scope.new()
  self.process = errors.within("start " .. label(self), begin, self, undo)
  self.run_undo, self.result = undo:keep(), nil
  return self
end

--- Waits until its command has ended.
-- @function container:wait
-- @tparam[opt] number|string timeout in seconds or as "1.5s"; without one as long as it takes
-- @treturn ?table `code`, or `signal` ("KILL"); `reason`, where a limit killed ("killed by memory.max of web (64.0
-- MiB)") or it failed where one refuses processes ("refused a fork by pids.max of web (50)"); nil if the time is over
-- @raise luabox.error if it was not started
function container_methods:wait(timeout)
  timeout = options.argument(description.timeout, timeout, "wait")
  if self.result then return self.result end
  if not self.process then expect_running(self, "wait for") end
  local result = self.process:wait(timeout)
  return result and ended(self, result)
end

--- Sends a signal to its command.
-- @function container:kill
-- @tparam[opt="KILL"] string|integer signal; KILL ends all of its processes
-- @raise luabox.error if it is not running
function container_methods:kill(signal)
  signal = options.argument(description.signal, signal, "kill")
  expect_running(self, "kill")
  self.process:kill(signal)
end

--- Stops it: SIGTERM, then SIGKILL to all of its processes if they are still there after a while.
-- @function container:stop
-- @tparam[opt] number|string timeout in seconds or as "1.5s"; `stop_timeout` of the description (10) by default
-- @treturn ?table as `wait`; nil if it was never started
-- @raise luabox.error
function container_methods:stop(timeout)
  timeout = options.argument(description.timeout, timeout, "stop")
  if self:state() ~= "running" then return self.result end
  self.process:kill "TERM"
  local result = self:wait(timeout or self.stop_timeout)
  if result then return result end
  self.process:kill "KILL"
  return self:wait()
end

--- Ends it and gives back all that it had, its place in its networks included. A second call does nothing.
-- @function container:delete
-- @raise luabox.error
function container_methods:delete()
  if self.deleted then return end
  self.deleted = true
  local undo <close> = scope.new()
  for _, endpoint in ipairs(self.endpoints) do undo:add(function() endpoint:release() end) end
  if self.guard then undo:own(self.guard) end
  if self.links_undo then undo:own(self.links_undo) end
  if self.run_undo then undo:own(self.run_undo) end
  if self.process then self.process:kill "KILL" end
  self.process, self.guard, self.run_undo, self.links_undo, self.namespace = nil, nil, nil, nil, nil
end

--- The same as `delete`.
-- @function container:close
container_methods.close = container_methods.delete

-- ---- further processes ----

-- Loaded by the first that needs it: a container may do with its command alone.
local function running()
  return require "luabox.container_running"
end

local function checked_run(self, command, o, where)
  command, o = description.check_run(command, o, where)
  expect_running(self, "run in")
  return errors.within("run in " .. label(self), running().run, self, command, o)
end

--- Runs a program in the container and collects what it wrote.
-- @function container:run
-- @tparam {string,...} command
-- @tparam[opt] table o
-- @tparam[opt] string o.input what it reads from its standard input; nothing by default
-- @tparam[opt] number o.timeout in seconds; as long as it takes by default
-- @tparam[opt="64M"] integer|string o.max_output bytes of its standard output, and of its standard error
-- @tparam[opt] table o.env added to the container's
-- @tparam[opt] string o.cwd the container's by default
-- @tparam[opt] table o.user { uid, gid, groups }, the container's by default
-- @treturn table `code` or `signal`, `stdout`, `stderr`; `reason` as `wait`, and where a library of the program is
--   missing (code 127), with what to do as `hint`; a code other than 0 is an outcome
-- @raise luabox.error: ETIMEDOUT and EFBIG (it is killed then), ENOENT, the container is not running
function container_methods:run(command, o)
  return checked_run(self, command, o, "run")
end

--- Runs a program as `run` does, and raises if it fails.
-- @function container:check
-- @tparam {string,...} command
-- @tparam[opt] table o as `run`
-- @treturn table as `run`
-- @raise luabox.error that says how it ended, and what it wrote last to its standard error or, if luabox knows the
-- reason, what to do
function container_methods:check(command, o)
  local result = checked_run(self, command, o, "check")
  if result.code ~= 0 then errors.within("in " .. label(self), running().fail, command, result) end
  return result
end

--- Calls a Lua function inside the container's namespaces and cgroup, in a process of its own; what it changes in
-- Lua's variables is not seen here. It keeps luabox's capabilities: no filter and no user of the container binds it, so
-- that it may add a route or a mount there.
-- @function container:call
-- @tparam function f
-- @param ... its arguments
-- @return its results: nil, booleans, numbers, strings, tables of these
-- @raise its error; luabox.error if the container is not running, or if a limit killed it
function container_methods:call(f, ...)
  options.argument(description.body, f, "call")
  expect_running(self, "call in")
  return running().call(self, label(self), f, ...)
end

function container_mt:__tostring()
  return ("%s (%s)"):format(label(self), self:state())
end

options.methods(container_mt.__name, container_methods)

container_mt.__close = errors.closer(container_methods.delete)
-- When the state closes, handles may have been closed before: each of them undid its part.
container_mt.__gc = function(self) pcall(self.delete, self) end

-- ---- description ----

-- What cannot be had is an option of the container, as it was written.
local function take_place(self, i, link)
  return require("luabox.endpoint").take(link.network, link, function(name, text)
    if name ~= "name" and self.networks then name = ("networks[%d].%s"):format(i, name) end
    options.fail("container", name, text)
  end)
end

local function take_places(self)
  local undo <close> = scope.new()
  local endpoints = {}
  for i, link in ipairs(self.links) do
    endpoints[i] = take_place(self, i, link)
    undo:add(function() endpoints[i]:release() end)
  end
  undo:forget()
  return endpoints
end

local M = {}

--- Describes a container; nothing is made before `start`.
-- @function container
-- @tparam table o
-- @tparam string o.name a host name of at most 63 bytes
-- @tparam[opt] {string,...} o.command program and arguments; without one the container just runs, for `run` and `call`
-- @tparam[opt=true] boolean o.init a small process 1 that hands signals on and reaps orphans
-- @tparam[opt] string|luabox.mount|luabox.overlay o.rootfs a directory of the host, or what `luabox.rootfs` made: a
--   detached tree or an overlay; the embedded busybox root by default
--   Device nodes in it do not work; those in /dev are luabox's
-- @tparam[opt="overlay"] string o.access to `rootfs`: "overlay" (what is written is thrown away, or is in the upper
--   layer of an overlay that has one), "ro" or "rw"
--   With "rw" setuid programs that the container makes stay in the host's directory: close it to others (mode 0700)
-- @tparam[opt] integer|string o.size of the throw-away layer, in bytes or as "64M"; half of the memory by default
-- @tparam[opt] {table,...} o.mounts each { target, source, type = "bind", flags, data }; `source` is a path of the host
--   for "bind", which takes all that is mounted below it along
-- @tparam[opt] {[string]=string} o.files path → text, written at the start with mode 0755
-- @tparam[opt] string o.hostname `name` by default
-- @tparam[opt] string o.domainname
-- @tparam[opt] {[string]=string} o.env added to PATH, HOME and container=luabox
-- @tparam[opt="/"] string o.cwd
-- @tparam[opt] table o.user { uid, gid, groups }; root of the container by default
-- @tparam[opt] {table,...} o.uid_map of a user namespace, each { inside, outside, count = 1 }; none by default
-- @tparam[opt] {table,...} o.gid_map likewise
-- @tparam[opt="none"] luabox.network|string o.network a network, "host" or "none"
-- @tparam[opt] string|{string,...} o.address in `network`; handed out by default
-- @tparam[opt] {table,...} o.routes in `network`, each { to, via }: a subnet, and the member through which it is
--   reached; one to 0.0.0.0/0 or ::/0 takes the place of the gateway's
-- @tparam[opt] {table,...} o.networks several: each { network, interface, address, mac, default_route, routes }
-- @tparam[opt] {string,...} o.ports published on the host: "8080:80", "127.0.0.1:8080:80/udp", "8000-8010:80-90";
--   "0:80" takes any free port, which `host_port` tells
-- @tparam[opt] {[string]=string} o.hosts more lines of /etc/hosts: name → address
-- @tparam[opt] {string,...} o.dns name servers; those of the host that are not on its loopback by default
-- @tparam[opt] integer|string o.memory `memory.max`, in bytes or as "64M"
-- @tparam[opt] integer|string o.memory_high `memory.high`: above it its processes are held back; cgroup v2 only
-- @tparam[opt] integer|string o.memory_swap `memory.swap.max`
-- @tparam[opt] number o.cpus `cpu.max`: 0.2 is a fifth of one CPU
-- @tparam[opt] integer o.cpu_weight `cpu.weight`, 1 to 10000
-- @tparam[opt] string o.cpuset `cpuset.cpus`: "0-1,3"
-- @tparam[opt] integer o.pids `pids.max`
-- @tparam[opt] {[string]=string} o.io `io.max`: "8:0" → "rbps=1048576"
-- @tparam[opt] {[string]=integer|string} o.rlimits "NOFILE" → limit, soft and hard, or "unlimited"
-- @tparam[opt] {[string]=string|integer} o.sysctls of its namespaces: "net.…", "fs.mqueue.…", "kernel.shm…", …
-- @tparam[opt] string o.capabilities those that it keeps: "chown,net_raw"; by default `luabox.sys.capability.default()`
--   and net_raw
-- @tparam[opt=true] boolean|luabox.seccomp o.seccomp the system call filter; true is the default one
-- @tparam[opt=true] boolean o.no_new_privs
-- @tparam[opt="null"] string|handle|table o.stdin of the command: "null", "inherit", a descriptor, { path, mode }
-- @tparam[opt="inherit"] string|handle|table o.stdout likewise
-- @tparam[opt="inherit"] string|handle|table o.stderr likewise
-- @tparam[opt=10] number|string o.stop_timeout of `stop`, in seconds
-- @treturn luabox.container with `name` and its first `address`, as text
-- @raise an argument error: a wrong option; a name or an address that is taken in its network
-- @usage
-- local box <close> = luabox.container { name = "box", memory = "64M" }
-- box:start()
-- assert(box:check({ "hostname" }).stdout == "box\n")
function M.new(o)
  local self = setmetatable(description.check(o), container_mt)
  self.endpoints = {}
  self.endpoints = take_places(self)
  if #self.ports > 0 then self.endpoints[1].network.has_gateway = true end
  self.address = self.endpoints[1] and self.endpoints[1].address
  return self
end

return setmetatable(M, { __call = function(_, o) return M.new(o) end })
