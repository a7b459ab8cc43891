--- What this process and its namespaces hold, as a set of lines: two of them compared show what a test left.
local lfs = require "lfs"
local needs = require "needs"
local system = require "system"

-- Set by tests/sandbox: only there are links, processes and mounts nobody else's.
local IN_SANDBOX = os.getenv("LUABOX_SANDBOX") == "1"

local PAUSE = 0.01 -- between two looks at what the kernel frees by and by

local SYSCTLS = {
  "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "kernel/hostname", "kernel/domainname",
}

-- What iproute2, runc and iptables make once, and keep.
local OF_OTHERS = { ["/run/netns"] = true, ["/run/runc"] = true, ["/run/xtables.lock"] = true }

-- None of what is no directory, or is one no more.
local function entries(directory)
  local names = {}
  local ok, next_name, state, _, closing = pcall(lfs.dir, directory)
  if not ok then return names end
  for name in next_name, state, nil, closing do
    if name ~= "." and name ~= ".." then names[#names + 1] = name end
  end
  return names
end

local function target(path)
  return lfs.symlinkattributes(path, "target")
end

local function contents(path)
  local file <close> = io.open(path)
  return file and file:read("a") or ""
end

-- Calls `visit` with the path of each file and directory below, of one file system.
local function walk(directory, device, visit)
  for _, name in ipairs(entries(directory)) do
    local path = directory .. "/" .. name
    local attributes = lfs.symlinkattributes(path) or {}
    visit(path)
    if attributes.mode == "directory" and attributes.dev == device then walk(path, device, visit) end
  end
end

local sources = {}

-- What the listing itself has open is left out: it is gone when its links are read.
function sources.descriptor(add)
  for _, number in ipairs(entries("/proc/self/fd")) do
    local to = target("/proc/self/fd/" .. number)
    if to then add(number .. " -> " .. to) end
  end
end

function sources.child(add)
  for _, task in ipairs(entries("/proc/self/task")) do
    for pid in contents("/proc/self/task/" .. task .. "/children"):gmatch("%d+") do
      add(pid .. " " .. contents("/proc/" .. pid .. "/cmdline"):gsub("\0", " "))
    end
  end
end

function sources.namespace(add)
  for _, name in ipairs(entries("/proc/self/ns")) do add(name .. " " .. target("/proc/self/ns/" .. name)) end
end

-- Umask, capabilities, signal masks, no_new_privs, seccomp.
function sources.status(add)
  for line in contents("/proc/self/status"):gmatch("[^\n]+") do
    local name = line:match("^([%w_]+):")
    if name == "Umask" or name == "NoNewPrivs" or name == "Seccomp" or name:find("^Sig[BIC]") or name:find("^Cap") then
      add(line)
    end
  end
end

function sources.directory(add)
  add(lfs.currentdir())
end

local temporary = {} -- that this process was given a name for
local tmpname = os.tmpname

function os.tmpname() -- luacheck: ignore
  local name = tmpname()
  temporary[#temporary + 1] = name
  return name
end

sources["temporary file"] = function(add)
  for _, name in ipairs(temporary) do
    if lfs.symlinkattributes(name) then add(name) end
  end
end

local private = {}

function private.process(add)
  for _, pid in ipairs(entries("/proc")) do
    if pid:find("^%d+$") then add(pid .. " " .. contents("/proc/" .. pid .. "/comm")) end
  end
end

function private.mount(add)
  for line in contents("/proc/self/mountinfo"):gmatch("[^\n]+") do add(line) end
end

function private.link(add)
  for name in contents("/proc/self/net/dev"):gmatch("\n%s*([^%s:]+):") do add(name) end
end

private["network address"] = function(add)
  for line in contents("/proc/self/net/if_inet6"):gmatch("[^\n]+") do add(line) end
  for line in contents("/proc/self/net/fib_trie"):gmatch("|%-%- ([%d.]+)") do add(line) end
end

function private.route(add)
  for line in contents("/proc/self/net/route"):gmatch("[^\n]+") do add(line) end
end

private["nft table"] = function(add)
  if needs.missing "#nft" then return end
  local nft <close> = require("luabox.sys.nft").socket()
  for _, t in ipairs(nft:tables()) do add(t.family .. " " .. t.name) end
end

-- Calls `visit` with each control group. The files of one that has none within, as the count of its links says, are not
-- looked at: that was most of a snapshot's time.
local function visit_cgroups(directory, visit)
  visit(directory)
  if lfs.symlinkattributes(directory, "nlink") == 2 then return end
  for _, name in ipairs(entries(directory)) do
    local path = directory .. "/" .. name
    if lfs.symlinkattributes(path, "mode") == "directory" then visit_cgroups(path, visit) end
  end
end

function private.cgroup(add)
  visit_cgroups("/sys/fs/cgroup", function(path)
    if path:find("/luabox[^/]*$") then add(path) end
  end)
  for line in contents("/proc/self/cgroup"):gmatch("[^\n]+") do
    if not line:find ":/$" then add(line) end -- roots come to be seen when they are first mounted
  end
end

-- Controllers that a cgroup hands on.
private["cgroup control"] = function(add)
  visit_cgroups("/sys/fs/cgroup", function(path)
    local file <close> = io.open(path .. "/cgroup.subtree_control")
    if file then add(path .. "/cgroup.subtree_control = " .. (file:read "a" or "")) end
  end)
end

private["network namespace"] = function(add)
  for _, name in ipairs(entries("/run/netns")) do add(name) end
end

-- /run and /tmp are the sandbox's own; what a test has in a directory that it removes later is its business.
function private.file(add)
  for _, directory in ipairs { "/run", "/tmp" } do
    walk(directory, lfs.attributes(directory, "dev"), function(path)
      if path:find "luabox" or path:find "^/[^/]+/[^/]+$" and not OF_OTHERS[path] then add(path) end
    end)
  end
end

function private.sysctl(add)
  for _, name in ipairs(SYSCTLS) do
    add(name .. " = " .. contents("/proc/sys/" .. name))
  end
end

local M = {}

--- Everything there is now.
-- @treturn {[string]=boolean,...}
function M.snapshot()
  collectgarbage()
  collectgarbage()
  local set = {}
  local function read(from)
    for kind, source in pairs(from) do
      source(function(line) set[kind .. " " .. line:gsub("%s+$", "")] = true end)
    end
  end
  read(sources)
  if IN_SANDBOX then read(private) end
  return set
end

local function missing(from, set, sign, lines)
  for line in pairs(set) do
    if not from[line] then lines[#lines + 1] = sign .. line end
  end
end

--- The lines that are only in one of two snapshots.
-- @treturn {string,...} sorted; "+ " before what is new, "- " before what is gone
function M.difference(before, after)
  local lines = {}
  missing(before, after, "+ ", lines)
  missing(after, before, "- ", lines)
  table.sort(lines)
  return lines
end

--- What still differs from a snapshot after so many seconds; "" as soon as nothing does.
-- `help`, if given, is called before each look.
-- @treturn string
function M.left(before, seconds, help)
  local deadline = system.monotime() + seconds
  while true do
    if help then help() end
    local lines = M.difference(before, M.snapshot())
    if #lines == 0 or system.monotime() > deadline then return table.concat(lines, "\n") end
    system.sleep(PAUSE)
  end
end

return M
