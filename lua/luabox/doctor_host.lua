--- How `luabox.doctor` looks at what the machine's administrator decides: cgroups, forwarding, the firewall, IPv6,
-- files that must be writable.
-- Internal: a part of `luabox.doctor`, for nobody else.
-- @module luabox.doctor_host

local errors = require "luabox.error"
local proc_text = require "luabox.proc_text"
local sys = require("luabox").sys

local M = {}

-- ---- control groups ----

local function layout(see)
  see.layout = see.layout or errors.try(sys.cgroup.layout) or {}
  return see.layout
end

local function unwritable(path)
  local ok, code = sys.file.access(path, "write")
  if ok then return nil end
  return ("%s %s"):format(path, code == "EROFS" and "is mounted read-only" or "is not writable for this user")
end

--- Looks for a controller whose limits luabox may set.
-- @string name
-- @treturn function
function M.controller(name)
  return function(see)
    local at = layout(see)[name]
    if not at then return "missing", "in no cgroup file system that is mounted here" end
    local problem = unwritable(at.path) or at.problem
    if problem then return "missing", problem end
    return "ok", "cgroup v" .. at.version
  end
end

--- Looks for the cgroup2 hierarchy.
-- @tparam table see
-- @treturn string status
-- @treturn ?string detail
function M.cgroup2(see)
  local at = layout(see).cgroup2
  if not at then return "missing", "not mounted, or this process's cgroup is not in what is" end
  local problem = unwritable(at.path)
  if problem then return "missing", problem end
  return "ok", at.path
end

-- ---- the host's network ----

--- Looks whether the host forwards, or can be told to.
-- @treturn string status
-- @treturn ?string detail
function M.forwarding()
  local path = "/proc/sys/net/ipv4/ip_forward"
  local value = proc_text.contents(path)
  if value == "1" then return "ok", "it is 1 already" end
  local problem = value and unwritable(path) or not value and path .. " is not there"
  if problem then return "missing", problem end
  return "ok"
end

-- "ip filter FORWARD" of each chain that drops what no rule of it accepts, and whether one of them has no rule.
local function dropping_chains()
  local nft <close> = sys.nft.socket()
  local names, empty = {}, false
  for _, chain in ipairs(require("luabox.nat_forward").dropping(nft)) do
    local filter = { family = chain.family, table = chain.table, chain = chain.name }
    names[#names + 1] = ("%s %s %s"):format(chain.family, chain.table, chain.name)
    empty = empty or #nft:rules(filter) == 0
  end
  return names, empty
end

--- Looks for chains of the host that drop what containers send to its other links. Legacy iptables' policies cannot be
-- read through nf_tables.
-- @tparam table see
-- @treturn string status
-- @treturn ?string detail
function M.forward_policy(see)
  local state = see:module "nf_tables"
  -- What is not loaded drops nothing, and to ask would load it.
  if state == "loaded" or state == "none" then
    if not see.capabilities.net_admin then return "cannot tell", "only CAP_NET_ADMIN may ask" end
    local names, empty = errors.try(dropping_chains)
    if not names then return "cannot tell", "to ask for the chains gave " .. (empty.code or empty.message) end
    local list = table.concat(names, ", ")
    if empty then return "missing", ("the policy of chain %s is drop, and it has no rule"):format(list) end
    if #names > 0 then return "cannot tell", ("the policy of chain %s is drop; its rules decide"):format(list) end
  end
  if proc_text.has_legacy_table "filter" then return "cannot tell", "legacy iptables has a table filter" end
  return "ok"
end

--- Looks for IPv6.
-- @treturn string status
-- @treturn ?string detail
function M.ipv6()
  if not sys.file.access "/proc/sys/net/ipv6" then return "missing", "not in this kernel, or off since its start" end
  if proc_text.contents "/proc/sys/net/ipv6/conf/all/disable_ipv6" == "1" then
    return "missing", "net.ipv6.conf.all.disable_ipv6 is 1"
  end
  return "ok"
end

-- ---- files and ids ----

-- The state directory as the keeper takes it: this user's, and closed to others.
local function check_state(path, uid)
  local st, e = errors.try(sys.file.lstat, path)
  if not st and e.code == "ENOENT" then return unwritable(path:match "^(.*)/") end
  if not st then return ("%s: %s"):format(path, e.message) end
  if st.type ~= "directory" then return path .. " is no directory" end
  if st.uid ~= uid or tonumber(st.mode, 8) & 63 ~= 0 then -- 077
    return ("%s is of user %d with mode %s; it must be of user %d with mode 0700"):format(path, st.uid, st.mode, uid)
  end
  return unwritable(path)
end

--- Looks for the directory of the journals.
-- @tparam table see
-- @treturn string status
-- @treturn ?string detail
function M.state_directory(see)
  local runtime = os.getenv "XDG_RUNTIME_DIR"
  local path = see.uid == 0 and "/run" or runtime
  if not path then return "missing", "XDG_RUNTIME_DIR is not set" end
  local problem = check_state(path .. "/luabox", see.uid)
  if problem then return "missing", problem end
  return "ok", path .. "/luabox"
end

-- Whether a user, by name or number, has ranges in a file of subordinate ids.
local function has_ids(path, uid)
  local name = ("\n" .. (proc_text.contents "/etc/passwd" or "")):match("\n([^:\n]+):[^:\n]*:" .. uid .. ":")
  for owner in ("\n" .. (proc_text.contents(path) or "")):gmatch "\n([^:\n]+):%d+:%d+" do
    if owner == name or owner == tostring(uid) then return true end
  end
  return false
end

--- Looks whether more than the user's own id can be mapped into a user namespace.
-- @tparam table see
-- @treturn string status
-- @treturn ?string detail
function M.subordinate_ids(see)
  if #see:lacking "setuid,setgid" == 0 and not see.nested then return "ok", "this user may map any id" end
  local in_path = require("luabox.program_files").in_path
  for _, kind in ipairs { "uid", "gid" } do
    if not in_path("new" .. kind .. "map") then return "missing", ("new%smap is not in PATH"):format(kind) end
    if not has_ids("/etc/sub" .. kind, see.uid) then
      return "missing", ("/etc/sub%s has no range of this user"):format(kind)
    end
  end
  return "ok"
end

--- Looks whether the modules of `luabox.sys`, and the libraries that they are linked with, can be loaded.
-- @treturn string status
-- @treturn ?string detail
function M.libraries()
  local modules = "capability cgroup file keeper mount namespace net nft port process rootfs seccomp system tar"
  for name in modules:gmatch "%a+" do
    local ok, e = pcall(require, "luabox.sys." .. name)
    if not ok then return "missing", tostring(e):match "[^\n]*" end
  end
  return "ok"
end

-- A library that is loaded when it is first used. What it is given is not what it should be, but that is known only
-- after the library.
local function library(use, ...)
  local _, e = errors.try(use, ...)
  if e.code == "ELIBACC" then return "missing", e.message end
  return "ok"
end

--- Looks for libpcap.
-- @treturn string status
-- @treturn ?string detail
function M.libpcap() return library(sys.pcap.read, "/") end

--- Looks for libarchive.
-- @treturn string status
-- @treturn ?string detail
function M.libarchive() return library(sys.tar.unpack, "/", "/proc") end

--- Looks at the kernel's version.
-- @int major
-- @int minor
-- @treturn function
function M.kernel(major, minor)
  return function(see)
    local here, below = see.release:match "^(%d+)%.(%d+)"
    here, below = tonumber(here), tonumber(below)
    if here > major or here == major and below >= minor then return "ok", see.release end
    return "missing", see.release
  end
end

return M
