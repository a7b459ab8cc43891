--- What one network namespace has: its links with their addresses, and its NAT.
-- Internal: a part of `luabox.map`, for nobody else.
-- @module luabox.map_read
local errors = require "luabox.error"
local map_nat = require "luabox.map_nat"
local proc_text = require "luabox.proc_text"
local sys = require("luabox").sys

local M = {}

-- Kinds that come in pairs; of all others `link` is the lower link.
local PAIRED = { veth = true, netkit = true, vxcan = true }

-- What of a kind's options a picture has room for.
local OPTIONS = { "id", "mode", "vlan_filtering", "remote" }

local function state_of(link)
  if not link.up then return "down" end
  if link.carrier == false then return "no carrier" end -- operstate says so a moment later
  return link.operstate == "dormant" and "dormant" or "up"
end

local function options_of(data)
  local options = {}
  for _, name in ipairs(OPTIONS) do options[name] = data[name] end
  return next(options) and options or nil
end

local function node_of(link)
  local other = link.peer or link.link
  return {
    name = link.name, index = link.index, kind = link.kind or link.type, state = state_of(link), mtu = link.mtu,
    mac = link.address, addresses = {}, master = link.master_index, port = link.port and link.port.state,
    options = link.data and options_of(link.data),
    peer = PAIRED[link.kind] and other or nil, lower = not PAIRED[link.kind] and other or nil,
  }
end

local function text_of(address)
  return address.peer and ("%s peer %s"):format(address.address, address.peer) or address.address
end

local function by_index(links)
  local map = {}
  for _, link in ipairs(links) do map[link.index] = link end
  return map
end

--- Reads links and addresses.
-- @tparam luabox.netlink socket
-- @tparam[opt] integer nsid of another namespace, as the socket's knows it
-- @treturn {table,...} links in the order of their indexes
-- @treturn {[integer]=table} the same by index
-- @raise luabox.error
function M.links(socket, nsid)
  local list = {}
  for i, link in ipairs(socket:links { nsid = nsid }) do list[i] = node_of(link) end
  table.sort(list, function(a, b) return a.index < b.index end)
  local map = by_index(list)
  for _, address in ipairs(socket:addresses { nsid = nsid }) do
    local link = map[address.link_index]
    if link then link.addresses[#link.addresses + 1] = text_of(address) end
  end
  return list, map
end

-- A kernel without nftables has none of its rules either; EINVAL is what its netlink says then.
local LACKING = { EPROTONOSUPPORT = true, EOPNOTSUPP = true, ENOENT = true, EAFNOSUPPORT = true, EINVAL = true }

local OLD = "that of the older iptables is not read; `iptables-legacy -t nat -S` shows it"

-- The iptables before nftables keeps its rules elsewhere.
local function old_rules(pid)
  return proc_text.has_legacy_table("nat", pid) and OLD or nil
end

--- Reads NAT and port maps.
-- @tparam ?luabox.namespace namespace our own by default
-- @tparam ?integer pid of a process in it
-- @treturn {table,...} as `luabox.map_nat.read` gives them
-- @treturn ?string why not all are there
function M.nat(namespace, pid)
  local list, problem = errors.try(function()
    local nft <close> = sys.nft.socket(namespace)
    return map_nat.read(nft)
  end)
  if list then return list, problem or pid and old_rules(pid) end
  if LACKING[problem.code] then return {} end
  return {}, problem.code == "EPERM" and "it takes CAP_NET_ADMIN" or tostring(problem)
end

--- Reads a namespace by a child that enters the user namespace of a process first, as its owner may who is not root.
-- @tparam integer pid
-- @treturn table `links`, `by_index`, `nat`, `nat_unread`
-- @raise luabox.error
function M.from_inside(pid)
  local pidfd <close> = sys.process.pidfd(pid)
  local child <close> = sys.process.spawn { join = { { pidfd = pidfd, types = "user,net" } }, body = function()
    local socket <close> = sys.net.socket()
    local found = { links = M.links(socket) }
    found.nat, found.nat_unread = M.nat(nil, pid)
    return found
  end }
  local found = child:result()
  found.by_index = by_index(found.links)
  return found
end

return M
