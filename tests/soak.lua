--- Containers or LANs one after the other in one process, and what there is on the way.
-- Usage: soak.lua containers|lans COUNT FIRST
-- Prints "SAMPLE VALUE NAME" for the states after FIRST and after COUNT of them (memory in KiB), and at the end, one a
-- line, what is there in the second state and was not in the first, or the reverse: "+ …", "- …".
local leaks = require "leaks"
local luabox = require "luabox"
local sleep = require("system").sleep
local system = luabox.sys.system

local SETTLE = 10 -- seconds that the kernel has to free what it frees late
-- Of the whole machine: others make some, too.
local SLABS = { "net_namespace", "pid_namespace", "uts_namespace", "mnt_cache", "nsproxy", "key_jar" }

local function contents(path)
  local file <close> = io.open(path)
  return file and file:read "a" or ""
end

local function anonymous(pid)
  return tonumber(contents(("/proc/%s/status"):format(pid)):match "RssAnon:%s*(%d+)") or 0
end

local function measure()
  collectgarbage()
  collectgarbage()
  local keeper = luabox.keeper.current()
  local values = { memory = anonymous "self", ["Lua's memory"] = math.ceil(collectgarbage "count"),
    ["keeper's memory"] = keeper and anonymous(keeper:pid()) or 0 }
  values.keys = select(2, contents("/proc/keys"):gsub("\n", ""))
  local slabs = contents "/proc/slabinfo"
  for _, name in ipairs(SLABS) do values[name] = tonumber(slabs:match("\n" .. name .. "%s+(%d+)")) end
  return values
end

-- ---- containers ----

local works = {
  function()
    local box <close> = luabox.container { name = "box", memory = "64M", pids = 20, cpus = 0.5 }
    box:start():check { "true" }
    assert(box:call(function() return 7 end) == 7)
  end,
  function()
    local box <close> = luabox.container { name = "box", command = { "sh", "-c", "exit 3" }, files = { ["/x"] = "y" } }
    assert(box:start():wait().code == 3)
    box:start():stop()
  end,
  function()
    local map = { { inside = 0, outside = 100000, count = 65536 } }
    local box <close> = luabox.container { name = "box", uid_map = map, gid_map = map }
    box:start():check { "true" }
  end,
  function() -- what fails
    local box <close> = luabox.container { name = "box", command = { "nosuch" }, pids = 20 }
    assert(luabox.error.is(select(2, pcall(box.start, box)), "ENOENT"))
  end,
  function()
    local box <close> = luabox.container { name = "box", rootfs = "/", access = "overlay", pids = 20 }
    box:start()
    assert(luabox.error.is(select(2, pcall(box.run, box, { "sleep", "10" }, { timeout = 0.01 })), "ETIMEDOUT"))
    box:kill()
    box:wait()
  end,
}

-- ---- LANs ----

local function lan()
  local net <close> = luabox.network { name = "lan", nat = true }
  local web <close> = luabox.container { name = "web", network = net, ports = { "0:80" }, memory = "64M" }
  local client <close> = luabox.container { name = "client", network = net }
  web:start()
  client:start()
  client:check { "ping", "-c", "1", "-W", "10", "web" }
end

local makers = {
  containers = function(i) works[i % #works + 1]() end,
  lans = lan,
}

local function sample(name)
  local values = measure()
  for what, value in pairs(values) do print(("%s %d %s"):format(name, value, what)) end
  return values
end

-- Until there is no more than at first, or the time is over.
local function settle(first)
  local deadline = system.clock() + SETTLE
  local function is_settled()
    for what, value in pairs(measure()) do
      if not what:find "memory" and value > first[what] then return false end
    end
    return true
  end
  while not is_settled() and system.clock() < deadline do sleep(0.1) end
end

local kind, count, at = arg[1], tonumber(arg[2]), tonumber(arg[3])
local before, first
for i = 1, count do
  makers[kind](i)
  if i == at then
    sleep(1) -- what the kernel frees late
    before, first = leaks.snapshot(), sample "first"
  end
end
settle(first)
sample "last"
for _, line in ipairs(leaks.difference(before, leaks.snapshot())) do print(line) end
