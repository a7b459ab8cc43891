--- A part of a map: some namespaces, and of their neighbours what is joined with them.
-- Internal: a part of `luabox.map`, for nobody else.
-- @module luabox.map_part
local address = require "luabox.address"
local look = require "luabox.ns_look"
local place = require "luabox.net_place"
local sys = require("luabox").sys

local M = {}

-- ---- which ----

-- Handle and name of one that the option `namespaces` takes.
local function open(one, undo)
  local handle = place.namespace(one, undo) or undo:own(sys.namespace.open "net")
  if type(one) == "table" then return handle, one.name end
  return handle, type(one) == "string" and one:match "[^/]+$" or nil
end

--- Opens what the option `namespaces` names.
-- @tparam table namespaces a list, or name → one
-- @tparam luabox.scope undo that closes what is opened
-- @treturn {table,...} each with `id`, `handle`, `name`
-- @raise luabox.error
function M.resolve(namespaces, undo)
  local list, seen = {}, {}
  for key, one in pairs(namespaces) do
    local handle, name = open(one, undo)
    local _, id = look.parse_link(handle:id())
    if type(key) == "string" then name = key end
    if not seen[id] then list[#list + 1] = { id = id, handle = handle, name = name } end
    seen[id] = true
  end
  return list
end

-- ---- cutting ----

-- For each neighbour the indexes of its links that something wanted is joined with, and of their bridges.
local function joined_links(entries, wanted)
  local kept = {}
  local function keep(id, index)
    kept[id] = kept[id] or {}
    kept[id][index] = true
  end
  for _, entry in ipairs(entries) do
    for _, link in ipairs(entry.links) do
      local far = link.peer or link.lower
      if far and far.namespace and wanted[entry.id] ~= wanted[far.namespace] then
        local id, index = entry.id, link.index
        if wanted[entry.id] then id, index = far.namespace, far.index end
        keep(id, index)
      end
    end
  end
  return kept
end

local function keep_masters(entry, kept)
  for _, link in ipairs(entry.links) do
    if kept[link.index] and link.master then kept[link.master] = true end
  end
end

local function subnets_of(links)
  local list = {}
  for _, link in ipairs(links) do
    for _, text in ipairs(link.kind ~= "loopback" and link.addresses or {}) do
      local a = address.parse(text)
      if a then list[#list + 1] = a:network() end
    end
  end
  return list
end

local function is_about(rule, links, subnets)
  for _, word in ipairs(rule.about) do
    for _, link in ipairs(links) do
      if link.name == word then return true end
    end
    local a = address.parse(word)
    for _, subnet in ipairs(a and subnets or {}) do
      if a.version == subnet.version and subnet:contains(a) then return true end
    end
  end
  return false
end

local function filter(list, is_kept)
  local result = {}
  for _, one in ipairs(list) do
    if is_kept(one) then result[#result + 1] = one end
  end
  return result
end

local function cut_neighbour(entry, kept)
  keep_masters(entry, kept)
  local links = filter(entry.links, function(link) return link.kind == "loopback" or kept[link.index] end)
  local subnets = subnets_of(links)
  local nat = filter(entry.nat, function(rule) return is_about(rule, links, subnets) end)
  entry.part = #links < #entry.links or #nat < #entry.nat or nil
  entry.links, entry.nat = links, nat
end

--- Leaves the wanted namespaces and their neighbours.
-- @tparam {table,...} entries those with `wanted` are
-- @treturn {table,...}
function M.cut(entries)
  local wanted = {}
  for _, entry in ipairs(entries) do wanted[entry.id] = entry.wanted end
  local kept = joined_links(entries, wanted)
  return filter(entries, function(entry)
    if not entry.wanted and kept[entry.id] then cut_neighbour(entry, kept[entry.id]) end
    return entry.wanted or kept[entry.id]
  end)
end

return M
