--- Random iptables lines, near to good ones, and what must hold of whatever the parser is given: it answers, in bounded
-- time, with a command or a sentence, and a rule that it took is written as a line that it takes for the same rule.
local M = {}

local random = math.random

local WORDS = {
  "iptables", "sudo", "ip6tables", "-t", "nat", "filter", "mangle", "-A", "-I", "-D", "-C", "-R", "-N", "-X", "-F",
  "-P", "-L", "-S", "FORWARD", "INPUT", "OUTPUT", "PREROUTING", "POSTROUTING", "lan", "-s", "-d", "-i", "-o", "-p",
  "-m", "-j", "-g", "!", "-n", "-v", "-nvL", "-w", "5", "1", "0", "-1", "99999999999", "tcp", "udp", "icmp", "all",
  "6", "256", "ipv6-icmp", "10.0.0.0/8", "10.0.0.1", "0/0", "fd00::/64", "::1", "10.0.0.1/255.0.0.0",
  "1.2.3.4/0.0.0.1", "eth0", "br+", "+", "a/b", "--dport", "--sport", "--destination-port", "80", "80:90", ":",
  "9:", ":9", "1:0", "65536", "http", "multiport", "--dports", "--sports", "80,443", "1,2:3,", "conntrack",
  "--ctstate", "NEW,ESTABLISHED", "DNAT", "NEW,DNAT", "state", "--state", "mark", "--mark", "1", "0x1/0xff",
  "0xfffffffff", "addrtype", "--src-type", "--dst-type", "LOCAL", "comment", "--comment", "'a b'", '"it\'s"',
  '"x\\"y"', "''", "ACCEPT", "DROP", "REJECT", "RETURN", "LOG", "MASQUERADE", "SNAT", "DNAT", "REDIRECT",
  "--reject-with", "tcp-reset", "icmp-host-prohibited", "--log-prefix", "--log-level", "info", "7", "--to",
  "--to-ports", "--to-source", "--to-destination", "10.0.0.1:80", "10.0.0.1-10.0.0.9:1-2", "[fd00::1]:80", ":80",
  "--random", "--random-fully", "--persistent", "--line-numbers", "--jump=DROP", "--append", "--t", "--", "-", "#",
  "$x", "\\", "'", '"', "`", ";", "\t", "\\\n", "\0", "\xff", ("x"):rep(40), ("9"):rep(400),
}

-- Rules that are good, from which lines are made by changing a few words.
local GOOD = {
  { "-t", "nat", "-A", "POSTROUTING", "-s", "172.18.0.0/24", "!", "-o", "br0", "-j", "MASQUERADE" },
  { "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "3033", "-j", "DNAT", "--to", "172.8.0.8:3000" },
  { "-A", "FORWARD", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT" },
  { "-A", "FORWARD", "-p", "udp", "-m", "multiport", "!", "--dports", "1,2,5:7", "-j", "REJECT" },
  { "-I", "FORWARD", "2", "-i", "br0", "-m", "comment", "--comment", "'a b'", "-j", "LOG", "--log-prefix", '"x: "' },
  { "-D", "FORWARD", "1" }, { "-P", "FORWARD", "DROP" }, { "-t", "nat", "-nvL", "--line-numbers" },
}

--- A line from the random numbers' state.
function M.line()
  local words = { table.unpack(GOOD[random(#GOOD)]) }
  for _ = 1, random(0, 4) do
    local at, how = random(#words + 1), random(3)
    if how == 1 then table.insert(words, at, WORDS[random(#WORDS)]) end
    if how == 2 then words[at] = WORDS[random(#WORDS)] end
    if how == 3 and #words > 1 then table.remove(words, math.min(at, #words)) end
  end
  return table.concat(words, random(20) == 1 and "" or " ")
end

-- A rule's own line gives the rule again.
local function check_rule(command, line)
  local parse, rules = require "luabox.iptables_parse", require "luabox.iptables_rule"
  local words = require "luabox.iptables_words"
  local written = rules.text(command.rule)
  local whole = ("-t %s -A %s %s"):format(command.table, words.name(command.chain), written)
  local again, problem = parse.line(whole, command.version)
  assert(again, ("%q is written %q: %s"):format(line, written, problem))
  local twice = rules.text(again.rule)
  assert(twice == written, ("%q is written %q, and then %q"):format(line, written, twice))
  assert(rules.put(command.rule, {}).counter)
end

--- Asserts of one line what must hold.
function M.check(line)
  local version = random(4) == 1 and 6 or 4
  local command, problem = require("luabox.iptables_parse").line(line, version)
  if not command then return assert(type(problem) == "string" and problem ~= "", line) end
  assert(type(command.command) == "string", line)
  if command.rule then check_rule(command, line) end
end

return M
