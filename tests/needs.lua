--- What a test needs of the kernel and its place, by a tag in its name or in a `describe` around it: "#nft".
-- Each returns why the test cannot hold here, or nil. It looks at what is there.
local lfs = require "lfs"

local M = {}

local function succeeds(command)
  return (os.execute(command .. " >/dev/null 2>&1 </dev/null"))
end

local function contents(path)
  local file <close> = io.open(path)
  return file and file:read("a")
end

function M.ipv6()
  if not lfs.attributes("/proc/sys/net/ipv6") then return "the kernel has no IPv6" end
end

function M.userns()
  if not succeeds "unshare --user true" then return "user namespaces cannot be made here" end
end

function M.nft()
  if not succeeds "nft list tables" then return "the kernel has no nftables" end
end

function M.bridgenf()
  if not lfs.attributes("/proc/sys/net/bridge") and not succeeds "modprobe br_netfilter" then
    return "the kernel has no br_netfilter"
  end
end

function M.overlay()
  if not (contents "/proc/filesystems"):find("\toverlay\n", 1, true) and not succeeds "modprobe overlay" then
    return "the kernel has no overlay file system"
  end
end

-- A cgroup is made, for what a mount and a user may not do shows only then.
function M.cgroup()
  local from = contents "/proc/self/mountinfo"
  for _, type in ipairs { "cgroup", "cgroup2" } do
    local directory = from:match("(/sys/fs/cgroup%S*) [^\n]* %- " .. type .. " ")
    local probe = directory and ("%s/needs-%d"):format(directory, math.random(1 << 30))
    if probe and lfs.mkdir(probe) then
      lfs.rmdir(probe)
      return nil
    end
  end
  return "no control group can be made here"
end

-- Version 2 may be there without controllers, beside version 1.
function M.cgroup2()
  local directory = contents("/proc/self/mountinfo"):match "(/sys/fs/cgroup%S*) [^\n]* %- cgroup2 "
  local controllers = directory and contents(directory .. "/cgroup.controllers") or ""
  if not controllers:find "memory" or not controllers:find "pids" then return "cgroup v2 has no controllers here" end
  return M.cgroup()
end

function M.freezer()
  if not contents("/proc/self/mountinfo"):find " %- cgroup [^\n]*freezer" then
    return "cgroup v1's freezer is not mounted"
  end
  return M.cgroup()
end

-- Of what is in memory: Linux 6.3.
function M.idmap()
  local sys = require("luabox").sys
  local map = { { inside = 0, outside = 1000 } }
  local ok, e = pcall(function()
    local maker <close> = sys.process.spawn { init = true, namespaces = "user", uid_map = map, gid_map = map }
    local namespace <close> = sys.namespace.open("user", maker:pid())
    local context <close> = sys.mount.fsopen "tmpfs"
    context:create()
    local tree <close> = context:mount()
    tree:setattr { userns = namespace }
  end)
  if not ok then return "there are no id-mapped mounts of tmpfs: " .. tostring(e) end
end

-- What tests/debian made.
function M.debian()
  if not lfs.attributes(os.getenv "LUABOX_BUILD" .. "/debian.tar.zst") then return "make debian was not run" end
end

function M.root()
  if (contents "/proc/self/status"):match("\nUid:\t(%d+)") ~= "0" then return "it takes root" end
end

-- Detached mounts, and all that luabox does with them: Linux 5.12, and no filter that hides the calls.
function M.detached()
  local luabox = require "luabox"
  local ok, failure = pcall(function()
    luabox.sys.mount.open_tree("/", "clone"):close()
    luabox.sys.rootfs.default():close()
  end)
  if not ok and failure.code == "ENOSYS" then return "there are no detached mounts: " .. tostring(failure) end
end

-- A file system whose files can share blocks, on a file of the test's own.
function M.btrfs()
  if not contents("/proc/filesystems"):find "\tbtrfs\n" then return "the kernel has no btrfs" end
  if not lfs.attributes("/dev/loop-control") then return "there are no loop devices" end
  if not lfs.attributes("/sbin/mkfs.btrfs") then return "there is no mkfs.btrfs" end
end

-- Of iptables before nftables.
function M.legacy()
  if not succeeds "unshare --net iptables-legacy -t nat -S" then return "the kernel has no iptables of the old kind" end
end

function M.graphviz()
  if not succeeds "dot -V" then return "Graphviz is not installed" end
end

function M.runc()
  if not os.execute "command -v runc >/dev/null" then return "there is no runc" end
end

local function needs_call(call)
  return function()
    if not require("luabox").sys.system.has_call(call) then return ("the kernel has no %s(2)"):format(call) end
  end
end

M.clone3, M.pidfd = needs_call "clone3", needs_call "pidfd_open"

-- For what a filter of the test's own, or none, does.
function M.unfiltered()
  local filters = contents("/proc/self/status"):match "\nSeccomp:\t(%d)"
  if filters ~= "0" then return "a filter of system calls is here already" end
end

-- For what compares all that a run prints: the sanitizers speak among it.
function M.unsanitized()
  if require("program").is_sanitized() then return "the program is built with sanitizers" end
end

local known = {}

--- Why a test cannot hold here.
-- @tparam string name the test's, with those around it
-- @treturn ?string
function M.missing(name)
  for tag in name:gmatch("#(%l[%l%d]*)") do
    if M[tag] and known[tag] == nil then known[tag] = M[tag]() or false end
    if known[tag] then return known[tag] end
  end
end

return M
