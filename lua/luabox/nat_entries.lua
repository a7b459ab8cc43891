--- Rules of `luabox.nat` as its callers have them: what a method made, and the entries of a list.
-- Internal: a part of `luabox.nat`, for nobody else.
-- @module luabox.nat_entries

local listing = require "luabox.iptables_listing"

local M = {}

local rule_mt = { __name = "luabox.nat_rule" }
local entry_mt = {}
local list_mt = {}

local records_of = setmetatable({}, { __mode = "k" })

local function command_of(record)
  local t = record.table
  return ("%s%s %s"):format(t.version == 6 and "ip6tables" or "iptables", t.name == "nat" and " -t nat" or "",
    listing.line(record))
end

--- What a method returns of the rules that it made. Its text is their lines.
-- @tparam {table,...} records of `luabox.nat_rules`
-- @tparam ?luabox.scope undo what ends with them; its field `undo`
-- @treturn luabox.nat_rule
function M.rule(records, undo)
  local rule = setmetatable({ undo = undo }, rule_mt)
  records_of[rule] = records
  return rule
end

--- The lines that make such rules.
function rule_mt:__tostring()
  local lines = {}
  for _, record in ipairs(records_of[self]) do
    if not record.is_gone then lines[#lines + 1] = command_of(record) end
  end
  return table.concat(lines, "\n")
end

function entry_mt:__tostring()
  return command_of(records_of[self][1])
end

local function entry_of(record, number)
  local packets, bytes = listing.counts(record)
  local entry = setmetatable({
    family = record.table.family, table = record.table.name, chain = record.chain.name, number = number,
    line = record.text, handle = record.handle, packets = packets, bytes = bytes,
  }, entry_mt)
  records_of[entry] = { record }
  return entry
end

--- An empty list.
-- @tparam[opt] string text what it prints as; its entries by default
-- @treturn table
function M.list(text)
  return setmetatable({ text = text }, list_mt)
end

--- Adds the rules of some chains to a list.
-- @tparam table list
-- @tparam {table,...} chains of `luabox.nat_rules`
-- @treturn table the list
function M.append(list, chains)
  for _, chain in ipairs(chains) do
    for i, record in ipairs(chain.rules) do list[#list + 1] = entry_of(record, i) end
  end
  return list
end

function list_mt:__tostring()
  if self.text then return self.text end
  local lines = {}
  for i, entry in ipairs(self) do lines[i] = ("%3d  %s"):format(i, entry) end
  return table.concat(lines, "\n")
end

--- The records behind a rule or an entry.
-- @param which
-- @treturn ?{table,...} nil if it is neither
function M.records(which)
  return records_of[which]
end

return M
