--- NAT rules and port maps, as nftables has them, in the form that a picture shows.
-- Internal: a part of `luabox.map`, for nobody else.
-- @module luabox.map_nat

local M = {}

local ACTIONS = { "masquerade", "snat", "dnat", "redirect" }

-- How a condition reads, in this order.
local CONDITIONS = {
  { "saddr", "from %s" }, { "daddr", "to %s" }, { "iifname", "in %s" }, { "oifname", "out %s" },
  { "saddr_type", "from %s addresses" }, { "daddr_type", "to %s addresses" }, { "nfproto", "%s" },
  { "mark", "mark %s" }, { "ct_state", "state %s" }, { "ct_status", "%s already" }, { "sport", "source port %s" },
}

-- A match as one text: what begins with "!=" is negated.
local function value_of(value)
  if type(value) ~= "table" then return tostring(value), false end
  local negated = value[1] == "!="
  return table.concat(value, ", ", negated and 2 or 1), negated
end

local function conditions_of(rule)
  local list = {}
  for _, c in ipairs(CONDITIONS) do
    if rule[c[1]] then
      local text, negated = value_of(rule[c[1]])
      list[#list + 1] = (negated and "not " or "") .. c[2]:format(text)
    end
  end
  local protocol, port = rule.protocol and value_of(rule.protocol), rule.dport and value_of(rule.dport)
  if protocol or port then list[#list + 1] = table.concat({ protocol, port }, " ") end
  if rule.raw then list[#list + 1] = "and more" end
  return list
end

local function target_of(action, what)
  if what == true then return action end
  local to = what.to or what.ports
  if action == "dnat" then return to or action end
  return to and ("%s to %s"):format(action, to) or action
end

-- The links and addresses that a rule is about.
local function about(rule, target)
  local words = {}
  for _, name in ipairs { "iifname", "oifname", "saddr", "daddr" } do
    for word in (rule[name] and value_of(rule[name]) or ""):gmatch "[^, ]+" do words[#words + 1] = word end
  end
  words[#words + 1] = target:match "%[(.-)%]" or target:match "([%d.]+%.%d+)" or target:match "(%x*:[%x:]+)"
  return words
end

local function add(list, rule, action, target)
  local conditions = conditions_of(rule)
  local when = #conditions > 0 and table.concat(conditions, ", ") or "all"
  list[#list + 1] = {
    family = rule.family, table = rule.table, chain = rule.chain, action = action, target = target,
    conditions = conditions, text = ("%s → %s"):format(when, target), about = about(rule, target),
  }
end

local function endpoint(address, port)
  if not port then return tostring(address) end
  return (tostring(address):find(":", 1, true) and "[%s]:%s" or "%s:%s"):format(address, port)
end

-- A map of ports is one entry for each of its elements.
local function add_elements(list, rule, action, lookup, elements)
  local fields = {}
  for field in lookup.key:gmatch "[^,]+" do fields[#fields + 1] = field end
  for _, element in ipairs(elements) do
    local one = { saddr = rule.saddr, iifname = rule.iifname, oifname = rule.oifname, table = rule.table,
      family = rule.family, chain = rule.chain }
    for i, field in ipairs(fields) do one[field] = element[i] end
    add(list, one, action, endpoint(element[#fields + 1], element[#fields + 2]))
  end
end

local function add_rule(list, nft, rule)
  for _, action in ipairs(ACTIONS) do
    local what = rule[action]
    if type(what) == "table" and what.map then
      local filter = { family = rule.family, table = rule.table, set = what.map }
      add_elements(list, rule, action, what, nft:elements(filter))
      return true
    elseif what then
      add(list, rule, action, target_of(action, what))
      return true
    end
  end
  return not rule.raw
end

-- What is the same on the way in and on the way out of this machine is said once.
local function without_doubles(list)
  local seen, kept = {}, {}
  for _, entry in ipairs(list) do
    local key = table.concat({ entry.family, entry.table, entry.text }, "\n")
    if not seen[key] then kept[#kept + 1] = entry end
    seen[key] = true
  end
  return kept
end

-- The chains whose rules may be of NAT, by family, table and name: those of that type, and what they may jump to.
local function chains_of(nft)
  local tables, chains = {}, {}
  local function key(chain, name) return table.concat({ chain.family, chain.table, name }, "\n") end
  local all = nft:chains()
  for _, chain in ipairs(all) do
    if chain.type == "nat" then tables[key(chain, "")] = { family = chain.family, table = chain.table } end
  end
  for _, chain in ipairs(all) do
    local may_be = chain.type == nil or chain.type == "nat"
    if may_be and tables[key(chain, "")] then chains[key(chain, chain.name)] = true end
  end
  return tables, function(rule) return chains[key(rule, rule.chain)] end
end

--- Reads the rules of chains of the type nat, and of the chains that these may jump to.
-- @tparam luabox.nft nft
-- @treturn {table,...} each with `family`, `table`, `chain`, `action` ("masquerade", "snat", "dnat", "redirect"),
--   `target`, `conditions`, `text` ("tcp 8080 → 10.0.0.2:80"), `about` (the links and addresses in it)
-- @treturn ?string what it could not read
-- @raise luabox.error
function M.read(nft)
  local list, unread = {}, 0
  local tables, is_wanted = chains_of(nft)
  local keys = {}
  for key in pairs(tables) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do
    for _, rule in ipairs(nft:rules(tables[key])) do
      if is_wanted(rule) and not add_rule(list, nft, rule) then unread = unread + 1 end
    end
  end
  return without_doubles(list), unread > 0 and
    ("%d rules use what luabox does not read; `nft list ruleset` shows them"):format(unread) or nil
end

return M
