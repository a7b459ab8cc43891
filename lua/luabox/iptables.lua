--- Does what an iptables command line says to the rules of a handle, with iptables' own words for what cannot be.
-- Internal: a part of `luabox.nat`, for nobody else.
-- @module luabox.iptables

local errors = require "luabox.error"
local kinds = require "luabox.option_kinds"
local listing = require "luabox.iptables_listing"
local nat_rules = require "luabox.nat_rules"
local vocabulary = require "luabox.iptables_vocabulary"
local text_of = require("luabox.iptables_rule").text

local M = {}

local function fail(line, code, message, hint)
  local op, arguments = line:gsub("^%s*sudo%s+", ""):match "^%s*(ip6?tables)%s+(.+)$"
  errors.raise { op = op or "iptables", subject = arguments or line, code = code, message = message, hint = hint }
end

-- What the kernel refuses is said of the line, and not of a table that the user never named.
local function commit(change, line)
  local ok, e = pcall(change.commit, change)
  if ok then return end
  if not errors.is(e) or e.signal then error(e, 0) end
  fail(line, e.code, e.message, e.code == "EMLINK" and "the chains would jump in a circle" or e.hint)
end

local function count_of(chain)
  return #chain.rules == 1 and "1 rule" or ("%d rules"):format(#chain.rules)
end

local function chain_names(t)
  local names = {}
  for _, chain in ipairs(nat_rules.chains(t)) do names[#names + 1] = chain.name end
  return names
end

local function find_chain(t, name, line)
  local chain = t.chains[name]
  if chain then return chain end
  fail(line, "ENOENT", "No chain/target/match by that name",
    ("table %s has no chain '%s'%s"):format(t.name, name, kinds.suggestion(name, chain_names(t))))
end

-- A target that is none of iptables' must be a chain of the user's.
local function check_target(t, rule, line)
  local target = rule.target
  if not target or not target.is_chain then return end
  local chain = t.chains[target.name]
  if chain and not chain.base then return end
  if chain then
    fail(line, "EINVAL", ("'%s' is one of iptables' own chains, to which no rule jumps"):format(target.name))
  end
  local names, chains = vocabulary.names(vocabulary.targets), chain_names(t)
  table.move(chains, 1, #chains, #names + 1, names)
  fail(line, "ENOENT", ("'%s' is neither a target that luabox knows nor a chain of table %s%s"):format(target.name,
    t.name, kinds.suggestion(target.name, names)))
end

local function numbered(chain, number, line, message)
  local record = chain.rules[number]
  if not record then
    fail(line, "E2BIG", message, ("chain %s has %s"):format(chain.name, count_of(chain)))
  end
  return record
end

local function find_rule(chain, rule)
  local text = text_of(rule)
  for i, record in ipairs(chain.rules) do
    if record.text == text then return record, i end
  end
end

local function rule_to_delete(chain, command, line)
  if command.number then return numbered(chain, command.number, line, "Index of deletion too big") end
  local record = find_rule(chain, command.rule)
  if record then return record end
  fail(line, "ENOENT", "Bad rule (does a matching rule exist in that chain?)",
    "a rule is deleted by its number, or by the very words that it was made with; -S shows them")
end

local commands = {}

function commands.append(store, t, command, line)
  local chain = find_chain(t, command.chain, line)
  check_target(t, command.rule, line)
  local change = store:change()
  local record = change:add(t, chain, command.rule)
  commit(change, line)
  return record
end

function commands.insert(store, t, command, line)
  local chain, at = find_chain(t, command.chain, line), command.number or 1
  check_target(t, command.rule, line)
  if at > #chain.rules + 1 then
    fail(line, "E2BIG", "Index of insertion too big", ("chain %s has %s"):format(chain.name, count_of(chain)))
  end
  local change = store:change()
  local record = change:add(t, chain, command.rule, at)
  commit(change, line)
  return record
end

function commands.delete(store, t, command, line)
  local record = rule_to_delete(find_chain(t, command.chain, line), command, line)
  local change = store:change()
  change:remove(record)
  commit(change, line)
end

function commands.replace(store, t, command, line)
  local chain = find_chain(t, command.chain, line)
  check_target(t, command.rule, line)
  local old = numbered(chain, command.number, line, "Index of replacement too big")
  local change = store:change()
  local record = change:add(t, chain, command.rule, command.number)
  change:remove(old)
  commit(change, line)
  return record
end

function commands.check(_, t, command, line)
  return find_rule(find_chain(t, command.chain, line), command.rule) ~= nil
end

local function chains_of(t, command, line)
  if command.chain then return { find_chain(t, command.chain, line) } end
  return nat_rules.chains(t)
end

function commands.list(store, t, command, line)
  local all, chains = nat_rules.chains(t), chains_of(t, command, line)
  for _, chain in ipairs(chains) do store:read(t, chain) end
  return chains, listing.table(chains, all, command)
end

function commands.show(store, t, command, line)
  local chains = chains_of(t, command, line)
  for _, chain in ipairs(chains) do store:read(t, chain) end
  return chains, listing.script(chains, command)
end

function commands.flush(store, t, command, line)
  local change = store:change()
  for _, chain in ipairs(chains_of(t, command, line)) do
    if #chain.rules > 0 then change:flush(t, chain) end
  end
  commit(change, line)
end

function commands.new(store, t, command, line)
  if t.chains[command.chain] then fail(line, "EEXIST", "Chain already exists") end
  if vocabulary.targets[command.chain] then
    fail(line, "EINVAL", ("chain name not allowed to be the name of a target, '%s'"):format(command.chain))
  end
  local change = store:change()
  change:new_chain(t, command.chain)
  commit(change, line)
end

local function check_unused(t, chain, line)
  if #chain.rules > 0 then
    fail(line, "ENOTEMPTY", "Directory not empty",
      ("chain %s has %s; flush it first: -F %s"):format(chain.name, count_of(chain), chain.name))
  end
  for _, other in pairs(t.chains) do
    for i, record in ipairs(other.rules) do
      local target = record.rule.target
      if target and target.is_chain and target.name == chain.name then
        fail(line, "EBUSY", "Too many links", ("rule %d of chain %s leads to it"):format(i, other.name))
      end
    end
  end
end

local function removed_chains(t, command, line)
  local chains = {}
  for _, chain in ipairs(chains_of(t, command, line)) do
    if not chain.base then
      chains[#chains + 1] = chain
    elseif command.chain then
      fail(line, "EINVAL", ("'%s' is one of iptables' own chains, which stay"):format(chain.name))
    end
  end
  return chains
end

function commands.remove(store, t, command, line)
  local change = store:change()
  for _, chain in ipairs(removed_chains(t, command, line)) do
    check_unused(t, chain, line)
    change:remove_chain(t, chain)
  end
  commit(change, line)
end

function commands.policy(store, t, command, line)
  local chain = find_chain(t, command.chain, line)
  if not chain.base then
    fail(line, "EINVAL", "Bad built-in chain name", ("'%s' is a user's chain, which has no policy"):format(chain.name))
  end
  if t.name == "nat" and command.policy == "drop" then
    fail(line, "EINVAL", "the table nat is not for filtering: its chains' policy is ACCEPT")
  end
  local change = store:change()
  change:policy(t, chain, command.policy)
  commit(change, line)
end

--- Does a command.
-- @tparam table store of `luabox.nat_rules`
-- @tparam table command as `luabox.iptables_parse` reads it
-- @tparam string line as errors name it
-- @return the record of a rule that was made; whether there is the rule, of "check"; the chains that are listed
-- @treturn[2] string what iptables prints, of "list" and "show"
-- @raise luabox.error in iptables' words; nothing was done
function M.run(store, command, line)
  return commands[command.command](store, store:table(command.version, command.table), command, line)
end

return M
