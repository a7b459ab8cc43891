local lab = require "nat_lab"
local namespace = require "luabox.sys.namespace"
local nat = require "luabox.nat"
local net = require "luabox.sys.net"
local nft = require "luabox.sys.nft"
local process = require "luabox.sys.process"
local refusal = require "refusal"
local spec = require "spec"
local system = require "luabox.sys.system"

local function lines_of(list)
  local lines = {}
  for i, entry in ipairs(list) do lines[i] = tostring(entry) end
  return lines
end

local function forwarding() return spec.contents "/proc/sys/net/ipv4/ip_forward" end

-- What nft itself lists, with which the kernel is seen from outside.
local function ruleset() return spec.output "nft list ruleset" end

-- A bridge with an address, which has a route to what is published.
local function with_bridge()
  spec.shell "ip link add br0 type bridge && ip addr add 172.18.0.1/24 dev br0 && ip link set br0 up"
  return setmetatable({}, { __close = function() spec.shell "ip link del br0" end })
end

describe("luabox.nat #root #nft", function()
  it("makes nothing before the first rule, and leaves nothing", function()
    local rules = nat.new()
    assert.equal("luabox.nat (no rules)", tostring(rules))
    assert.equal("-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT", tostring(rules:iptables "-S"))
    rules:iptables "-F"
    assert.equal("", ruleset())
    rules:iptables "-A INPUT -s 10.0.0.1 -j DROP"
    assert.is_truthy(ruleset():find "ip saddr 10.0.0.1 counter packets 0 bytes 0 drop")
    rules:close()
    rules:close()
    assert.equal("", ruleset())
    assert.equal("luabox.nat (closed)", tostring(rules))
    assert.is_truthy(spec.refused(rules.list, rules):find "the rules are closed")
  end)

  it("lists rules, with what has matched, and deletes them by number, entry and what was returned #ipv6", function()
    local rules <close> = nat.new()
    local first = rules:masquerade { saddr = "172.18.0.0/24", oifname = { "!=", "br0" } }
    local second = rules:accept { iifname = "br*", protocol = "tcp", dport = { 22, "80-90" }, comment = "web" }
    rules:accept { chain = "INPUT", saddr = "127.0.0.1", ct_state = "new, established", first = true }
    rules:ip6tables "-A FORWARD -s fd00::/64 -j REJECT"
    assert.equal("iptables -t nat -A POSTROUTING -s 172.18.0.0/24 ! -o br0 -j MASQUERADE", tostring(first))
    assert.same({
      "iptables -A INPUT -s 127.0.0.1/32 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT",
      "iptables -A FORWARD -i br+ -p tcp -m multiport --dports 22,80:90 -m comment --comment web -j ACCEPT",
      "iptables -t nat -A POSTROUTING -s 172.18.0.0/24 ! -o br0 -j MASQUERADE",
      "ip6tables -A FORWARD -s fd00::/64 -j REJECT --reject-with icmp6-port-unreachable",
    }, lines_of(rules:list()))
    spec.shell "ip link set lo up; ping -c 2 -i 0.01 127.0.0.1 >/dev/null"
    local entry = rules:list()[1]
    assert.equal("ip filter INPUT 1", table.concat({ entry.family, entry.table, entry.chain, entry.number }, " "))
    assert.equal(4, entry.packets)
    rules:delete(first)
    rules:delete(entry)
    assert.is_truthy(spec.refused(rules.delete, rules, first):find "it is gone already")
    rules:delete(2)
    assert.same({ tostring(second) }, lines_of(rules:list()))
    local message = spec.refused(rules.delete, rules, 2)
    assert.equal("delete rule 2: there are 1 (ENOENT)", message)
    assert.is_truthy(ruleset():find "tcp dport { 22, 80%-90 } counter")
  end)

  it("refuses rules of another handle and what is no rule", function()
    local one <close> = nat.new()
    local other <close> = nat.new()
    local rule = one:accept { iifname = "br0" }
    assert.is_truthy(spec.refused(other.delete, other, rule):find "the rule is another handle's")
    assert.is_truthy(spec.refused(one.delete, one, "1"):find "a rule, an entry of list")
    assert.equal(1, #one:list())
  end)

  it("answers in iptables' words, and does nothing then", function()
    local rules <close> = nat.new()
    rules:iptables "-N lan"
    rules:iptables "-A FORWARD -j lan"
    rules:iptables "-A lan -j ACCEPT"
    local before = tostring(rules)
    for line, expected in pairs {
      ["-A lam -j DROP"] =
        "No chain/target/match by that name (ENOENT); table filter has no chain 'lam'; did you mean 'lan'?",
      ["-A FORWARD -j DORP"] = "'DORP' is neither a target that luabox knows nor a chain of table filter; did you "
        .. "mean 'DROP'? (ENOENT)",
      ["-A FORWARD -j INPUT"] = "'INPUT' is one of iptables' own chains, to which no rule jumps (EINVAL)",
      ["-I FORWARD 3 -j DROP"] = "Index of insertion too big (E2BIG); chain FORWARD has 1 rule",
      ["-D FORWARD 2"] = "Index of deletion too big (E2BIG); chain FORWARD has 1 rule",
      ["-R FORWARD 2 -j DROP"] = "Index of replacement too big (E2BIG); chain FORWARD has 1 rule",
      ["-D FORWARD -j DROP"] = "Bad rule (does a matching rule exist in that chain?) (ENOENT); a rule is deleted by "
        .. "its number, or by the very words that it was made with; -S shows them",
      ["-N lan"] = "Chain already exists (EEXIST)",
      ["-N ACCEPT"] = "chain name not allowed to be the name of a target, 'ACCEPT' (EINVAL)",
      ["-X lan"] = "Directory not empty (ENOTEMPTY); chain lan has 1 rule; flush it first: -F lan",
      ["-X INPUT"] = "'INPUT' is one of iptables' own chains, which stay (EINVAL)",
      ["-P lan DROP"] = "Bad built-in chain name (EINVAL); 'lan' is a user's chain, which has no policy",
      ["-t nat -P OUTPUT DROP"] = "the table nat is not for filtering: its chains' policy is ACCEPT (EINVAL)",
    } do
      assert.equal(("iptables %s: %s"):format(line, expected), (spec.refused(rules.iptables, rules, line)))
    end
    rules:iptables "-F lan"
    assert.equal("iptables -X lan: Too many links (EBUSY); rule 1 of chain FORWARD leads to it",
      (spec.refused(rules.iptables, rules, "sudo iptables -X lan")))
    rules:iptables "-A lan -j ACCEPT"
    assert.equal(before, tostring(rules))
    assert.equal("iptables -A lan -j lan: Too many links (EMLINK); the chains would jump in a circle",
      (spec.refused(rules.iptables, rules, "-A lan -j lan")))
    assert.equal(before, tostring(rules))
  end)

  it("tells whether a rule is there", function()
    local rules <close> = nat.new()
    rules:iptables "-A INPUT -p tcp --dport 22 -j ACCEPT"
    assert.is_true(rules:iptables "-C INPUT -p tcp -m tcp --dport 22 -j ACCEPT")
    assert.is_false(rules:iptables "-C INPUT -p tcp --dport 23 -j ACCEPT")
  end)

  it("refuses wrong options before any effect", function()
    local rules <close> = nat.new()
    for _, case in ipairs {
      { "iptables", "-A INPUT --bogus", "#1 ('--bogus' is not an option that luabox knows here)" },
      { "iptables", 1, "#1 (string expected, got number)" },
      { "accept", { saddr = "10.0.0.300" }, "#1 (-s: '10.0.0.300' is not an address)" },
      { "accept", { dport = 80 }, "#1 ('--dport' is not an option that luabox knows here; ports need -p tcp or -p udp "
        .. "before them)" },
      { "masquerade", { ports = { 80, 90 } }, "#1 (option 'ports': string or integer expected, got table)" },
      { "accept", { chian = "INPUT" }, "#1 (unknown option 'chian'; did you mean 'chain'?)" },
      { "accept", { chain = "INPUT", oifname = "eth0" }, "#1 ('-o' has no place in INPUT)" },
      { "masquerade", { version = 5 }, "#1 (option 'version': 5 is no version of IP; expected 4 or 6)" },
      { "publish", { ports = { "80" } }, "#1 (option 'to' is missing)" },
      { "publish", { ports = { "0:80" }, to = "10.0.0.1" },
        "#1 (option 'ports': '0:80': the host's port must be told; 0 is none here)" },
      { "publish", { ports = { "[::1]:80:80" }, to = "10.0.0.1" },
        "#1 (option 'ports': '[::1]:80:80' is not of the same IP as 10.0.0.1)" },
    } do
      assert.equal(case[3], refusal(rules[case[1]], rules, case[2]))
    end
    assert.equal("", ruleset())
  end)

  it("has forwarding on as long as it is open", function()
    assert.equal("0", forwarding())
    do
      local rules <close> = nat.new()
      rules:masquerade { oifname = "eth0" }
      assert.equal("1", forwarding())
    end
    assert.equal("0", forwarding())
  end)

  it("makes no masquerade where forwarding cannot be had", function()
    local switch = require "luabox.nat_switch"
    local on = switch.on
    finally(function() switch.on = on end)
    function switch.on() require("luabox.error").raise { op = "set sysctl", code = "EROFS" } end
    local rules <close> = nat.new()
    assert.equal("set sysctl: Read-only file system (EROFS)",
      spec.refused(rules.masquerade, rules, { oifname = "eth0" }))
    assert.same({}, rules:list())
    assert.equal("", ruleset())
  end)

  it("works in another network namespace, and only there", function()
    local ns <close> = namespace.create "net"
    do
      local socket <close> = net.socket(ns)
      socket:link_add { kind = "bridge", name = "br0", up = true }
      socket:address_add { link = "br0", address = "172.18.0.1/24" }
      local rules <close> = nat.new { namespace = ns }
      rules:publish { ports = { "3033:3000" }, to = "172.18.0.2" }
      assert.equal("1", system.sysctl("net.ipv4.ip_forward", ns))
      assert.equal("0", forwarding())
      assert.equal("", ruleset())
      assert.equal(6, #rules:list())
    end
    assert.equal("0", system.sysctl("net.ipv4.ip_forward", ns))
    local socket <close> = nft.socket(ns)
    assert.same({}, socket:tables())
  end)

  it("leaves forwarding on in another namespace until nobody needs it", function()
    local ns <close> = namespace.create "net"
    local again <close> = namespace.open("net", "/proc/self/fd/" .. ns:fileno())
    local function there() return system.sysctl("net.ipv4.ip_forward", ns) end
    local one = nat.new { namespace = ns }
    local other = nat.new { namespace = again }
    one:masquerade { oifname = "eth0" }
    other:masquerade { oifname = "eth1" }
    one:close()
    assert.equal("1", there())
    other:close()
    assert.equal("0", there())
  end)

  it("leaves nothing when its process is killed", function()
    local script = "local r = require('luabox').nat.new(); r:masquerade { oifname = 'eth0' }; "
      .. "r:iptables '-P FORWARD DROP'; print(#r:list()); io.stdout:flush(); io.read()"
    local program = { os.getenv "LUABOX_INTERPRETER", "-e", script }
    local p <close> = process.spawn { program = program, stdin = "pipe", stdout = "pipe" }
    assert.equal("1\n", p:stdout():read(100))
    assert.is_truthy(ruleset():find "masquerade")
    p:kill "KILL"
    p:wait()
    assert.is_true(spec.eventually(function() return ruleset() == "" and forwarding() == "0" end))
  end)

  it("has tables without an owner taken back where the kernel knows no owners", function()
    local socket = nft.socket
    -- as before Linux 5.12
    nft.socket = function(...)
      local real = socket(...)
      return {
        rules = function(_, filter) return real:rules(filter) end,
        close = function() real:close() end,
        apply = function(_, operations)
          if operations[1] and operations[1].owner then
            require("luabox.error").raise { op = "add table", code = "EOPNOTSUPP" }
          end
          real:apply(operations)
        end,
      }
    end
    local rules = nat.new()
    nft.socket = socket
    rules:iptables "-A INPUT -s 10.0.0.1 -j DROP"
    assert.is_truthy(ruleset():find "10.0.0.1")
    assert.is_nil(ruleset():find "flags owner")
    rules:close()
    assert.equal("", ruleset())
  end)

  for _, case in ipairs {
    { "-P FORWARD DROP", "-A FORWARD -s fd00::5/64 ! -i br0 -p tcp --dport 80 -j REJECT" },
    { "-A INPUT -p icmpv6 -j ACCEPT", "-A INPUT -d fd00::1 -j REJECT --reject-with icmp6-adm-prohibited" },
    { "-t nat -A POSTROUTING -s fd77::/64 -o up0 -j MASQUERADE", "-t nat -A PREROUTING -p udp --dport 53 -j DNAT "
      .. "--to-destination [fd77::2]:5353", "-t nat -A OUTPUT -p tcp -j DNAT --to-destination fd77::2" },
  } do
    it("lists as ip6tables does: " .. case[1] .. " #ipv6", function()
      local ask = case[1]:match "^%-t nat " and "-t nat -S" or "-S"
      for _, line in ipairs(case) do spec.shell("ip6tables-nft " .. line) end
      local expected = spec.output("ip6tables-nft " .. ask)
      spec.shell "nft flush ruleset"
      local rules <close> = nat.new()
      for _, line in ipairs(case) do rules:ip6tables(line) end
      assert.equal(expected, tostring(rules:ip6tables(ask)))
    end)
  end

  it("claims what it publishes, until that is deleted", function()
    local _ <close> = with_bridge()
    local rules <close> = nat.new()
    local published = rules:publish { ports = { "3033:3000", "53:53/udp" }, to = "172.18.0.2" }
    assert.is_truthy(tostring(published):find("-t nat -A PREROUTING -p tcp -m addrtype --dst-type LOCAL -m tcp "
      .. "--dport 3033 -j DNAT --to-destination 172.18.0.2:3000", 1, true), tostring(published))
    assert.equal("1", spec.contents "/proc/sys/net/ipv4/conf/br0/route_localnet")
    assert.is_truthy(spec.refused(rules.publish, rules, { ports = { 3033 }, to = "172.18.0.2" }):find "EADDRINUSE")
    rules:delete(published)
    assert.same({}, lines_of(rules:list()))
    rules:publish { ports = { "3033:80" }, to = "172.18.0.2" }
  end)

  it("says that there is no way to what is to be published", function()
    local rules <close> = nat.new()
    assert.is_truthy(spec.refused(rules.publish, rules, { ports = { 80 }, to = "172.18.0.2" }):find(
      "publish 172.18.0.2: Network is unreachable (ENETUNREACH); the host has no route to it", 1, true))
    assert.equal("", ruleset())
  end)

  it("publishes for everybody, and shuts the host's loopback to who is behind #ipv6", function()
    local world <close> = lab.new()
    world:serve("c", "tcp:3000")
    world:serve(nil, "tcp:22")
    local rules <close> = nat.new()
    rules:iptables "-P FORWARD DROP"
    rules:publish { ports = { "3033:3000" }, to = "10.77.0.2" }
    rules:publish { ports = { "3033:3000" }, to = "fd77::2" }
    for _, ask in ipairs {
      { "10.9.0.2", "out", "10.9.0.1" }, { "10.9.0.1", nil, "10.9.0.1" }, { "10.77.0.1", nil, "127.0.0.1" },
      { "10.77.0.1", "n", "10.9.0.1" }, { "10.77.0.1", "c", "10.9.0.1" }, { "fd09::2", "out", "fd09::1" },
      { "fd77::1", "n", "fd09::1" },
    } do
      assert.equal(ask[1], world:ask(ask[2], "tcp", ask[3], 3033))
    end
    lab.output("ip route del local 127.0.0.0/8 dev lo table local", "n")
    lab.output("ip route add 127.9.9.9 via 10.77.0.1", "n")
    lab.output("sh -c 'echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet'", "n")
    assert.is_true(world:is_silent("n", "tcp", "127.9.9.9", 22))
  end)
end)
