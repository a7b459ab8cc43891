--- Random arguments for every public function and method of luabox.
--
-- A supervisor runs workers, one after the other; each has all namespaces and a root of its own. A worker makes calls
-- with arguments from the seed until one of them changed it, or to the last of its number. Each call must return, or
-- raise a luabox.error or an argument error, in time; a call that is refused must leave nothing (tests/leaks.lua). A
-- failure names the seed and the call's number; the same two run it again: api_fuzz.lua --seed S --only N.
--
-- Usage: luabox tests/fuzz/api_fuzz.lua [--seconds N] [--seed S] [--only N]
package.path = "tests/fuzz/?.lua;tests/?.lua;" .. package.path

local documented = require "documented"
local generator = require "generator"
local option = require("trials").option

local process = require "luabox.sys.process"
local system = require "system"

local MODULES = {
  "luabox.address", "luabox.container", "luabox.elf", "luabox.error", "luabox.gc", "luabox.mount", "luabox.nat",
  "luabox.network", "luabox.pcap", "luabox.port_map", "luabox.probe", "luabox.rootfs", "luabox.scope",
  "luabox.show", "luabox.units", "luabox.sys.capability", "luabox.sys.cgroup", "luabox.sys.error",
  "luabox.sys.file", "luabox.sys.ipc", "luabox.sys.keeper", "luabox.sys.mount", "luabox.sys.namespace",
  "luabox.sys.net", "luabox.sys.nft", "luabox.sys.options", "luabox.sys.pcap", "luabox.sys.port",
  "luabox.sys.probe", "luabox.sys.process", "luabox.sys.rootfs", "luabox.sys.seccomp", "luabox.sys.signal",
  "luabox.sys.system", "luabox.sys.tar",
}

-- What is not called, and why. Nor is luabox.options: it takes a description of options, which is part of a program;
-- nor what has no doc comment, or is in a module that is internal.
local EXCLUDED = {
  ["luabox.sys.process.exit"] = "it ends the worker, whatever its argument",
  ["luabox.gc.main"] = "it is the program's, and ends it",
}

-- Options of a probe with which it ends soon.
local function hasten(o)
  if type(o) ~= "table" then return end
  for name, most in pairs { timeout = 0.01, interval = 0.01, retries = 2, count = 3 } do
    local value = o[name]
    if value == nil or type(value) == "number" and value > most or type(value) == "string" then o[name] = most end
  end
end

-- A probe, whose options are its last argument.
local function hastened(place)
  return function(a)
    if a[place] == nil then a[place] = {} end
    hasten(a[place])
    return a
  end
end

local function all_hastened(a)
  for _, probe in ipairs(type(a[1]) == "table" and a[1] or {}) do
    if type(probe) == "table" then
      hasten(probe[3])
      hasten(probe[4])
    end
  end
  return a
end

-- What is called with other arguments than the random ones, so that it ends.
local BOUNDED = {
  ping = hastened(2), tcp = hastened(3), udp = hastened(3), http = hastened(2), pingall = hastened(1),
  all = all_hastened,
  wait = function(a) return { n = 1, a[1] == nil and 0.01 or math.min(tonumber(a[1]) or 0.01, 0.01) } end,
  wait_any = function(a) return { n = 2, a[1], 0.01 } end,
  stop = function() return { n = 1, 0.01 } end,
  next = function() return { n = 1, 0.01 } end,
}

-- After these, when they succeed, the worker is another than it was: its rights, limits, root or signals.
local CHANGING = {
  "luabox.sys.capability.set", "luabox.sys.process.exec", "luabox.sys.seccomp.load", "luabox.sys.system.set_rlimit",
  "luabox.sys.namespace.enter", "luabox.sys.namespace.unshare", "luabox.sys.mount.chroot",
  "luabox.sys.mount.pivot_root",
  "luabox.sys.signal.block", "luabox.sys.signal.ignore", "luabox.sys.signal.default", "luabox.sys.signal.kill",
  "luabox.sys.signal.unblock", "namespace:enter", "luabox.sys.process.guard",
}
for _, name in ipairs(CHANGING) do CHANGING[name] = true end

local PATIENCE = 60 -- with one worker, in seconds
local CALLS = 100 -- of one worker
local MOST_FAILURES = 10

-- ---- the worker ----

local function sources()
  local paths = {}
  for path in assert(io.popen "ls src/binding/*.c lua/luabox/*.lua"):lines() do paths[#paths + 1] = path end
  return paths
end

-- The objects whose methods are called.
local objects = {
  address = function() return require("luabox.address").parse "10.0.0.1/24" end,
  batch = function() return require("luabox.sys.net").socket():batch() end,
  capture = function() return require("luabox.pcap").capture { link = "any" } end,
  cgroup = function() return require("luabox.sys.cgroup").create { name = "fuzz" .. math.random(1 << 40) } end,
  container = function() return require("luabox.container") { name = "box" } end,
  error = function() return require("luabox.error").new { op = "open", code = "ENOENT" } end,
  file_system = function() return require("luabox.sys.mount").fsopen "tmpfs" end,
  keeper = function() return require("luabox.sys.keeper").start() end,
  namespace = function() return require("luabox.sys.namespace").create "net" end,
  nat = function() return require("luabox.nat").new() end,
  net = function() return require("luabox.sys.net").socket() end,
  network = function() return require("luabox.network") { name = "lan" } end,
  nft = function() return require("luabox.sys.nft").socket() end,
  packets = function() return require("luabox.sys.pcap").open { link = "any" } end,
  probe = function()
    local kind = ({ "icmp", "tcp", "udp" })[math.random(3)]
    return require("luabox.sys.probe").open { kind = kind, address = "127.0.0.1", port = kind ~= "icmp" and 9 or nil }
  end,
  process = function() return process.spawn { program = { "true" }, stdin = "null" } end,
  scope = function() return require("luabox.scope").new() end,
  tree = function() return require("luabox.sys.mount").open_tree("/tmp", "clone") end,
}

local function sorted(t)
  local keys = {}
  for key in pairs(t) do
    if type(key) == "string" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

local function close_all(handles)
  for i = #handles, 1, -1 do
    local mt = debug.getmetatable(handles[i])
    if mt and mt.__name == "luabox.cgroup" then pcall(mt.__index.remove, handles[i]) end
    if mt and mt.__close then pcall(mt.__close, handles[i]) end
  end
end

-- Every function: its name, what it is called by, and how its receiver is made.
local function functions(known)
  local list = {}
  for _, name in ipairs(MODULES) do
    local module = require(name)
    for _, key in ipairs(type(module) == "table" and sorted(module) or {}) do
      if type(module[key]) == "function" and known[name .. "." .. key] and not EXCLUDED[name .. "." .. key] then
        list[#list + 1] = { name = name .. "." .. key, key = key, f = module[key] }
      end
    end
  end
  for _, kind in ipairs(sorted(objects)) do
    local object = objects[kind]()
    local methods = debug.getmetatable(object).__index
    close_all { object }
    for _, key in ipairs(type(methods) == "table" and sorted(methods) or {}) do
      if type(methods[key]) == "function" and known[key] then
        list[#list + 1] = { name = kind .. ":" .. key, key = key, f = methods[key], make = objects[kind] }
      end
    end
  end
  return list
end

-- Handles for arguments; each is noted, to be closed.
local function handle_maker(handles)
  local kinds = { "namespace", "net", "nft", "file_system", "process" }
  return function()
    local made, handle = pcall(objects[kinds[math.random(#kinds)]])
    if not made then return nil end
    handles[#handles + 1] = handle
    if math.random(5) == 1 then handle:close() end
    return handle
  end
end

-- Whether an error is one of those that may be.
local function is_clear(e)
  if type(e) == "string" then
    return e:find "bad argument #%-?%d+ to " ~= nil or e:find "calling '.-' on bad self" ~= nil
  end
  return getmetatable(e) == require("luabox.sys.error").metatable and type(tostring(e)) == "string" and e.message ~= nil
end

-- A call by its number, from the seed alone. Returns what the worker says, if it must end.
local function call(number, seed, list, world)
  math.randomseed(seed, number)
  local handles = {}
  world.handle = handle_maker(handles)
  local chosen = list[math.random(#list)]
  local before = require("leaks").snapshot()
  local receiver = chosen.make and chosen.make()
  handles[#handles + 1] = receiver
  local arguments = generator.arguments(world.functions[chosen.name] or world.functions[chosen.key], world)
  if BOUNDED[chosen.key] then arguments = BOUNDED[chosen.key](arguments) end
  io.write(("%d %s(%s)\n"):format(number, chosen.name, generator.show_all(arguments)))
  local results
  if receiver ~= nil then
    results = table.pack(pcall(chosen.f, receiver, table.unpack(arguments, 1, arguments.n)))
  else
    results = table.pack(pcall(chosen.f, table.unpack(arguments, 1, arguments.n)))
  end
  if not results[1] and not is_clear(results[2]) then return "unclear: " .. tostring(results[2]) end
  for i = 2, results.n do handles[#handles + 1] = results[i] end
  close_all(handles)
  local keeper = package.loaded["luabox.keeper"]
  if keeper then keeper.close() end
  local ok = results[1]
  arguments, results, handles, receiver = nil, nil, nil, nil -- luacheck: ignore
  world.handle = nil
  if ok and CHANGING[chosen.name] then return "changed" end
  local left = require("leaks").left(before, ok and 0 or 2)
  if left ~= "" then return ok and "changed" or "left after a refusal:\n" .. left end
end

local function work(seed, first, count)
  io.stdout:setvbuf "no"
  local world = {}
  world.functions, world.names = documented.read(sources())
  local list = functions(world.functions)
  for number = first, first + count - 1 do
    local said = call(number, seed, list, world)
    if said then
      io.write("= ", said, "\n")
      os.exit(said == "changed" and 0 or 1)
    end
  end
  io.write "= done\n"
end

-- ---- the supervisor ----

-- The machine's root, with a throw-away layer over it, and nothing else of it that could be written to.
local function steps(tree)
  local list = {
    { "propagation", path = "/", flags = "private,rec" },
    { "root", path = "/", overlay = true },
    { "mount", type = "proc", source = "proc", target = "/proc" },
    { "mount", type = "tmpfs", source = "tmp", target = "/tmp", create = "dir" },
    { "mount", type = "tmpfs", source = "run", target = "/run", create = "dir" },
    { "mount", type = "tmpfs", source = "dev", target = "/dev", create = "dir" },
    { "mount", type = "sysfs", source = "sysfs", target = "/sys", create = "dir" },
    { "bind", source = "/sys/fs/cgroup", target = "/sys/fs/cgroup", flags = "rec", optional = true },
    { "bind", source = tree, target = tree, create = "dir", flags = "rec,ro" },
  }
  for _, path in ipairs { "/dev/null", "/dev/urandom" } do
    list[#list + 1] = { "bind", source = path, target = path, create = "file" }
  end
  list[#list + 1] = { "detach_root" }
  return list
end

local function read_link(path)
  local pipe <close> = assert(io.popen("readlink " .. path))
  return pipe:read "l"
end

-- What a worker that ended at once has left of control groups, in the sandbox's own.
local function remove_cgroups()
  os.execute "find /sys/fs/cgroup -depth -type d -name 'luabox*' -exec rmdir {} + 2>/dev/null"
end

-- Runs a worker to its end. Returns its last call ("12 luabox.x.y(…)"), its last word, and how it ended.
local function run_worker(seed, first, count)
  local tree = os.getenv "PWD"
  local worker <close> = process.spawn {
    program = { read_link(("/proc/%d/exe"):format(process.id())), "tests/fuzz/api_fuzz.lua", "--seed", tostring(seed),
      "--first", tostring(first), "--count", tostring(count) },
    namespaces = "mnt,net,uts,ipc,pid,cgroup", init = true, steps = steps(tree), cwd = tree,
    stdin = "null", stdout = "pipe", stderr = "pipe",
  }
  local out, errors, late = process.communicate(worker, { timeout = PATIENCE })
  if late then worker:kill "KILL" end
  local status = worker:wait()
  remove_cgroups()
  local last, said
  for line in out:gmatch "[^\n]+" do
    if line:find "^%d+ " then last, said = line, nil end
    if line:find "^= " then said = line end
  end
  if said and said ~= "= done" and said ~= "= changed" then said = out:sub((out:find(said, 1, true))) end
  return { last = last, said = said, late = late, status = status, errors = errors }
end

-- What is wrong with how a worker ended, or nil. One that changed itself may have no last word.
local function problem_of(run)
  local name = (run.last or ""):match "^%d+ ([^(]*)"
  if run.late then return "hangs" end
  if run.errors:find "Sanitizer" or run.errors:find "runtime error:" then return run.errors end
  if run.said == "= done" or run.said == "= changed" or CHANGING[name] then return nil end
  if run.said then return run.said end
  return ("ends the process: %s\n%s"):format(generator.show(run.status), run.errors)
end

local function report(seed, number, run, problem)
  io.write(("%s\n%s\nagain: tests/sandbox %s tests/fuzz/api_fuzz.lua --seed %d --only %d\n"):format(
    run.last or "no call", problem, read_link(("/proc/%d/exe"):format(process.id())), seed, number))
end

local function supervise(seconds, seed, only)
  local deadline, next_call, failures = system.monotime() + seconds, only or 1, 0
  print("seed " .. seed)
  local run
  repeat
    run = run_worker(seed, next_call, only and 1 or CALLS)
    local number = math.tointeger((run.last or ""):match "^%d+") or next_call
    local problem = problem_of(run)
    if problem then
      failures = failures + 1
      report(seed, number, run, problem)
    end
    next_call = number + 1
  until only or not run.last or system.monotime() > deadline or failures == MOST_FAILURES
  print(("%d calls, %d failures"):format(next_call - 1, failures))
  os.exit(failures == 0, true)
end

if option "--first" then
  work(option "--seed", option "--first", option "--count")
else
  local seed = option "--seed" or math.random(1, 1 << 31)
  supervise(option("--seconds", 10), seed, option "--only")
end
