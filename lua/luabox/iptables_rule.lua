--- A rule of iptables: whether it can be, how iptables writes it, and what it is in nftables.
-- Internal: a part of `luabox.nat`, for nobody else. Rules are as `luabox.iptables_parse` reads them.
-- @module luabox.iptables_rule

local name_of = require("luabox.iptables_words").name
local vocabulary = require "luabox.iptables_vocabulary"

local M = {}

local WITH_PORTS = { tcp = true, udp = true, sctp = true, dccp = true, udplite = true }

-- The name of the protocol that a packet must be of; nil if it is not told.
local function protocol_of(rule)
  local p = rule.protocol
  return p and not p.negate and p.value and p.text or nil
end

-- ---- can it be ----

local function match_problem(rule, match)
  local extension, protocol = vocabulary.matches[match.name], protocol_of(rule)
  if extension.protocol and protocol ~= extension.protocol then
    return ("'-m %s' needs -p %s"):format(match.name, extension.protocol)
  end
  if extension.ports and not WITH_PORTS[protocol] then
    return ("'-m %s' needs -p tcp, udp, udplite, sctp or dccp"):format(match.name)
  end
  if next(match.given) == nil and not extension.protocol then
    return ("'-m %s' lacks its option %s"):format(match.name, extension.options[1].name)
  end
end

-- One comparison of each kind fits a rule of nftables.
local function twice_problem(rule)
  local seen = {}
  for _, match in ipairs(rule.matches) do
    for _, o in ipairs(vocabulary.matches[match.name].options) do
      local entry = match.given[o.name]
      local selector = entry and entry.value and (entry.selector or o.selector)
      if selector and seen[selector] then
        return ("'%s' and '%s' are about the same; a rule has one of them"):format(seen[selector], o.name)
      end
      if selector then seen[selector] = o.name end
    end
  end
end

local function required_problem(target, extension)
  local needed = extension.required
  if needed and not target.given[needed] then return ("'-j %s' lacks its option %s"):format(target.name, needed) end
end

local function protocol_problem(rule, target)
  local protocol = protocol_of(rule)
  for name, entry in pairs(target.given) do
    if entry.needs_ports and not WITH_PORTS[protocol] then
      return ("'%s' with ports needs -p tcp, udp, udplite, sctp or dccp"):format(name)
    end
    if entry.needs_tcp and protocol ~= "tcp" then return "'tcp-reset' needs -p tcp" end
  end
end

-- Only of the chains that iptables itself has is it known by what way packets come.
local BUILT_IN = { INPUT = true, FORWARD = true, OUTPUT = true, PREROUTING = true, POSTROUTING = true }

local function place_problem(target, extension, table_name, chain)
  if extension.tables and not extension.tables[table_name] then
    return ("'%s' is a target of the table %s, not of %s"):format(target.name, next(extension.tables), table_name)
  end
  if extension.chains and BUILT_IN[chain] and not extension.chains[chain] then
    return ("'%s' has no place in %s; it goes in %s"):format(target.name, chain,
      table.concat(vocabulary.names(extension.chains), " or "))
  end
  if table_name == "nat" and (target.name == "DROP" or target.name == "REJECT") then
    return ("'%s' is not for the table nat, which is not for filtering"):format(target.name)
  end
end

local function target_problem(rule, table_name, chain)
  local target = rule.target
  local extension = target and not target.is_chain and vocabulary.targets[target.name]
  if not extension then return nil end
  return place_problem(target, extension, table_name, chain) or required_problem(target, extension)
    or protocol_problem(rule, target)
end

local NO_INPUT, NO_OUTPUT = { OUTPUT = true, POSTROUTING = true }, { INPUT = true, PREROUTING = true }

--- What is wrong with a rule as a whole.
-- @tparam table rule
-- @tparam string table_name
-- @tparam string chain
-- @treturn ?string
function M.problem(rule, table_name, chain)
  if rule.input and NO_INPUT[chain] then return ("'-i' has no place in %s"):format(chain) end
  if rule.output and NO_OUTPUT[chain] then return ("'-o' has no place in %s"):format(chain) end
  for _, match in ipairs(rule.matches) do
    local problem = match_problem(rule, match)
    if problem then return problem end
  end
  return twice_problem(rule) or target_problem(rule, table_name, chain)
end

-- ---- as iptables writes it ----

local function add_option(words, entry, name)
  if entry.negate then words[#words + 1] = "!" end
  words[#words + 1] = name
  words[#words + 1] = entry.text
end

local PLACES = {
  { "source", "-s" }, { "destination", "-d" }, { "input", "-i" }, { "output", "-o" }, { "protocol", "-p" },
}

local function add_given(words, extension, given)
  for _, o in ipairs(extension.options) do
    local entry = given[o.name]
    -- what is without text is the default, which is not written
    if entry and (entry.text or not o.read) then add_option(words, entry, o.name) end
  end
end

--- The rule as `iptables -S` writes it, without the chain.
-- @tparam table rule
-- @treturn string what it matches
-- @treturn string its target, "" without one
function M.texts(rule)
  local words, target_words, target = {}, {}, rule.target
  for _, place in ipairs(PLACES) do
    local entry = rule[place[1]]
    if entry and entry.value then add_option(words, entry, place[2]) end
  end
  for _, match in ipairs(rule.matches) do
    words[#words + 1] = "-m " .. match.name
    add_given(words, vocabulary.matches[match.name], match.given)
  end
  if target then
    target_words[1] = (target.is_goto and "-g " or "-j ") .. name_of(target.name)
    if not target.is_chain then add_given(target_words, vocabulary.targets[target.name], target.given) end
  end
  return table.concat(words, " "), table.concat(target_words, " ")
end

--- The rule on one line, after "-A CHAIN ": by it two rules are the same or not.
-- @tparam table rule
-- @treturn string
function M.text(rule)
  local matches, target = M.texts(rule)
  return matches ~= "" and target ~= "" and matches .. " " .. target or matches .. target
end

-- ---- in nftables ----

-- A value behind "!=", where it is negated.
local function compared(entry)
  if not entry.negate then return entry.value end
  return { "!=", table.unpack(type(entry.value) == "table" and entry.value or { entry.value }) }
end

local SELECTORS = {
  source = "saddr", destination = "daddr", input = "iifname", output = "oifname", protocol = "protocol",
}

--- Puts the rule into an operation of `luabox.sys.nft`, each packet counted.
-- @tparam table rule
-- @tparam table operation
-- @treturn table the operation
function M.put(rule, operation)
  operation.counter = true
  for place, selector in pairs(SELECTORS) do
    if rule[place] and rule[place].value then operation[selector] = compared(rule[place]) end
  end
  for _, match in ipairs(rule.matches) do
    for _, o in ipairs(vocabulary.matches[match.name].options) do
      local entry = match.given[o.name]
      if entry and entry.value then operation[entry.selector or o.selector] = compared(entry) end
    end
  end
  local target = rule.target
  if target and target.is_chain then
    operation.verdict = (target.is_goto and "goto " or "jump ") .. target.name
  elseif target then
    local option, value = vocabulary.targets[target.name].build(target.given)
    operation[option] = value
  end
  return operation
end

return M
