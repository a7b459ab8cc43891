local listing = require "luabox.iptables_listing"
local parse = require "luabox.iptables_parse"
local rules = require "luabox.iptables_rule"
local words = require "luabox.iptables_words"

-- What is wrong with a line.
local function problem(line, version)
  local command, text = parse.line(line, version or 4)
  assert.is_nil(command, line .. " was taken")
  return text
end

-- A line's rule as iptables -S writes it.
local function written(line, version)
  local command, text = parse.line(line, version or 4)
  assert(command, text)
  return rules.text(command.rule)
end

local function operation(line, version)
  return rules.put(parse.line(line, version or 4).rule, {})
end

describe("luabox.iptables_words", function()
  for line, expected in pairs {
    ["-A FORWARD  -j\tACCEPT "] = { "-A", "FORWARD", "-j", "ACCEPT" },
    [ [[--comment "a 'b' \"c\" \d" x]] ] = { "--comment", [[a 'b' "c" \d]], "x" },
    [ [['a "b" \c'd\ e]] ] = { [[a "b" \cd e]] },
    ["-A X # why"] = { "-A", "X" },
    ["a#b ''"] = { "a#b", "" },
    ["-A X \\\n  -j Y"] = { "-A", "X", "-j", "Y" },
    ["--to [fd00::2]:80"] = { "--to", "[fd00::2]:80" },
    [""] = {},
  } do
    it("splits " .. line, function() assert.same(expected, words.split(line)) end)
  end

  for line, expected in pairs {
    ["a 'b"] = "a single quote is not closed",
    ['a "b'] = "a double quote is not closed",
    ['"a\\'] = "a double quote is not closed",
    ["a\\"] = "a backslash ends the line",
    ["-s $NET"] =
      "'$' stands for a variable or command in a shell, and here is none; quote it or write what it stands for",
    ['"`ip`"'] = "'`' stands for a command in a shell, and here is none; quote it or write what it stands for",
    ["-L\n-L"] = "'\\n' stands for a second line in a shell, and here is none; quote it or write what it stands for",
    ["-L; ls"] = "';' stands for a second command in a shell, and here is none; quote it or write what it stands for",
    ["a\0b"] = "the line contains a zero byte",
  } do
    it("refuses " .. line, function()
      local list, text = words.split(line)
      assert.is_nil(list)
      assert.equal(expected, text)
    end)
  end
end)

describe("luabox.iptables_parse", function()
  for line, expected in pairs {
    ["-A FORWARD"] = "",
    ["sudo /sbin/iptables -A FORWARD -j ACCEPT -w"] = "-j ACCEPT",
    ["iptables -w 5 -A FORWARD -nv -jACCEPT -p6"] = "-p tcp -j ACCEPT",
    ["--append FORWARD --in-interface=br0 --out-interface eth+ --jump DROP"] = "-i br0 -o eth+ -j DROP",
    ["-A FORWARD --prot tcp --des 10.0.0.1 --destination-port 80"] = "-d 10.0.0.1/32 -p tcp -m tcp --dport 80",
    ["-A FORWARD -s 0/0 -d 0.0.0.0/0 -i + -p all"] = "",
    ["-A FORWARD -s 10.1.2.3/255.255.0.0"] = "-s 10.1.0.0/16",
    ["-A FORWARD -p udp --sport 0:65535"] = "-p udp -m udp",
    ["-A FORWARD -p TCP --dport 8: --sport :9"] = "-p tcp -m tcp --sport 0:9 --dport 8:65535",
    ["-A FORWARD -m mark --mark 16/0xff"] = "-m mark --mark 0x10/0xff",
    ["-A FORWARD -m conntrack --ctstate established,new"] = "-m conntrack --ctstate NEW,ESTABLISHED",
    ["-A FORWARD -j LOG --log-level error --log-prefix x"] = "-j LOG --log-prefix x --log-level 3",
    ["-A FORWARD -j LOG --log-level 4"] = "-j LOG",
    ["-A FORWARD -g lan"] = "-g lan",
    ["-t nat -A POSTROUTING -j MASQUERADE --random-fully -p udp --to-port 5-9"] =
      "-p udp -j MASQUERADE --to-ports 5-9 --random-fully",
    ["-t nat -A PREROUTING -p tcp -j DNAT --to 10.0.0.1-10.0.0.1:80-80"] =
      "-p tcp -j DNAT --to-destination 10.0.0.1:80",
  } do
    it("reads " .. line, function() assert.equal(expected, written(line)) end)
  end

  it("reads IPv6", function()
    assert.equal("-s fd00::/64 -p ipv6-icmp -j REJECT --reject-with icmp6-port-unreachable",
      written("ip6tables -A INPUT -s fd00::5/64 -p icmpv6 -j REJECT", 6))
    assert.equal("-p tcp -j DNAT --to-destination [fd00::2]:80",
      written("-t nat -A OUTPUT -p tcp -j DNAT --to-destination [fd00::2]:80", 6))
  end)

  it("reads the other commands", function()
    local function command(line) return parse.line(line, 4) end
    assert.same({ command = "delete", version = 4, table = "nat", chain = "POSTROUTING", number = 1 },
      command "-t nat -D POSTROUTING 1")
    assert.same({ command = "list", version = 4, table = "nat", numeric = true, verbose = true, line_numbers = true },
      command "-t nat -nvL --line")
    assert.same({ command = "list", version = 4, table = "filter", chain = "FORWARD", number = 2, exact = true },
      command "-L FORWARD 2 -x")
    assert.same({ command = "policy", version = 4, table = "filter", chain = "FORWARD", policy = "drop" },
      command "-P FORWARD DROP")
    assert.same({ command = "remove", version = 4, table = "filter" }, command "-X")
    assert.equal(3, command("-I FORWARD 3 -j DROP").number)
    assert.equal(2, command("-R FORWARD 2 -j DROP").number)
  end)

  it("makes of a line what nftables takes", function()
    assert.same({ counter = true, saddr = "172.18.0.0/24", oifname = { "!=", "br0" }, masquerade = true },
      operation "-t nat -A POSTROUTING -s 172.18.0.0/24 ! -o br0 -j MASQUERADE")
    assert.same(
      { counter = true, protocol = "tcp", dport = { "79-81", "443" }, iifname = "eth*", verdict = "jump lan" },
      operation "-A FORWARD -i eth+ -p tcp -m multiport --dports 443,80,79:81 -j lan")
    assert.same({ counter = true, ct_status = { "!=", "dnat" }, daddr_type = "local", mark = "0x1", comment = "a b",
      log = { prefix = "x ", level = "info" } },
      operation("-A FORWARD -m conntrack ! --ctstate DNAT -m addrtype --dst-type local -m mark --mark 1 "
        .. [[-m comment --comment "a b" -j LOG --log-prefix 'x ' --log-level 6]]))
  end)

  for line, expected in pairs {
    [""] = "the line has no command: -A, -I, -D, -C, -R, -L, -S, -F, -N, -X or -P",
    ["sudo ip link"] = "'ip' is not iptables",
    ["ip6tables -L"] = "'ip6tables' begins a line for IPv6; give it to ip6tables",
    ["-6 -L"] = "'-6' in a line of IPv4",
    ["iptables list"] = "'list' stands where an option is expected",
    ["-L -S"] = "'-S' goes not with '-L': one command a line",
    ["-L -j ACCEPT"] = "'-j' has no place in a line with '-L'",
    ["-D FORWARD 1 -j ACCEPT"] = "'-j' has no place in a line with '-D' and a number",
    ["-Z"] = "'-Z' is not an option that luabox knows here",
    ["-A FORWARD -f"] = "'-f' is not an option that luabox knows here",
    ["-A FORWARD --jmp DROP"] = "'--jmp' is not an option that luabox knows here; did you mean '--jump'?",
    ["-A FORWARD --dport 80"] =
      "'--dport' is not an option that luabox knows here; ports need -p tcp or -p udp before them",
    ["-A FORWARD -p tcp --syn"] = "'--syn' is not an option that luabox knows here; did you mean '--src'?",
    ["-A FORWARD --in x"] = "'--in' may stand for more than one option",
    ["-A FORWARD -m limit --limit 1/s"] = "'limit' is not a match that luabox knows; expected one of "
      .. "'addrtype', 'comment', 'conntrack', 'mark', 'multiport', 'state', 'tcp', 'udp'",
    ["-t mangle -L"] = "'mangle' is not a table that luabox knows; expected filter or nat",
    ["-A"] = "'-A' lacks its argument",
    ["-A FORWARD -s"] = "'-s' lacks its argument",
    ["-A -j ACCEPT"] = "'-j' is no chain's name",
    ["-A " .. ("x"):rep(29)] = "'" .. ("x"):rep(29) .. "' is 29 bytes long; a chain's name has at most 28",
    ["-D FORWARD 0"] = "'0' is no rule's number, after '-D'",
    ["-R FORWARD -j DROP"] = "'-j' is no rule's number, after '-R'",
    ["-P FORWARD REJECT"] = "'REJECT' is no policy; expected ACCEPT or DROP",
    ["-A FORWARD ! ! -i x"] = "'!' is there twice",
    ["-A FORWARD -i x !"] = "'!' ends the line",
    ["-A FORWARD ! -j DROP"] = "'!' does not go before '-j'",
    ["-A FORWARD ! -i +"] = "'! -i +' is true of no packet",
    ["-A FORWARD -m comment ! --comment x"] = "'!' does not go before '--comment'",
    ["-A FORWARD -j REJECT ! --reject-with tcp-reset"] = "'!' does not go before '--reject-with'",
    ["-A FORWARD -i a -i b"] = "'-i' is there twice",
    ["-A FORWARD -p tcp --dport 1 --dport 2"] = "'--dport' is there twice",
    ["-A FORWARD -p tcp --dport 1 -m multiport --dports 2,3"] =
      "'--dport' and '--dports' are about the same; a rule has one of them",
    ["-A FORWARD -j DROP -j DROP"] = "the rule has a target already, before 'DROP'",
    ["-A FORWARD --jump=DROP --line-numbers=3"] = "'--line-numbers' takes no argument",
    ["-A FORWARD -s 10.0.0.256"] = "-s: '10.0.0.256' is not an address",
    ["-A FORWARD -s fd00::1"] = "-s: 'fd00::1' is not IPv4; for IPv6 there is ip6tables",
    ["-A FORWARD -d example.org"] = "-d: 'example.org' is not an address; names are not looked up",
    ["-A FORWARD -s 10.0.0.0/255.0.255.0"] = true,
    ["-A FORWARD -i eth0:1/x"] = "-i: 'eth0:1/x' is no interface's name; 'eth+' stands for all that begin so",
    ["-A FORWARD -p 256"] = "-p: '256' is not a protocol: tcp, udp, icmp, … or a number up to 255",
    ["-A FORWARD -p tcp --dport http"] =
      "--dport: 'http' is not a port (0 to 65535); names of services are not looked up",
    ["-A FORWARD -p tcp --dport 65536"] =
      "--dport: '65536' is not a port (0 to 65535); names of services are not looked up",
    ["-A FORWARD -p tcp --dport 9:3"] = "--dport: the range '9:3' runs backwards",
    ["-A FORWARD -p tcp --dport :"] = "--dport: ':' is no range of ports",
    ["-A FORWARD -p tcp -m multiport --dports 1,,2"] =
      "--dports: '' is not a port (0 to 65535); names of services are not looked up",
    ["-A FORWARD -m udp -p tcp"] = "'-m udp' needs -p udp",
    ["-A FORWARD -m multiport --dports 1"] = "'-m multiport' needs -p tcp, udp, udplite, sctp or dccp",
    ["-A FORWARD -m mark"] = "'-m mark' lacks its option --mark",
    ["-A FORWARD -m mark --mark 0x100000000"] = "--mark: '0x100000000' is not a mark (0 to 0xffffffff), or mark/mask",
    ["-A FORWARD -m state --state DNAT"] =
      "--state: 'DNAT' is not a state; expected INVALID, NEW, RELATED, ESTABLISHED, UNTRACKED",
    ["-A FORWARD -m conntrack --ctstate NEW,DNAT"] =
      "--ctstate: 'NEW,DNAT': SNAT and DNAT go with no other state in one rule of nftables; write two rules",
    ["-A FORWARD -m addrtype --dst-type LOCAL,UNICAST"] = true,
    ["-A FORWARD -j LOG --log-level loud"] =
      "--log-level: 'loud' is not a level: 0 to 7, emerg, alert, crit, err, warn, notice, info, debug",
    ["-A FORWARD -p tcp -j REJECT --reject-with no"] = true,
    ["-A FORWARD -j REJECT --reject-with tcp-reset"] = "'tcp-reset' needs -p tcp",
    ["-A FORWARD -j MASQUERADE"] = "'MASQUERADE' is a target of the table nat, not of filter",
    ["-t nat -A PREROUTING -j MASQUERADE"] = "'MASQUERADE' has no place in PREROUTING; it goes in POSTROUTING",
    ["-t nat -A POSTROUTING -j DROP"] = "'DROP' is not for the table nat, which is not for filtering",
    ["-t nat -A POSTROUTING -j SNAT"] = "'-j SNAT' lacks its option --to-source",
    ["-t nat -A PREROUTING -j DNAT --to 10.0.0.1:80"] =
      "'--to-destination' with ports needs -p tcp, udp, udplite, sctp or dccp",
    ["-t nat -A PREROUTING -p tcp -j DNAT --to :80"] = "--to: ':80' has no address",
    ["-t nat -A PREROUTING -p tcp -j DNAT --to 10.0.0.0/8"] =
      "--to: '10.0.0.0/8' is a network; an address or a range is rewritten to",
    ["-t nat -A POSTROUTING -j SNAT --to-source 10.0.0.9-10.0.0.1"] =
      "--to-source: the range '10.0.0.9-10.0.0.1' runs backwards",
    ["-A OUTPUT -i eth0 -j DROP"] = "'-i' has no place in OUTPUT",
    ["-A INPUT -o eth0 -j DROP"] = "'-o' has no place in INPUT",
  } do
    it("refuses " .. line, function()
      local text = problem(line)
      if expected ~= true then assert.equal(expected, text) end
    end)
  end
end)

describe("luabox.iptables_parse with random lines", function()
  it("answers, and takes what it has written for the same", function()
    package.path = package.path .. ";tests/fuzz/?.lua"
    local lines = require "iptables_lines"
    math.randomseed(20261122)
    for _ = 1, 2000 do lines.check(lines.line()) end
  end)
end)

describe("luabox.iptables_listing", function()
  local function record(line, packets)
    local command = parse.line(line, 4)
    return { rule = command.rule, chain = { name = command.chain }, table = { version = 4 },
      counter = { packets = packets, bytes = packets * 60 } }
  end

  it("lists as iptables -L -n -v --line-numbers", function()
    local chain = { name = "FORWARD", base = {}, policy = "drop", rules = {
      record("-A FORWARD -i br0 ! -o br0 -s 172.18.0.0/24 -d 10.9.0.2 -p tcp --dport 80:90 -j ACCEPT", 3),
      record([[-A FORWARD -m conntrack ! --ctstate NEW -g lan]], 0),
    } }
    local lan = { name = "lan", rules = { record("-A lan -p udp -m multiport --sports 1,2 -j REJECT", 12) } }
    assert.equal([[
Chain FORWARD (policy DROP)
num   pkts bytes target     prot opt in     out     source               destination
1        3   180 ACCEPT     tcp  --  br0    !br0    172.18.0.0/24        10.9.0.2             tcp dpts:80:90
2        0     0 lan        all  --  *      *       0.0.0.0/0            0.0.0.0/0            ! ctstate NEW [goto]

Chain lan (1 references)
num   pkts bytes target     prot opt in     out     source               destination
1       12   720 REJECT     udp  --  *      *       0.0.0.0/0            0.0.0.0/0            multiport sports 1,2 ]] ..
      "reject-with icmp-port-unreachable",
      listing.table({ chain, lan }, { chain, lan }, { verbose = true, line_numbers = true }))
  end)

  it("rounds what was counted, but for -x", function()
    local line = "-A INPUT -s 10.0.0.9 -j DROP"
    local chain = { name = "INPUT", base = {}, policy = "accept", rules = {} }
    for i, counts in ipairs { { 99999, 100000 }, { 100499, 9999499 }, { 9999500, 99995000000 },
      { 0, 99995000000000000 } } do
      chain.rules[i] = record(line, 0)
      chain.rules[i].counter = { packets = counts[1], bytes = counts[2] }
    end
    local rest = " DROP       all  --  *      *       10.0.0.9             0.0.0.0/0\n"
    local function listed(options) return listing.table({ chain }, { chain }, options) .. "\n" end
    assert.equal("Chain INPUT (policy ACCEPT)\n"
      .. " pkts bytes target     prot opt in     out     source               destination\n"
      .. "99999  100K" .. rest .. " 100K 9999K" .. rest .. "  10M  100G" .. rest .. "    0 99995T" .. rest,
      listed { verbose = true })
    assert.equal("Chain INPUT (policy ACCEPT)\n"
      .. "    pkts      bytes target     prot opt in     out     source               destination\n"
      .. "   99999   100000" .. rest .. "  100499  9999499" .. rest .. " 9999500 99995000000" .. rest
      .. "       0 99995000000000000" .. rest, listed { verbose = true, exact = true })
  end)
end)
