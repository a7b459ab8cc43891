--- What only an attempt tells `luabox.doctor`: children of its own make it, in namespaces that end with them, and only
-- where it would load no module into the kernel.
-- Internal: a part of `luabox.doctor`, for nobody else.
-- @module luabox.doctor_try

local errors = require "luabox.error"
local proc_text = require "luabox.proc_text"
local sys = require("luabox").sys

local M = {}

local PRIVILEGE = "only CAP_SYS_ADMIN and CAP_NET_ADMIN may try"

local function words(answer)
  return "an attempt gave " .. answer
end

-- ---- namespaces ----

local function nothing() end

-- Calls a Lua function in a child in new namespaces: its result, or nil and the error.
local function in_child(namespaces, f, ...)
  local args = { ... }
  return errors.try(function()
    local child <close> = sys.process.spawn { namespaces = namespaces, body = f, args = args }
    return child:result() or true
  end)
end

-- What the kernel says of a type without being asked for one.
local function read_type(type)
  if not sys.file.access "/proc/self/ns" then return "cannot tell", "/proc is not mounted" end
  if not sys.file.access("/proc/self/ns/" .. type) then return "missing", "this kernel has none" end
  if proc_text.contents(("/proc/sys/user/max_%s_namespaces"):format(type)) == "0" then
    return "missing", ("user.max_%s_namespaces is 0"):format(type)
  end
end

-- What keeps them from ordinary users: { file, value, words }.
local REFUSALS = {
  { "/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0" },
  { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
    "kernel.apparmor_restrict_unprivileged_userns is 1" },
}

--- Looks for user namespaces.
-- @tparam table see
-- @treturn string status
-- @treturn ?string detail
function M.user_namespace(see)
  local status, detail = read_type "user"
  if status then return status, detail end
  for _, refusal in ipairs(see.capabilities.sys_admin and {} or REFUSALS) do
    if proc_text.contents(refusal[1]) == refusal[2] then return "missing", refusal[3] end
  end
  local ok, e = in_child("user", nothing)
  if not ok then return "missing", words(e.code or e.message) end
  return "ok"
end

local function has_users(see)
  if see.users == nil then see.users = M.user_namespace(see) == "ok" end
  return see.users
end

--- Looks for another type of namespace.
-- @string type
-- @treturn function
function M.namespace(type)
  return function(see)
    local status, detail = read_type(type)
    if status then return status, detail end
    local own = see.capabilities.sys_admin
    if not own and not has_users(see) then return "cannot tell", "only CAP_SYS_ADMIN may try" end
    local ok, e = in_child(own and type or "user," .. type, nothing)
    if ok then return "ok" end
    -- In a user namespace more may be refused than the type.
    local refused = not own and (e.code == "EPERM" or e.code == "EACCES")
    return refused and "cannot tell" or "missing", words(e.code or e.message)
  end
end

-- ---- in a child's network and mount namespaces ----

-- True, or the symbol of the errno, or what else went wrong.
local function outcome(f, ...)
  local ok, e = pcall(f, ...)
  return ok or errors.is(e) and e.code or tostring(e)
end

-- In this order: one of the first three carries the others.
local LINKS = {
  { kind = "veth", name = "veth", peer = { name = "peer" } },
  { kind = "bridge", name = "bridge" },
  { kind = "dummy", name = "dummy" },
  { kind = "macvlan", name = "macvlan", mode = "bridge", above = true },
  { kind = "ipvlan", name = "ipvlan", above = true },
  { kind = "vlan", name = "vlan", id = 7, above = true },
  { kind = "vxlan", name = "vxlan", id = 7, port = 4789 },
}

local function try_links(wanted)
  local socket <close> = sys.net.socket()
  local results, lower = {}, nil
  for _, o in ipairs(LINKS) do
    local above = o.above
    o.above, o.link = nil, above and lower or nil
    if wanted[o.kind] and (lower or not above) then
      results[o.kind] = outcome(socket.link_add, socket, o)
      -- No link carries two kinds at once.
      if above and results[o.kind] == true then socket:link_delete(o.name) end
      lower = lower or results[o.kind] == true and o.name
    end
  end
  return results
end

-- Each is built on those before.
local NFT = {
  { "table", { "add", "table", name = "probe" } },
  { "owner", { "add", "table", name = "owned", owner = true } },
  { "nat", { "add", "chain", table = "probe", name = "post", type = "nat", hook = "postrouting", priority = "srcnat" },
    { "add", "chain", table = "probe", name = "pre", type = "nat", hook = "prerouting", priority = "dstnat" } },
  { "conntrack", { "add", "rule", table = "probe", chain = "post", ct_status = "dnat", verdict = "accept" } },
  { "address type", { "add", "rule", table = "probe", chain = "pre", daddr_type = "local", verdict = "accept" } },
  { "masquerade", { "add", "rule", table = "probe", chain = "post", masquerade = true } },
  { "dnat", { "add", "rule", table = "probe", chain = "pre", nfproto = "ipv4", protocol = "tcp",
    dnat = { to = "192.0.2.1:80" } } },
}

local function try_nft(wanted)
  local nft <close> = sys.nft.socket()
  local results = {}
  for _, step in ipairs(NFT) do
    if wanted[step[1]] then results[step[1]] = outcome(nft.apply, nft, { table.unpack(step, 2) }) end
  end
  return results
end

local function try_mounts()
  sys.mount.propagation("/", "private,rec")
  sys.mount.mount { target = "/proc", type = "tmpfs" }
  sys.file.mkdir "/proc/old"
  sys.mount.pivot_root("/proc", "/proc/old")
end

local function try_root()
  sys.rootfs.default():close()
end

-- The last goes where /proc is no more.
local function try_all(links, nft)
  local _, link_results = pcall(try_links, links)
  local _, nft_results = pcall(try_nft, nft)
  return {
    links = type(link_results) == "table" and link_results or {},
    nft = type(nft_results) == "table" and nft_results or {},
    root = outcome(try_root), mounts = outcome(try_mounts),
  }
end

-- ---- features ----

local NAT = "nf_tables,nf_nat,nft_chain_nat"

-- What each attempt needs, and would load if it could.
local MODULES = {
  links = {
    veth = "veth", bridge = "bridge", dummy = "dummy", macvlan = "macvlan", ipvlan = "ipvlan", vlan = "8021q",
    vxlan = "vxlan",
  },
  nft = {
    table = "nf_tables", owner = "nf_tables", nat = NAT, conntrack = NAT .. ",nf_conntrack,nft_ct",
    ["address type"] = NAT .. ",nft_fib_inet,nft_fib_ipv4,nft_fib_ipv6", masquerade = NAT .. ",nft_masq",
    dnat = NAT .. ",nft_nat",
  },
}

local function harmless(see, modules)
  local set = {}
  for name, list in pairs(modules) do
    local state = see:module(list)
    set[name] = state == "loaded" or state == "none" or nil
  end
  return set
end

-- What the attempts gave, made once; false, and why there were none.
local function tried(see)
  if see.results ~= nil then return see.results, see.reason end
  local namespaces = see.privileged and "mnt,net" or has_users(see) and "user,mnt,net"
  see.results, see.reason = false, PRIVILEGE
  if namespaces then
    local results, e = in_child(namespaces, try_all, harmless(see, MODULES.links), harmless(see, MODULES.nft))
    see.results, see.reason = results or false, e and words(e.code or e.message)
  end
  return see.results, see.reason
end

-- How the kernel says that it does not know a thing.
local UNKNOWN = {
  links = { EOPNOTSUPP = true },
  nft = { EOPNOTSUPP = true, ENOENT = true, EINVAL = true, EPROTONOSUPPORT = true },
}

local function attempt(group, name)
  local modules = MODULES[group][name]
  return function(see)
    local status, detail = see:by_module(modules)
    if status then return status, detail end
    local results, reason = tried(see)
    local answer = results and results[group][name]
    if answer == true then return "ok" end
    if UNKNOWN[group][answer] then return "missing", "this kernel does not know it" end
    if see:module(modules) == "loaded" then return "ok" end
    return "cannot tell", answer and words(answer) or reason
  end
end

--- Looks for a kind of link.
-- @string kind
-- @treturn function
function M.link(kind) return attempt("links", kind) end

--- Looks for something that nf_tables does.
-- @string name
-- @treturn function
function M.nft(name) return attempt("nft", name) end

-- The answer to an attempt that says nothing if it is made in a user namespace; nil, and why there is none.
local function privileged(see, name)
  if not see.privileged then return nil, PRIVILEGE end
  local results, reason = tried(see)
  if not results then return nil, reason end
  return results[name]
end

--- Looks whether a root can be mounted and entered.
-- @tparam table see
-- @treturn string status
-- @treturn ?string detail
function M.mounts(see)
  local answer, reason = privileged(see, "mounts")
  if answer == true then return "ok" end
  if not answer then return "cannot tell", reason end
  return "missing", words(answer)
end

--- Looks whether the default root can be made.
-- @tparam table see
-- @treturn string status
-- @treturn ?string detail
function M.default_root(see)
  local answer, reason = privileged(see, "root")
  if answer == true then return "ok" end
  if not answer then return "cannot tell", reason end
  -- The calls are features by themselves.
  if answer == "ENOSYS" then return "ok", "each container makes it for itself" end
  return "missing", words(answer)
end

return M
