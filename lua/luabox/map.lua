--- A map of the network namespaces and of what is connected with what, as the kernel has it.
-- `print(luabox.map())` is `luabox map`.
-- @module luabox.map
local errors = require "luabox.error"
local look = require "luabox.ns_look"
local map_join = require "luabox.map_join"
local map_names = require "luabox.map_names"
local map_part = require "luabox.map_part"
local map_read = require "luabox.map_read"
local options = require "luabox.options"
local place = require "luabox.net_place"
local scope = require "luabox.scope"
local sys = require("luabox").sys

local M = {}

local map_mt = { __name = "luabox.map" }

--- The text that `print` shows: `luabox.map_text.draw`.
function map_mt:__tostring()
  return require("luabox.map_text").draw(self)
end

-- ---- finding ----

-- Processes that this one may not look into, so that their namespaces may be missing.
local function count_unseen(processes)
  local count = 0
  for _, p in ipairs(processes) do
    if not p.namespaces.net then
      local _, e = errors.try(sys.file.readlink, ("/proc/%d/ns/net"):format(p.pid))
      if e and (e.code == "EACCES" or e.code == "EPERM") then count = count + 1 end
    end
  end
  return count
end

local function number_of(text)
  return select(2, look.parse_link(text))
end

-- Those that the scan did not find, since nothing of theirs is in this proc.
local function add_given(entries, given)
  local by_id = {}
  for _, entry in ipairs(entries) do by_id[entry.id] = entry end
  for _, one in ipairs(given) do
    local entry = by_id[one.id]
    if not entry then
      entry = { type = "net", id = one.id, processes = 0 }
      entries[#entries + 1], by_id[one.id] = entry, entry
    end
    entry.handle, entry.name, entry.wanted = one.handle, one.name, true
  end
end

-- ---- reading ----

local GONE = { ENOENT = true, ESRCH = true }

local function open(entry, own, undo)
  if not entry.handle then
    entry.handle = entry.id == own and sys.namespace.open "net" or look.open(entry)
    undo:own(entry.handle)
  end
  if number_of(entry.handle:id()) ~= entry.id then return false end -- its process has ended, and another has the pid
  -- In our own nothing has to be entered, which takes a privilege.
  entry.socket = undo:own(sys.net.socket(entry.id ~= own and entry.handle or nil))
  entry.links, entry.by_index = map_read.links(entry.socket)
  entry.nat, entry.nat_unread = map_read.nat(entry.id ~= own and entry.handle or nil, entry.pid)
  return true
end

local function read_inside(entry)
  for name, value in pairs(map_read.from_inside(entry.pid)) do entry[name] = value end
  return true
end

-- Whether the namespace is there still. One that may not be read is kept, with the reason.
local function read(entry, own, undo)
  local is_there, e = errors.try(open, entry, own, undo)
  if not e then return is_there end
  if e.code == "EPERM" and entry.pid and errors.try(read_inside, entry) then return true end
  if GONE[e.code] then return false end
  entry.links, entry.by_index, entry.nat, entry.unread = {}, {}, {}, tostring(e)
  return true
end

local function read_all(entries, own, undo)
  local kept = {}
  for _, entry in ipairs(entries) do
    if read(entry, own, undo) then kept[#kept + 1] = entry end
  end
  return kept
end

-- ---- the graph ----

local function plain_end(far)
  return far and { namespace = far.namespace, link = far.name, index = far.index, nsid = far.nsid }
end

local function plain_link(link, by_index)
  local master = link.master and by_index[link.master]
  return {
    name = link.name, index = link.index, kind = link.kind, state = link.state, mtu = link.mtu, mac = link.mac,
    addresses = link.addresses, options = link.options, master = master and master.name, port = link.port,
    peer = plain_end(link.peer), lower = plain_end(link.lower),
  }
end

local function plain(entry, own)
  local links = {}
  for i, link in ipairs(entry.links) do links[i] = plain_link(link, entry.by_index) end
  return {
    id = entry.id, label = entry.label, here = entry.id == own or nil, path = entry.path, processes = entry.processes,
    pid = entry.pid, user = entry.user, command = entry.command or entry.holder_command, holder = entry.holder,
    held_here = entry.held_here, hidden = entry.hidden, part = entry.part, unread = entry.unread, links = links,
    nat = entry.nat,
  }
end

local function unseen_of(entries, processes, is_part)
  local list = {}
  local count = not is_part and count_unseen(processes) or 0
  if count > 0 then list[1] = ("the namespaces of %d processes of other users"):format(count) end
  for _, entry in ipairs(entries) do
    if entry.unread then list[#list + 1] = ("the links of %s: %s"):format(entry.label, entry.unread) end
    if entry.nat_unread then list[#list + 1] = ("NAT of %s: %s"):format(entry.label, entry.nat_unread) end
    for _, link in ipairs(entry.links) do
      local far = link.peer or link.lower
      if far and not far.namespace then
        list[#list + 1] = ("whose the other end of %s in %s is, link %d of another namespace"):format(link.name,
          entry.label, far.index)
      end
    end
  end
  return list
end

local map_options = {
  namespaces = { "any", { "map", of = place.option }, { "list", of = place.option }, check = function(given)
    if not next(given) then return nil, "is empty" end
    return given
  end },
}

--- Reads the kernel: all network namespaces that this process may see, those of processes, those with names, those
-- that only a descriptor or a link's other end tells of; what is in them, and which link belongs to which.
-- @function map
-- @tparam[opt] table o
-- @tparam[opt] table o.namespaces only these, and of their neighbours what is joined with them: a list, or a table
--   name → one; each a luabox.network that has started (its switch), a luabox.container that runs,
--   a luabox.namespace, a luabox.process or its pid, a name of `ip netns`, a container's host name, or a path
-- @treturn luabox.map a table, which `tostring` draws: `namespaces`, a list, and `unseen`, a list of sentences on what
--   may not be seen.
--   A namespace has `id`, `label` (its name here), `here` (true of this process's own), `path`, `pid` and `user` of its
--   first process, `processes` (how many), `holder` (the pid of one that holds a descriptor; `held_here`: this one),
--   `command` of the one or the other, `part` (true of a neighbour that has more), `hidden` (true if only links tell of
--   it), `unread` (why it may not be read), `links` and `nat`.
--   A link has `name`, `index`, `kind`, `state` ("up", "down", "no carrier", "dormant"), `addresses`, `mac`, `mtu`,
--   `master`, `port` (its state as a bridge's), `options`, and `peer` or `lower` with `namespace` (an id), `link` and
--   `index`.
--   A rule of `nat` has `action`, `target`, `conditions`, `about` (links and addresses), `text`, `family`, `table`,
--   `chain`.
-- @raise luabox.error
-- @see network_namespaces(7)
-- @usage
-- for _, ns in ipairs(luabox.map().namespaces) do
--   for _, link in ipairs(ns.links) do print(ns.label, link.name, link.peer and link.peer.link) end
-- end
function M.new(o)
  o = options.check(map_options, o or {}, "map")
  local undo <close> = scope.new()
  local entries, processes = look.scan({ "net" }, true)
  local own = number_of(sys.file.readlink "/proc/self/ns/net")
  if o.namespaces then add_given(entries, map_part.resolve(o.namespaces, undo)) end
  entries = read_all(entries, own, undo)
  map_join.join(entries)
  if o.namespaces then entries = map_part.cut(entries) end
  map_names.give(entries, processes)
  local graph = { namespaces = {}, unseen = unseen_of(entries, processes, o.namespaces ~= nil) }
  for i, entry in ipairs(entries) do graph.namespaces[i] = plain(entry, own) end
  return setmetatable(graph, map_mt)
end

return setmetatable(M, { __call = function(_, o) return M.new(o) end })
