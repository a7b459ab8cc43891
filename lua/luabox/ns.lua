--- Namespaces from above: which there are, who is in them, going into them, and network namespaces with names.
-- What `lsns`, `nsenter` and `ip netns` do. `luabox ls` and `luabox enter` are its commands.
-- @module luabox.ns
local errors = require "luabox.error"
local kinds = require "luabox.option_kinds"
local look = require "luabox.ns_look"
local options = require "luabox.options"
local scope = require "luabox.scope"
local sys = require("luabox").sys

local M = {}

local TYPES = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" }
local NAMED = "/run/netns"

-- ---- what there is ----

local function only_of(list, pid)
  local own, kept = M.of(pid), {}
  for _, entry in ipairs(list) do
    if own[entry.type] == entry.id then kept[#kept + 1] = entry end
  end
  return kept
end

-- The description of the option `types`, for `luabox ls`.
M.types = { "flags", names = TYPES }

local list_options = {
  types = M.types,
  pid = { "integer", min = 1, max = 2147483647 },
  held = { "boolean", default = false },
}

-- "net,pid" as a list; all without.
local function split(types)
  if not types then return TYPES end
  local list = {}
  for word in types:gmatch "[^,%s]+" do list[#list + 1] = word end
  return list
end

--- The namespaces that this process may see, as lsns(8) lists them.
-- @tparam[opt] table o
-- @tparam[opt] string o.types comma list of "cgroup,ipc,mnt,net,pid,time,user,uts"; all by default
-- @tparam[opt] integer o.pid only those that this process is in
-- @tparam[opt=false] boolean o.held those, too, that no process is in and only a descriptor holds
-- @treturn {table,...} in the order of their ids, each with `type`, `id`, `processes` (how many); of the process with
--   the lowest pid in it `pid`, `uid`, `user`, `command`; `path` where one is mounted; with `held` `holder` (a pid) and
--   `held_at`, the path of its descriptor; `parent` (an id) of those of pid and user
-- @raise luabox.error: ENOENT if no proc is mounted, ESRCH if there is no process `pid`
-- @see lsns(8)
-- @usage
-- for _, ns in ipairs(luabox.ns.list { types = "net" }) do print(ns.id, ns.processes, ns.command) end
function M.list(o)
  o = options.check(list_options, o or {}, "list")
  local list = look.scan(split(o.types), o.held)
  return o.pid and only_of(list, o.pid) or list
end

--- The processes in a namespace.
-- @tparam integer id
-- @treturn {table,...} in the order of their pids, each with `pid`, `ppid`, `uid`, `user`, `command`
-- @raise luabox.error: ENOENT if this process sees nobody in such a namespace
-- @usage assert(#luabox.ns.processes(luabox.ns.of().net) > 0)
function M.processes(id)
  id = options.argument({ "integer", min = 1, required = true }, id, "processes")
  local users, list = look.user_names(), {}
  for _, p in ipairs(sys.namespace.processes()) do
    for _, own in pairs(p.namespaces) do
      if own == id then
        list[#list + 1] = { pid = p.pid, ppid = p.ppid, uid = p.uid, user = users[p.uid] or tostring(p.uid),
          command = look.command_of(p.pid, p.name) }
      end
    end
  end
  if #list == 0 then
    errors.raise { op = "list processes", subject = "namespace " .. id, code = "ENOENT",
      hint = "`luabox ls` lists the namespaces that there are" }
  end
  table.sort(list, function(a, b) return a.pid < b.pid end)
  return list
end

local PID = { "integer", min = 1 }

local PROC_HINTS = { ENOENT = "there is no such process here", EACCES = "another user's process: be root" }

-- Calls a function; an error that has no hint gets that of its code.
local function hinted(hints, f, ...)
  local answer, e = errors.try(f, ...)
  if e then
    e.hint = e.hint or hints[e.code]
    error(e, 0)
  end
  return answer
end

-- Asks proc for something of a process.
local function ask(f, path)
  return hinted(PROC_HINTS, f, path)
end

--- The namespaces of a process.
-- @tparam[opt] integer pid this process by default
-- @treturn {[string]=integer} type → id
-- @raise luabox.error: ENOENT if there is no such process, EACCES if this one may not look
-- @usage assert(luabox.ns.of().net > 0)
function M.of(pid)
  local directory = ("/proc/%s/ns/"):format(options.argument(PID, pid, "of") or "self")
  local ids = {}
  for _, type in ipairs(TYPES) do
    if ask(sys.file.exists, directory .. type) or type == "mnt" then
      local _, id = look.parse_link(ask(sys.file.readlink, directory .. type))
      ids[type] = id
    end
  end
  return ids
end

--- The pids of a process, one in each pid namespace that it is in.
-- @tparam[opt] integer pid this process by default
-- @treturn {integer,...} from this proc's own level to the innermost
-- @raise luabox.error: ENOENT if there is no such process
-- @see pid_namespaces(7)
-- @usage assert(luabox.ns.pids()[1] == luabox.sys.process.id())
function M.pids(pid)
  local status = ask(sys.file.read, ("/proc/%s/status"):format(options.argument(PID, pid, "pids") or "self"))
  local list = {}
  for number in (status:match "\nNSpid:([^\n]*)" or ""):gmatch "%d+" do list[#list + 1] = tonumber(number) end
  return list
end

-- ---- going in ----

local enter_options = {
  types = { "flags", names = TYPES },
  root = { "boolean", default = false },
  cwd = { "boolean", default = false },
}

-- Those that differ from this process's own: the kernel refuses to enter its own user namespace.
local function differing(pid)
  local own, types = M.of(), {}
  for type, id in pairs(M.of(pid)) do
    if own[type] ~= id then types[#types + 1] = type end
  end
  table.sort(types)
  return table.concat(types, ",")
end

-- What is needed of the process, held before anything is entered.
local function hold(pid, o, undo)
  local target = { pidfd = undo:own(sys.process.pidfd(pid)) }
  target.types = o.types or differing(pid)
  for _, name in ipairs { "root", "cwd" } do
    target[name] = o[name] and undo:own(sys.mount.open_tree(("/proc/%d/%s"):format(pid, name), "")) or nil
  end
  return target
end

local pid_argument = { "integer", min = 1, max = 2147483647, required = true }

--- Puts this process into namespaces of another. Those of pid and time are for the children that it starts afterwards.
-- @tparam integer pid
-- @tparam[opt] table o
-- @tparam[opt] string o.types which; all that differ by default
-- @tparam[opt=false] boolean o.root take its root directory, too
-- @tparam[opt=false] boolean o.cwd and its working directory
-- @raise luabox.error: ESRCH, EPERM; EUSERS for "time" while a container is there
-- @see nsenter(1)
-- @usage
-- local box <close> = luabox.container { name = "box" }
-- box:start()
-- luabox.ns.enter(box:pid(), { types = "uts" })
-- assert(luabox.sys.system.hostname() == "box")
function M.enter(pid, o)
  pid = options.argument(pid_argument, pid, "enter")
  o = options.check(enter_options, o or {}, "enter", 2)
  local undo <close> = scope.new()
  local target = hold(pid, o, undo)
  local chroot, chdir = sys.mount.chroot, sys.file.chdir -- in there no module may be found
  if target.types ~= "" then sys.namespace.enter(target.pidfd, target.types) end
  if target.root then chroot(target.root) end
  if target.cwd then chdir(target.cwd) end
end

-- Starts a process there; `spawn` says what it is to do.
local function spawn_in(pid, o, spawn)
  local undo <close> = scope.new()
  local target, steps = hold(pid, o, undo), {}
  if target.root then steps[#steps + 1] = { "chroot", fd = target.root } end
  if target.cwd then steps[#steps + 1] = { "chdir", fd = target.cwd } end
  spawn.join = target.types ~= "" and { { pidfd = target.pidfd, types = target.types } } or nil
  spawn.steps = steps
  return sys.process.spawn(spawn)
end

--- Calls a Lua function in namespaces of a process, in a process of its own; this one stays where it is.
-- @tparam integer pid
-- @tparam ?table o as `enter`
-- @tparam function f
-- @param ... its arguments
-- @return its results: nil, booleans, numbers, strings, tables of these
-- @raise its error; luabox.error as `enter`
-- @usage
-- local box <close> = luabox.container { name = "box" }
-- box:start()
-- local name = luabox.ns.call(box:pid(), nil, function() return luabox.sys.system.hostname() end)
-- assert(name == "box")
function M.call(pid, o, f, ...)
  pid = options.argument(pid_argument, pid, "call")
  o = options.check(enter_options, o or {}, "call", 2)
  options.argument({ "function", required = true }, f, "call", 3)
  local process <close> = spawn_in(pid, o, { body = f, args = table.pack(...) })
  return process:result()
end

--- Runs a program in namespaces of a process, with this process's standard streams, and waits for its end.
-- @tparam integer pid
-- @tparam ?table o as `enter`
-- @tparam {string,...} program and its arguments
-- @treturn table `code` or `signal`
-- @raise luabox.error as `enter`; ENOENT if the program is not there
-- @usage assert(luabox.ns.run(luabox.sys.process.id(), nil, { "true" }).code == 0)
function M.run(pid, o, program)
  pid = options.argument(pid_argument, pid, "run")
  o = options.check(enter_options, o or {}, "run", 2)
  options.argument({ "list", of = { "string" }, min = 1, required = true }, program, "run", 3)
  local process <close> = spawn_in(pid, o, { program = program })
  return process:wait()
end

-- ---- network namespaces with names ----

local name_argument = { "string", required = true, min = 1, max = 255, pattern = "^[^/%c]+$",
  says = "is not a name: no slash, no control character",
  check = function(name)
    if name == "." or name == ".." then return nil, ("'%s' is not a name"):format(name) end
    return name
  end }

local function path_of(name)
  return NAMED .. "/" .. name
end

local function no_such_name(name)
  local names = M.names()
  if #names == 0 then return "no network namespace has a name here; luabox.ns.create and `ip netns add` give names" end
  return "no network namespace has this name" .. kinds.suggestion(name, names)
end

-- Does something to what a name stands for, and says which names there are if there is none such.
local function on_name(verb, name, f, ...)
  local result, e = errors.try(f, ...)
  if not e then return result end
  if e.code == "ENOENT" then e.hint = no_such_name(name) end
  error(e:wrap(("%s network namespace '%s'"):format(verb, name)), 0)
end

local NAMED_HINTS = { EACCES = "to give names to network namespaces takes root" }

-- As ip-netns(8) has it: mounts in it are seen in all mount namespaces that have it from here, so that a name that is
-- deleted is deleted everywhere.
local function make_directory()
  if not sys.file.exists(NAMED) then hinted(NAMED_HINTS, sys.file.mkdir, NAMED, { mode = "755" }) end
  for _, mount in ipairs(sys.mount.list()) do
    if mount.target == NAMED then return end
  end
  sys.mount.bind { source = NAMED, target = NAMED, flags = "rec" }
  sys.mount.propagation(NAMED, "shared,rec")
end

--- Makes a network namespace with a name, which `ip netns` sees, too. It stays until it is deleted by its name.
-- As with `ip netns`, its loopback is down.
-- @tparam string name
-- @treturn luabox.namespace a handle of it
-- @raise luabox.error: EEXIST if the name is taken; EACCES, EPERM
-- @see ip-netns(8)
-- @usage
-- local blue <close> = luabox.ns.create "doc-blue"
-- luabox.ns.delete "doc-blue"
function M.create(name)
  name = options.argument(name_argument, name, "create")
  local path = path_of(name)
  if sys.file.exists(path) then
    errors.raise { op = "create network namespace", subject = name, code = "EEXIST",
      hint = ("luabox.ns.delete(%q) removes the one that is there"):format(name) }
  end
  make_directory()
  local undo <close> = scope.new()
  local ns = undo:own(sys.namespace.create "net")
  ns:pin(path)
  undo:forget()
  return ns
end

--- Opens a network namespace by its name.
-- @tparam string name
-- @treturn luabox.namespace
-- @raise luabox.error: ENOENT, whose hint has the names that there are
-- @usage
-- local made <close> = luabox.ns.create "doc-green"
-- local green <close> = luabox.ns.open "doc-green"
-- assert(green:id() == made:id())
-- luabox.ns.delete "doc-green"
function M.open(name)
  name = options.argument(name_argument, name, "open")
  return on_name("open", name, sys.namespace.open, "net", path_of(name))
end

--- Takes a name away. The namespace goes when no process and no handle is left in it.
-- @tparam string name
-- @raise luabox.error: ENOENT; EINVAL if what is there is no namespace
-- @usage
-- luabox.ns.create("doc-red"):close()
-- luabox.ns.delete "doc-red"
function M.delete(name)
  name = options.argument(name_argument, name, "delete")
  on_name("delete", name, sys.namespace.unpin, path_of(name))
  -- The mount that the names need goes with the last; while there is one, the kernel refuses.
  if #M.names() == 0 then pcall(sys.mount.umount, NAMED) end
end

--- The names of network namespaces.
-- @treturn {string,...} sorted
-- @usage for _, name in ipairs(luabox.ns.names()) do print(name) end
function M.names()
  if not sys.file.exists(NAMED) then return {} end
  local names = sys.file.list(NAMED)
  table.sort(names)
  return names
end

return M
