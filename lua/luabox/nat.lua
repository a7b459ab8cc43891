--- NAT and packet filter of a machine, in iptables' words: its lines are taken as they are, and made so in nftables.
--
-- A handle holds rules in one network namespace, in nftables tables of its own, and with it they are gone, after
-- SIGKILL too (Linux 5.12; before, the keeper removes them). No other table is touched, and another handle's rules are
-- not seen.
--
-- The chains are iptables' own, at its places and with its policies, but in tables of their own: an ACCEPT here ends
-- only these. What a chain of another table drops (a FORWARD policy of the host's firewall, Docker's rules) is dropped.
-- @module luabox.nat

local entries = require "luabox.nat_entries"
local errors = require "luabox.error"
local iptables = require "luabox.iptables"
local nat_publish = require "luabox.nat_publish"
local nat_rules = require "luabox.nat_rules"
local nat_words = require "luabox.nat_words"
local options = require "luabox.options"
local parse = require "luabox.iptables_parse"
local place = require "luabox.net_place"
local scope = require "luabox.scope"
local sys = require("luabox").sys

local nat_methods = {}
local nat_mt = { __name = "luabox.nat", __index = nat_methods }

local M = {}

--- Says what of a host blocks forwarding of IPv4 from its inner links (those that have an address and no default
-- route): sysctls (ip_forward, a link's own forwarding, rp_filter, br_netfilter), chains that drop (a policy, a rule;
-- Docker's, firewalld's, ufw's, libvirt's), legacy iptables' tables, subnets that overlap, no default route. It only
-- looks.
-- @tparam[opt] table o
-- @tparam[opt] luabox.namespace|luabox.container|luabox.process|luabox.network|integer|string o.namespace of the host's
--   network, as for `new`; default: the current one
-- @string[opt] o.link the only inner link to be asked for; default: all
-- @treturn {table,...} findings: `code` ("ip_forward", "link_forwarding", "forward_policy", "forward_rule",
--   "br_netfilter", "legacy", "rp_filter", "overlap", "no_default_route", "unseen"), `what` (a sentence), `certain`
--   (false: it blocks some packets, or may), `mend` (the line of Lua that mends it), `shell` (what the tool that it
--   belongs to takes), and `link`, `chain`, `owner` where there are such. As text it is numbered sentences.
-- @raise luabox.error: ENODEV if the link is not there; EPERM
-- @usage
-- for _, finding in ipairs(luabox.nat.diagnose()) do print(finding.code, finding.what, finding.shell) end
function M.diagnose(o)
  return require("luabox.nat_diagnose").look(o)
end

local new_spec = { namespace = place.option }

--- Opens the rules of a network namespace. Nothing is made before the first rule.
-- @tparam[opt] table o
-- @tparam[opt] luabox.namespace|luabox.container|luabox.process|luabox.network|integer|string o.namespace whose: of
--   a handle, which stays open as long as the rules, a container, a process or its pid, a network (its switch), a
--   name of `ip netns`, a container's host name, or a path; default: the current one. Before Linux 5.12 rules in
--   another one than the run's outlive SIGKILL, as long as that namespace.
-- @treturn luabox.nat
-- @raise luabox.error: EPERM; ENOENT for a name or a pid that is not there
-- @usage
-- local rules <close> = luabox.nat.new()
-- rules:iptables "iptables -A INPUT -p tcp --dport 23 -j DROP"
-- print(rules)
function M.new(o)
  o = options.check(new_spec, o == nil and {} or o, "new")
  local opening <close> = scope.new()
  local namespace = place.namespace(o.namespace, opening)
  local nft = opening:own(sys.nft.socket(namespace))
  local undo = opening:keep()
  return setmetatable({ store = nat_rules.new(nft, undo, namespace), undo = undo, namespace = namespace, sysctls = {} },
    nat_mt)
end

local function check_open(self, op)
  if not self.undo then
    errors.raise { op = op, subject = "luabox.nat", code = "EBADF", message = "the rules are closed" }
  end
end

-- ---- lines ----

local LINE = { "string", required = true, min = 1, max = 65536 }

local function run(self, version, name, line)
  line = options.argument(LINE, line, name)
  local command, problem = parse.line(line, version)
  if not command then options.fail(name, nil, problem) end
  check_open(self, name)
  local result, text = iptables.run(self.store, command, line)
  if text then return entries.append(entries.list(text), result) end
  if type(result) == "table" then return entries.rule { result } end
  return result
end

--- Does what an iptables command line says. Commands: `-A`, `-I`, `-D` (by rule and by number), `-R`, `-C`, `-N`,
-- `-X`, `-F`, `-P`, `-L`, `-S`. Tables: filter and nat. Matches: `-s -d -i -o -p`, tcp, udp, multiport, conntrack
-- `--ctstate`, state, mark, addrtype, comment. Targets: ACCEPT, DROP, REJECT, RETURN, LOG, MASQUERADE, SNAT, DNAT,
-- REDIRECT, and chains. Words are quoted as for a shell; names of hosts or services are not looked up, and iptables is
-- not run.
-- @function nat:iptables
-- @tparam string line with or without "iptables" or "sudo iptables" at its beginning
-- @return of -A, -I and -R the rule, for `delete`; of -C whether it is there; of -L and -S a list as `list` gives it,
--   whose text is what iptables prints (-n or not), without what a chain's policy has counted
-- @raise an argument error that names the word that luabox does not know: nothing was done; luabox.error in iptables'
--   words: no such chain, no such rule, ENOENT; a number that is too big, E2BIG; a chain in use, EBUSY
-- @see iptables(8), iptables-extensions(8)
-- @usage
-- local rules <close> = luabox.nat.new()
-- rules:iptables "iptables -t nat -A POSTROUTING -s 172.18.0.0/24 ! -o br0 -j MASQUERADE"
-- print(rules:iptables "iptables -t nat -L -n --line-numbers")
-- rules:iptables "iptables -t nat -D POSTROUTING 1"
function nat_methods:iptables(line)
  return run(self, 4, "iptables", line)
end

--- The same for IPv6.
-- @function nat:ip6tables
-- @tparam string line
-- @return as `iptables`
-- @usage
-- local rules <close> = luabox.nat.new()
-- rules:ip6tables "ip6tables -A FORWARD -s fd00::/64 -p tcp --dport 22 -j REJECT"
function nat_methods:ip6tables(line)
  return run(self, 6, "ip6tables", line)
end

-- ---- rules from options ----

-- Reads words that were made of options as a rule.
local function rule_of(where, version, table_name, chain, words)
  local line = { "-t", table_name, "-A", chain, table.unpack(words) }
  local command, problem = parse.words(line, version)
  if not command then options.fail(where, nil, problem) end
  return command.rule
end

-- Reads options and the words of a target as a rule.
local function read_rule(where, o, table_name, chain, target)
  local words = nat_words.of(o)
  table.move(target, 1, #target, #words + 1, words)
  return rule_of(where, nat_words.version(o), table_name, chain, words)
end

-- Adds one rule, at a number or at the end.
local function add_rule(self, rule, table_name, chain, at)
  local t = self.store:table(rule.version, table_name)
  local change = self.store:change()
  local record = change:add(t, t.chains[chain], rule, at)
  change:commit()
  return entries.rule { record }
end

local FORWARDING = { [4] = "net/ipv4/ip_forward", [6] = "net/ipv6/conf/all/forwarding" }

local function switch_on(self, name)
  if self.sysctls[name] then return end
  require("luabox.nat_switch").on(name, self.undo, self.namespace)
  self.sysctls[name] = true
end

local masquerade_spec = nat_words.with { ports = nat_words.one, random = { "boolean" } }
masquerade_spec.iifname = nil

--- Lets machines behind the host go out with the host's address: MASQUERADE in POSTROUTING. Forwarding is on as long
-- as the handle is open, and then as before.
-- @function nat:masquerade
-- @tparam table o what packets, in nftables' names; each a value, or `{ "!=", value }`
-- @tparam[opt] string|table o.saddr where from: "172.18.0.0/24"
-- @tparam[opt] string|table o.daddr where to
-- @tparam[opt] string|table o.oifname by which link: "eth0", `{ "!=", "br0" }`, "eth*"
-- @tparam[opt] string|table o.protocol
-- @tparam[opt] integer|string|table o.sport a port, a range "80-90", a list of them
-- @tparam[opt] integer|string|table o.dport
-- @tparam[opt] string|table o.ct_state "established,related"
-- @tparam[opt] string o.comment
-- @tparam[opt] integer o.version 4 or 6, of IP; that of the addresses, else 4
-- @tparam[opt] integer|string o.ports the ports to go out from: "1024-2047"
-- @tparam[opt=false] boolean o.random whether these are chosen at random
-- @treturn luabox.nat_rule for `delete`; its text is the iptables line
-- @raise an argument error; luabox.error
-- @usage
-- local rules <close> = luabox.nat.new()
-- rules:masquerade { saddr = "172.18.0.0/24", oifname = { "!=", "br0" } }
function nat_methods:masquerade(o)
  o = options.check(masquerade_spec, o, "masquerade")
  local target = { "-j", "MASQUERADE" }
  if o.ports then table.move({ "--to-ports", tostring(o.ports) }, 1, 2, 3, target) end
  if o.random then target[#target + 1] = "--random" end
  local rule = read_rule("masquerade", o, "nat", "POSTROUTING", target)
  check_open(self, "masquerade")
  switch_on(self, FORWARDING[rule.version])
  return add_rule(self, rule, "nat", "POSTROUTING")
end

local accept_spec = nat_words.with {
  chain = { "enum", names = { "INPUT", "FORWARD", "OUTPUT" }, default = "FORWARD" },
  first = { "boolean", default = false },
}

--- Lets packets through: ACCEPT in a chain of the table filter.
-- @function nat:accept
-- @tparam table o what packets, as for `masquerade`
-- @tparam[opt="FORWARD"] string o.chain "INPUT", "FORWARD" or "OUTPUT"
-- @tparam[opt=false] boolean o.first whether before the chain's other rules and not after them
-- @tparam[opt] string|table o.saddr
-- @tparam[opt] string|table o.daddr
-- @tparam[opt] string|table o.iifname the link that they come by
-- @tparam[opt] string|table o.oifname the link that they leave by
-- @tparam[opt] string|table o.protocol
-- @tparam[opt] integer|string|table o.sport
-- @tparam[opt] integer|string|table o.dport
-- @tparam[opt] string|table o.ct_state
-- @tparam[opt] string o.comment
-- @tparam[opt] integer o.version
-- @treturn luabox.nat_rule for `delete`; its text is the iptables line
-- @raise an argument error; luabox.error
-- @usage
-- local rules <close> = luabox.nat.new()
-- rules:iptables "iptables -P FORWARD DROP"
-- rules:accept { iifname = "br0", oifname = { "!=", "br0" } }
-- rules:accept { oifname = "br0", ct_state = "established,related" }
function nat_methods:accept(o)
  o = options.check(accept_spec, o, "accept")
  local rule = read_rule("accept", o, "filter", o.chain, { "-j", "ACCEPT" })
  check_open(self, "accept")
  return add_rule(self, rule, "filter", o.chain, o.first and 1 or nil)
end

local publish_spec = {
  ports = { "ports", required = true },
  to = { "address", prefix = "none", required = true },
}

local function add_maps(self, o, way)
  local change, records = self.store:change(), {}
  nat_publish.rules(o.ports, o.to, way, function(table_name, chain, words, at)
    local t = self.store:table(o.to.version, table_name)
    local rule = rule_of("publish", o.to.version, table_name, chain, words)
    records[#records + 1] = change:add(t, t.chains[chain], rule, at)
  end)
  change:commit()
  return records
end

--- Publishes ports of a machine behind the host as the host's own: reachable from other machines, from the host itself
-- by any of its addresses and by 127.0.0.1, and from the machine's neighbours by the host's address. That is a DNAT in
-- PREROUTING and in OUTPUT, a MASQUERADE for those whose answers would not come back through the host, an ACCEPT in
-- FORWARD, and forwarding and route_localnet of the link, which end with the handle. The port is claimed, so that no
-- program waits on it in vain (not in another namespace than the process's own). Of IPv6, ::1 is left out.
-- @function nat:publish
-- @tparam table o
-- @tparam {string|integer|table,...} o.ports "3033:3000", "10.9.0.1:53:53/udp", as `luabox.port_map` reads them
-- @tparam string o.to the machine's address
-- @treturn luabox.nat_rule for `delete`; its text is the iptables lines
-- @raise an argument error; luabox.error: EADDRINUSE with the process that has the port, ENETUNREACH
-- @usage
-- local ns <close> = luabox.sys.namespace.create "net" -- plays the host
-- local net <close> = luabox.sys.net.socket(ns)
-- net:link_add { kind = "bridge", name = "br0", up = true }
-- net:address_add { link = "br0", address = "172.18.0.1/24" }
-- local rules <close> = luabox.nat.new { namespace = ns }
-- print(rules:publish { ports = { "3033:3000" }, to = "172.18.0.2" })
function nat_methods:publish(o)
  o = options.check(publish_spec, o, "publish")
  nat_publish.check(o.ports, o.to)
  check_open(self, "publish")
  local way = nat_publish.way(o.to, self.namespace)
  local undo <close> = scope.new()
  if not self.namespace then nat_publish.claim(o.ports, o.to, undo) end -- only the own one can be asked
  switch_on(self, FORWARDING[o.to.version])
  if o.to.version == 4 then
    self.store:guard(way.link)
    switch_on(self, ("net/ipv4/conf/%s/route_localnet"):format(way.link))
  end
  return entries.rule(add_maps(self, o, way), self.undo:own(undo:keep()))
end

-- ---- list and delete ----

--- Lists the handle's rules: by table and chain, in their order.
-- @function nat:list
-- @treturn {table,...} each with `family` ("ip", "ip6"), `table`, `chain`, `number` in the chain, `line` (as
--   iptables -S writes it after "-A CHAIN"), `handle` (nftables'), `packets` and `bytes`; its text is the whole
--   iptables line, and the list's text all of them, numbered
-- @raise luabox.error
-- @usage
-- local rules <close> = luabox.nat.new()
-- rules:accept { iifname = "br0" }
-- assert(rules:list()[1].line == "-i br0 -j ACCEPT")
function nat_methods:list()
  check_open(self, "list")
  local list = entries.list()
  self.store:each_table(function(t)
    local chains = nat_rules.chains(t)
    for _, chain in ipairs(chains) do
      if #chain.rules > 0 then self.store:read(t, chain) end
    end
    entries.append(list, chains)
  end)
  return list
end

local function records_to_delete(self, which)
  local entry = which
  if math.type(which) == "integer" then
    local list = self:list()
    entry = list[which]
    if not entry then
      errors.raise { op = "delete", subject = "rule " .. which, code = "ENOENT",
        message = ("there are %d"):format(#list) }
    end
  end
  local records = entries.records(entry)
  if records then return records end
  options.fail("delete", nil, "a rule, an entry of list() or its number expected, got " .. type(which))
end

--- Deletes a rule, or all that `publish` made.
-- @function nat:delete
-- @param which what a method returned, an entry of `list()`, or its number there
-- @raise luabox.error: ENOENT if it is gone already
-- @usage
-- local rules <close> = luabox.nat.new()
-- local rule = rules:accept { iifname = "br0" }
-- rules:delete(rule)
-- assert(#rules:list() == 0)
function nat_methods:delete(which)
  check_open(self, "delete")
  local change, count = self.store:change(), 0
  for _, record in ipairs(records_to_delete(self, which)) do
    if not self.store:has(record) then options.fail("delete", nil, "the rule is another handle's") end
    if not record.is_gone then
      change:remove(record)
      count = count + 1
    end
  end
  if count == 0 then
    errors.raise { op = "delete", subject = "rule", code = "ENOENT", message = "it is gone already" }
  end
  change:commit()
  if type(which) == "table" and which.undo then which.undo:close() end
end

--- Removes all rules of the handle, and puts back what it set. A second call does nothing.
-- @function nat:close
-- @raise luabox.error
function nat_methods:close()
  local undo = self.undo
  self.undo = nil
  if undo then undo:close() end
end

--- The handle's rules, one a line.
function nat_mt:__tostring()
  if not self.undo then return "luabox.nat (closed)" end
  local list = self:list()
  return #list > 0 and tostring(list) or "luabox.nat (no rules)"
end

options.methods(nat_mt.__name, nat_methods)
nat_mt.__close = errors.closer(nat_methods.close)
nat_mt.__gc = function(self) pcall(self.close, self) end

return M
