--- The rules of one handle: iptables' tables filter and nat, for IPv4 and IPv6, as nftables tables of luabox's own.
-- Each is made at its first change and belongs to the handle's socket, with which the kernel removes it.
-- Internal: a part of `luabox.nat`, for nobody else.
-- @module luabox.nat_rules

local errors = require "luabox.error"
local nat_table = require "luabox.nat_table"
local random = require "luabox.random"
local rules = require "luabox.iptables_rule"

local M = {}

local FAMILIES = { [4] = "ip", [6] = "ip6" }

-- Chains as iptables has them, with their places in the kernel.
local BASE = {
  filter = {
    { "INPUT", "filter", "input", "filter" }, { "FORWARD", "filter", "forward", "filter" },
    { "OUTPUT", "filter", "output", "filter" },
  },
  nat = {
    { "PREROUTING", "nat", "prerouting", "dstnat" }, { "INPUT", "nat", "input", "srcnat" },
    { "OUTPUT", "nat", "output", "dstnat" }, { "POSTROUTING", "nat", "postrouting", "srcnat" },
  },
}

local store_methods = {}
local store_mt = { __index = store_methods }

local change_methods = {}
local change_mt = { __index = change_methods }

-- ---- tables ----

local function new_chain(name, base)
  return { name = name, base = base, policy = base and "accept" or nil, rules = {} }
end

local function kernel_name(name)
  return ("luabox-%s-%08x"):format(name, random.integer(0, 0xffffffff))
end

local function new_table(version, name)
  local t = { version = version, family = FAMILIES[version], name = name, chains = {}, kernel = kernel_name(name) }
  for _, base in ipairs(BASE[name]) do t.chains[base[1]] = new_chain(base[1], base) end
  return t
end

--- The table "filter" or "nat" of a version of IP; the kernel may have none of it yet.
-- @tparam integer version
-- @tparam string name
-- @treturn table with `family`, `name`, `chains` by name
function store_methods:table(version, name)
  local key = version .. name
  if not self.tables[key] then self.tables[key] = new_table(version, name) end
  return self.tables[key]
end

--- Whether a record is of these rules.
-- @tparam table record
-- @treturn boolean
function store_methods:has(record)
  return self.tables[record.table.version .. record.table.name] == record.table
end

--- Calls a function with each table that the kernel has, in order.
-- @tparam function f
function store_methods:each_table(f)
  for _, version in ipairs { 4, 6 } do
    for _, name in ipairs { "filter", "nat" } do
      local t = self.tables[version .. name]
      if t and t.made then f(t) end
    end
  end
end

--- The chains of a table in the order in which iptables lists them: its own, then the user's by name.
-- @tparam table t
-- @treturn {table,...}
function M.chains(t)
  local list, names = {}, {}
  for _, base in ipairs(BASE[t.name]) do list[#list + 1] = t.chains[base[1]] end
  for name, chain in pairs(t.chains) do
    if not chain.base then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do list[#list + 1] = t.chains[name] end
  return list
end

local function chain_operation(t, chain, verb)
  local base = chain.base or {}
  return {
    verb or "add", "chain", family = t.family, table = t.kernel, name = chain.name, type = base[2], hook = base[3],
    priority = base[4], policy = chain.policy,
  }
end

local function make_table(self, operations)
  nat_table.make(self.nft, operations, self.undo, self.namespace ~= nil)
end

local function make(self, t)
  if t.made then return end
  local operations = { { "create", "table", family = t.family, name = t.kernel } }
  for _, chain in ipairs(M.chains(t)) do operations[#operations + 1] = chain_operation(t, chain) end
  make_table(self, operations)
  t.made = true
end

--- Drops what comes from a link and is meant for the host's own loopback, as long as the handle is open. With
-- route_localnet it would get there (CVE-2020-8558). It stands where no iptables line removes it.
-- @tparam string link
function store_methods:guard(link)
  if self.guards[link] then return end
  local name = kernel_name "guard"
  make_table(self, {
    { "create", "table", family = "ip", name = name },
    { "add", "chain", family = "ip", table = name, name = "guard", type = "filter", hook = "prerouting",
      priority = "raw" },
    { "add", "rule", family = "ip", table = name, chain = "guard", iifname = link, daddr = "127.0.0.0/8",
      verdict = "drop" },
  })
  self.guards[link] = true
end

-- ---- the kernel's view ----

local function changed_by_others(t, chain)
  errors.raise { op = "list rules", subject = ("chain %s of table %s %s"):format(chain.name, t.family, t.kernel),
    message = "somebody else has changed it", hint = "close the handle, and make its rules anew" }
end

--- Reads a chain from the kernel: each rule of it gets its `handle` and `counter`.
-- @tparam table t
-- @tparam table chain
function store_methods:read(t, chain)
  if not t.made then return end
  local found = self.nft:rules { family = t.family, table = t.kernel, chain = chain.name }
  if #found ~= #chain.rules then changed_by_others(t, chain) end
  for i, r in ipairs(found) do
    chain.rules[i].handle, chain.rules[i].counter = r.handle, r.counter
  end
end

local function handle_of(self, record)
  if not record.handle then self:read(record.table, record.chain) end
  return record.handle
end

-- ---- changes ----

--- Begins a change: nothing happens before `commit`, and then all of it or nothing.
-- @treturn table
function store_methods:change()
  return setmetatable({ store = self, operations = {}, effects = {}, tables = {} }, change_mt)
end

local function operation(change, t, o, effect)
  change.operations[#change.operations + 1] = o
  change.effects[#change.effects + 1] = effect
  change.tables[t] = true
end

--- Adds a rule.
-- @tparam table t
-- @tparam table chain
-- @tparam table rule as `luabox.iptables_parse` reads it
-- @tparam[opt] integer at its number; at the end by default
-- @treturn table its record, with `text`
function change_methods:add(t, chain, rule, at)
  local record = { table = t, chain = chain, rule = rule, text = rules.text(rule) }
  local before = at and chain.rules[at]
  local o = rules.put(rule, { before and "insert" or "add", "rule", family = t.family, table = t.kernel,
    chain = chain.name })
  if before and at > 1 then o.position = handle_of(self.store, before) end
  operation(self, t, o, function()
    table.insert(chain.rules, before and at or #chain.rules + 1, record)
  end)
  return record
end

local function remove_record(record)
  for i, other in ipairs(record.chain.rules) do
    if other == record then
      table.remove(record.chain.rules, i)
      break
    end
  end
  record.is_gone = true
end

--- Removes a rule by its record.
-- @tparam table record
function change_methods:remove(record)
  local t = record.table
  local o = { "delete", "rule", family = t.family, table = t.kernel, chain = record.chain.name,
    handle = handle_of(self.store, record) }
  operation(self, t, o, function() remove_record(record) end)
end

--- Removes all rules of a chain.
function change_methods:flush(t, chain)
  local o = { "flush", "chain", family = t.family, table = t.kernel, name = chain.name }
  operation(self, t, o, function()
    for _, record in ipairs(chain.rules) do record.is_gone = true end
    chain.rules = {}
  end)
end

--- Makes a chain of the user's.
function change_methods:new_chain(t, name)
  local chain = new_chain(name)
  operation(self, t, chain_operation(t, chain, "create"), function() t.chains[name] = chain end)
end

--- Removes a chain of the user's.
function change_methods:remove_chain(t, chain)
  local o = { "delete", "chain", family = t.family, table = t.kernel, name = chain.name }
  operation(self, t, o, function() t.chains[chain.name] = nil end)
end

--- Gives one of iptables' chains another policy: "accept" or "drop".
function change_methods:policy(t, chain, policy)
  local o = chain_operation(t, chain)
  o.policy = policy
  operation(self, t, o, function() chain.policy = policy end)
end

--- Does it.
-- @raise luabox.error: nothing of it was done
function change_methods:commit()
  for t in pairs(self.tables) do make(self.store, t) end
  self.store.nft:apply(self.operations)
  for _, effect in ipairs(self.effects) do effect() end
end

--- The rules of a network namespace; there are none yet.
-- @tparam luabox.nft nft a socket in it
-- @tparam luabox.scope undo is told of what has to be undone
-- @tparam ?luabox.namespace namespace nil for the current one
-- @treturn table
function M.new(nft, undo, namespace)
  return setmetatable({ nft = nft, undo = undo, namespace = namespace, tables = {}, guards = {} }, store_mt)
end

return M
