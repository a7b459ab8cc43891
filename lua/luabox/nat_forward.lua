--- What the chains of forwarded packets do to what comes in by a link.
-- Internal: a part of `luabox.nat`, `luabox.gateway` and `luabox.doctor`, for nobody else.
-- @module luabox.nat_forward

local sys = require("luabox").sys

local M = {}

local DEPTH = 16 -- of jumps; the kernel's own limit

-- Whose a table is, by the chains that are in it, and the shell's line by which that tool lets a link's packets
-- through.
local OWNERS = {
  { "Docker", "^DOCKER%-USER$", "iptables -I DOCKER-USER -i %s -j ACCEPT; iptables -I DOCKER-USER -o %s -j ACCEPT" },
  { "ufw", "^ufw6?%-", "ufw route allow in on %s; ufw route allow out on %s" },
  { "libvirt", "^LIBVIRT_FWX$", "iptables -I FORWARD -i %s -j ACCEPT; iptables -I FORWARD -o %s -j ACCEPT" },
}

local FIREWALLD = "firewall-cmd --zone=trusted --add-interface=%s"
local IPTABLES = "iptables -I FORWARD -i %s -j ACCEPT; iptables -I FORWARD -o %s -j ACCEPT"
local IP6TABLES = IPTABLES:gsub("iptables", "ip6tables")
local NFT = "nft insert rule %s %s %s iifname %s accept; nft insert rule %s %s %s oifname %s accept"

--- The chains of forwarded packets whose policy is to drop.
-- @tparam luabox.nft nft
-- @treturn {table,...} as `nft:chains` has them
function M.dropping(nft)
  local found = {}
  for _, chain in ipairs(nft:chains()) do
    if chain.hook == "forward" and chain.policy == "drop" then found[#found + 1] = chain end
  end
  return found
end

-- ---- what a chain does ----

local function chain_key(o, name)
  return ("%s %s %s"):format(o.family, o.table, name)
end

local function read(nft)
  local tables = { hooked = {}, rules = {}, names = {}, owned = {} }
  for _, t in ipairs(nft:tables()) do tables.owned[t.family .. " " .. t.name] = t.owner end
  for _, chain in ipairs(nft:chains()) do
    local name = chain.family .. " " .. chain.table
    tables.rules[chain_key(chain, chain.name)] = {}
    tables.names[name] = tables.names[name] or {}
    table.insert(tables.names[name], chain.name)
    local carries_ipv4 = chain.family == "ip" or chain.family == "inet"
    if chain.hook == "forward" and carries_ipv4 then table.insert(tables.hooked, chain) end
  end
  for _, rule in ipairs(nft:rules()) do
    local list = tables.rules[chain_key(rule, rule.chain)]
    if list then list[#list + 1] = rule end
  end
  return tables
end

-- What is no match: who the rule is, what it does, and what IPv4 has anyway.
local NO_MATCH = { family = true, table = true, chain = true, handle = true, position = true, comment = true,
  counter = true, log = true, verdict = true, reject = true, raw = true, iifname = true, oifname = true }

local function is_name(value, link)
  if type(value) == "table" then return value[1] == "!=" and not is_name(value[2], link) end
  return value == link or value:sub(-1) == "*" and link:sub(1, #value - 1) == value:sub(1, -2)
end

-- Whether a rule concerns a first packet that comes in by the link: true, false, or nil where only the packet tells.
local function concerns(rule, link)
  if rule.iifname and not is_name(rule.iifname, link) then return false end
  if rule.nfproto == "ipv6" then return false end
  if type(rule.ct_state) == "string" and not rule.ct_state:find "new" then return false end
  local sure = not (rule.oifname and (type(rule.oifname) ~= "table" or rule.oifname[1] ~= "!="))
  for name in pairs(rule) do sure = sure and (NO_MATCH[name] or name == "nfproto") end
  for _, name in ipairs(rule.raw or {}) do sure = sure and name:find "^%u" ~= nil end
  return sure or nil
end

local function is_refusal(rule)
  if rule.verdict == "drop" or rule.reject then return true end
  for _, name in ipairs(rule.raw or {}) do
    if name == "REJECT" then return true end
  end
  return false
end

-- "accept" or "drop" and the rule, or nil if the chain returns; and whether rules on the way may accept some packets.
local function walk(tables, o, chain, link, depth)
  local some = false
  for _, rule in ipairs(depth > 0 and tables.rules[chain_key(o, chain)] or {}) do
    local sure = concerns(rule, link)
    local verdict = type(rule.verdict) == "string" and rule.verdict or rule.verdict and "map" or ""
    local how, target = verdict:match "^(%l+) (.+)$"
    if sure and is_refusal(rule) then return "drop", rule, some end
    if sure and verdict == "accept" then return "accept", rule, some end
    if sure and verdict == "return" then return nil, nil, some end
    if how and sure ~= false then
      local done, by, maybe = walk(tables, o, target, link, depth - 1)
      some = some or maybe or not sure and done == "accept"
      if sure and (done or how == "goto") then return done, by, some end
    end
    some = some or sure == nil and (verdict == "accept" or verdict == "map")
  end
  return nil, nil, some
end

-- ---- what is said of it ----

local function owner_of(tables, chain)
  if tables.owned[chain.family .. " " .. chain.table] then return { "the process that owns it", alone = true } end
  if chain.table == "firewalld" then return { "firewalld", nil, FIREWALLD } end
  for _, owner in ipairs(OWNERS) do
    for _, name in ipairs(tables.names[chain.family .. " " .. chain.table]) do
      if name:find(owner[2]) then return owner end
    end
  end
  return nil
end

local function shell_line(chain, owner, link)
  if owner and chain.family ~= "ip6" then return (owner[3]:gsub("%%s", link)) end
  if chain.table == "filter" and chain.name == "FORWARD" and chain.family ~= "inet" then
    return ((chain.family == "ip" and IPTABLES or IP6TABLES):gsub("%%s", link))
  end
  return NFT:format(chain.family, chain.table, chain.name, link, chain.family, chain.table, chain.name, link)
end

-- Docker puts its own jumps in front of what is in FORWARD, but leaves DOCKER-USER to the user.
local function lua_line(tables, chain, owner, link)
  local name = owner and owner[1] == "Docker" and tables.rules[chain_key(chain, "DOCKER-USER")] and "DOCKER-USER"
    or chain.name
  local rule = '{ "insert", "rule", family = "%s", table = "%s", chain = "%s", %s = "%s", verdict = "accept" }'
  return ("luabox.sys.nft.socket():apply { %s, %s }"):format(
    rule:format(chain.family, chain.table, name, "iifname", link),
    rule:format(chain.family, chain.table, name, "oifname", link))
end

-- As a text about the chain and, if a rule does it, the rule's own.
local function place(chain, by, owner)
  local text = ("chain %s of table %s %s"):format(by and by.chain or chain.name, chain.family, chain.table)
  if owner and owner.alone then return ("%s (which only %s can change)"):format(text, owner[1]) end
  return owner and ("%s (%s's)"):format(text, owner[1]) or text
end

local function sentence(link, where, by, some)
  if by then return ("what comes in by %s is refused by a rule of %s"):format(link, where) end
  return ("what comes in by %s is dropped by the policy of %s%s"):format(link, where,
    some and ", but for what a rule of it accepts" or "")
end

local function add_finding(see, tables, chain, link, by, some)
  local owner = owner_of(tables, chain)
  local finding = {
    code = by and "forward_rule" or "forward_policy", certain = not some, link = link, chain = chain.name,
    owner = owner and owner[1], what = sentence(link, place(chain, by, owner), by, some),
  }
  if not (owner and owner.alone) then
    finding.mend, finding.shell = lua_line(tables, chain, owner, link), shell_line(chain, owner, link)
  end
  table.insert(see.findings, finding)
end

--- Adds what the chains do to the findings.
-- @tparam table see with `inner`, the names of links, and `findings`
-- @treturn table `drops`: whether a chain drops what comes in by a link that no rule names, as a bridge's port is
-- @raise luabox.error
function M.look(see)
  local nft <close> = sys.nft.socket()
  local tables, drops = read(nft), false
  for _, chain in ipairs(tables.hooked) do
    for _, link in ipairs(see.inner) do
      local done, by, some = walk(tables, chain, chain.name, link, DEPTH)
      done = done or chain.policy
      drops = drops or done == "drop"
      if done == "drop" then add_finding(see, tables, chain, link, by, some) end
    end
  end
  return { drops = drops }
end

return M
