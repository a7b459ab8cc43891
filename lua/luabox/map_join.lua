--- Which link belongs to which: the other ends of veths and the lower links, across namespaces.
-- The kernel tells of an end in another namespace its index there and a number, by which only the namespace that asks
-- knows the other. Who may be meant is told by the indexes of both ends; the number then says whether he is.
-- Internal: a part of `luabox.map`, for nobody else.
-- @module luabox.map_join
local errors = require "luabox.error"
local map_read = require "luabox.map_read"

local M = {}

local function list_at(map, key)
  local list = map[key]
  if not list then
    list = {}
    map[key] = list
  end
  return list
end

local function mirror(peer, index) return peer << 32 | index end

local function add_to_index(self, namespace)
  for _, link in ipairs(namespace.links) do
    if link.peer then
      table.insert(list_at(self.by_ends, mirror(link.index, link.peer.index)), namespace)
    end
    if link.kind ~= "loopback" then table.insert(list_at(self.by_index, link.index), namespace) end
  end
end

-- The socket whose numbers the links of a namespace bear: that of its own, or of the one it was read from.
local function viewer(namespace) return namespace.viewer or namespace end

local function number_of(namespace, other)
  local asked = viewer(namespace).asked
  if asked[other] == nil then
    local socket = viewer(namespace).socket
    asked[other] = socket and errors.try(socket.nsid, socket, other.handle) or false
  end
  return asked[other]
end

-- Whether 'other', whose link has the index of 'mine's other end, is the namespace that 'mine' names.
local function is_meant(namespace, mine, other, theirs)
  if other.handle then return number_of(namespace, other) == mine.nsid end
  if viewer(other) == viewer(namespace) then return mine.nsid == other.nsid end
  return namespace.handle and theirs.nsid and number_of(other, namespace) == theirs.nsid
end

-- Who a namespace's number stands for, or nil.
local function find(self, namespace, link, far)
  local known = viewer(namespace).known
  if known[far.nsid] then return known[far.nsid] end
  local candidates = link.peer and self.by_ends[mirror(far.index, link.index)] or self.by_index[far.index]
  for _, other in ipairs(candidates or {}) do
    local theirs = other.by_index[far.index]
    if is_meant(namespace, far, other, theirs.peer or theirs) then
      known[far.nsid] = other
      return other
    end
  end
end

-- One that nobody here holds is read by its number.
local function discover(self, namespace, far)
  local from = viewer(namespace)
  if not from.socket or far.nsid < 0 then return nil end
  local links, by_index = errors.try(map_read.links, from.socket, far.nsid)
  if not links then return nil end
  local found = {
    id = ("nsid %d of %s"):format(far.nsid, from.id), hidden = true, links = links, by_index = by_index, nat = {},
    viewer = from, nsid = far.nsid,
  }
  from.known[far.nsid] = found
  self.namespaces[#self.namespaces + 1], self.by_id[found.id] = found, found
  add_to_index(self, found)
  return found
end

local function settle(far, namespace)
  local link = namespace.by_index[far.index]
  far.namespace, far.name = namespace.id, link and link.name
end

local function join(self, namespace, link, far, may_discover)
  if far.namespace then return end
  local other = far.nsid and find(self, namespace, link, far) or not far.nsid and namespace
  if not other and may_discover then other = discover(self, namespace, far) end
  if other then settle(far, other) end
end

-- A veth's two ends are settled by the one that comes first.
local function join_back(self, namespace, link)
  local far = link.peer
  local other = far and far.namespace and far.namespace ~= namespace.id and self.by_id[far.namespace]
  local theirs = other and other.by_index[far.index]
  if theirs and theirs.peer and theirs.peer.index == link.index and not theirs.peer.namespace then
    if theirs.peer.nsid then viewer(other).known[theirs.peer.nsid] = namespace end
    settle(theirs.peer, namespace)
  end
end

local function pass(self, may_discover)
  local i = 1
  while i <= #self.namespaces do -- more may come
    local namespace = self.namespaces[i]
    for _, link in ipairs(namespace.links) do
      if link.peer then
        join(self, namespace, link, link.peer, may_discover)
        join_back(self, namespace, link)
      elseif link.lower then
        join(self, namespace, link, link.lower, may_discover)
      end
    end
    i = i + 1
  end
end

--- Fills in whose the other ends are: `namespace` and `name` of each link's `peer` or `lower`. Those that are in no
-- namespace of the list are added to it where they can be read; where not, `namespace` stays nil.
-- @tparam {table,...} namespaces each with `id`, `links`, `by_index`, and `handle` and `socket` while it is open
function M.join(namespaces)
  local self = { namespaces = namespaces, by_id = {}, by_ends = {}, by_index = {} }
  for _, namespace in ipairs(namespaces) do
    namespace.known, namespace.asked = {}, {}
    self.by_id[namespace.id] = namespace
    add_to_index(self, namespace)
  end
  pass(self, false)
  pass(self, true)
end

return M
