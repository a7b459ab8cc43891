-- Each rule as nft lists it, and as luabox lists it back.
local nft = require "luabox.sys.nft"
local spec = require "spec"

local output = spec.output

-- A table of every kind of chain, sets and maps, owned: gone with the socket.
local function socket(family)
  local s = nft.socket()
  local function chain(name, kind, hook, priority)
    return { "add", "chain", family = family, table = "t", name = name, type = kind, hook = hook, priority = priority }
  end
  s:apply {
    { "create", "table", family = family, name = "t", owner = true },
    { "add", "chain", family = family, table = "t", name = "sub" },
    { "add", "set", family = family, table = "t", name = "hosts", key = "ipv4_addr", flags = "interval" },
    { "add", "map", family = family, table = "t", name = "ports", key = { "inet_proto", "ipv4_addr", "inet_service" },
      data = { "ipv4_addr", "inet_service" } },
    { "add", "map", family = family, table = "t", name = "ports6", key = "inet_proto,inet_service",
      data = "ipv6_addr,inet_service" },
    { "add", "map", family = family, table = "t", name = "links", key = "ifname", data = "verdict" },
    chain("filter", "filter", "input", "filter"),
  }
  if family ~= "bridge" then
    s:apply { chain("dstnat", "nat", "prerouting", "dstnat"), chain("srcnat", "nat", "postrouting", "srcnat") }
  end
  return s
end

local function rule_of(o, family, chain)
  local t = { "add", "rule", family = family, table = "t", chain = chain }
  for name, value in pairs(o) do t[name] = value end
  return t
end

-- What nft prints for the only rule of a chain.
local function listed(family, chain)
  local rules = {}
  for line in output(("nft list chain %s t %s"):format(family, chain)):gmatch("[^\n]+") do
    if line:find "^\t\t" and not line:find "^\t\ttype" then rules[#rules + 1] = line:match "^%s*(.-)%s*$" end
  end
  return table.concat(rules, "\n")
end

-- The rule as luabox lists it, without where it is.
local function decoded(s, family, chain)
  local rule = s:rules({ family = family, table = "t", chain = chain })[1]
  for _, name in ipairs { "family", "table", "chain", "handle" } do rule[name] = nil end
  return rule
end

-- { chain, options, nft's text, options listed if others }
local INET = {
  { "filter", { verdict = "accept" }, "accept" },
  { "filter", { verdict = "drop", comment = "no more" }, 'drop comment "no more"' },
  { "filter", { verdict = "return" }, "return" },
  { "filter", { verdict = "jump sub" }, "jump sub" },
  { "filter", { verdict = "goto sub" }, "goto sub" },
  { "filter", { iifname = "eth0", verdict = "accept" }, 'iifname "eth0" accept' },
  { "filter", { iifname = "br*", verdict = "accept" }, 'iifname "br*" accept' },
  { "filter", { iifname = { "!=", "lo" }, verdict = "drop" }, 'iifname != "lo" drop' },
  { "filter", { iifname = { "a", "b" }, verdict = "drop" }, 'iifname { "a", "b" } drop' },
  { "filter", { saddr = "10.0.0.1", verdict = "drop" }, "ip saddr 10.0.0.1 drop" },
  { "filter", { saddr = "10.0.0.7/24", verdict = "drop" }, "ip saddr 10.0.0.0/24 drop",
    { saddr = "10.0.0.0/24", verdict = "drop" } },
  { "filter", { saddr = "10.0.0.0/20", verdict = "drop" }, "ip saddr 10.0.0.0/20 drop" },
  { "filter", { saddr = "10.0.0.1-10.0.0.6", verdict = "drop" }, "ip saddr 10.0.0.1-10.0.0.6 drop" },
  { "filter", { daddr = { "!=", "10.0.0.0/24" }, verdict = "drop" }, "ip daddr != 10.0.0.0/24 drop" },
  { "filter", { daddr = { "!=", "10.0.0.1-10.0.0.6" }, verdict = "drop" }, "ip daddr != 10.0.0.1-10.0.0.6 drop" },
  { "filter", { daddr = { "10.0.0.0/24", "192.168.0.1" }, verdict = "drop" },
    "ip daddr { 10.0.0.0/24, 192.168.0.1 } drop" },
  { "filter", { daddr = { "!=", "10.0.0.2", "10.0.0.3" }, verdict = "drop" },
    "ip daddr != { 10.0.0.2, 10.0.0.3 } drop" },
  { "filter", { saddr = "fd00::/64", daddr = "fd00::2", verdict = "drop" },
    "ip6 saddr fd00::/64 ip6 daddr fd00::2 drop" },
  { "filter", { saddr = { "::1", "fd00::/64" }, verdict = "drop" }, "ip6 saddr { ::1, fd00::/64 } drop" },
  { "filter", { nfproto = "ipv4", saddr = "@hosts", verdict = "drop" }, "ip saddr @hosts drop" },
  { "filter", { nfproto = "ipv4", saddr = { "!=", "@hosts" }, verdict = "drop" }, "ip saddr != @hosts drop" },
  { "filter", { nfproto = "ipv6", verdict = "drop" }, "meta nfproto ipv6 drop" },
  { "filter", { saddr_type = "local", verdict = "accept" }, "fib saddr type local accept" },
  { "filter", { daddr_type = { "!=", "broadcast" }, verdict = "accept" }, "fib daddr type != broadcast accept" },
  { "filter", { protocol = "icmp", verdict = "accept" }, "meta l4proto icmp accept" },
  { "filter", { protocol = "icmpv6", verdict = "accept" }, "meta l4proto ipv6-icmp accept" },
  { "filter", { protocol = 132, verdict = "accept" }, "meta l4proto sctp accept",
    { protocol = "sctp", verdict = "accept" } },
  { "filter", { protocol = "tcp", dport = 80, verdict = "accept" }, "tcp dport 80 accept" },
  { "filter", { protocol = "udp", sport = "80-90", verdict = "accept" }, "udp sport 80-90 accept" },
  { "filter", { protocol = "tcp", dport = { "!=", "80-90" }, verdict = "accept" }, "tcp dport != 80-90 accept" },
  { "filter", { protocol = "tcp", dport = { 22, "80-90", 443 }, verdict = "accept" },
    "tcp dport { 22, 80-90, 443 } accept" },
  { "filter", { protocol = { "tcp", "udp" }, dport = 53, verdict = "accept" },
    "meta l4proto { tcp, udp } th dport 53 accept" },
  { "filter", { ct_state = "established,related", verdict = "accept" }, "ct state established,related accept" },
  { "filter", { ct_state = "new", verdict = "drop" }, "ct state new drop" },
  { "filter", { ct_state = { "!=", "invalid" }, verdict = "accept" }, "ct state ! invalid accept" },
  { "filter", { ct_status = "dnat", verdict = "accept" }, "ct status dnat accept" },
  { "filter", { mark = 5, verdict = "accept" }, "meta mark 0x00000005 accept" },
  { "filter", { mark = { "!=", 5 }, verdict = "accept" }, "meta mark != 0x00000005 accept" },
  { "filter", { mark = "0x1/0xff", verdict = "accept" }, "meta mark & 0x000000ff == 0x00000001 accept",
    { mark = "1/255", verdict = "accept" } },
  { "filter", { counter = true }, "counter packets 0 bytes 0", { counter = { packets = 0, bytes = 0 } } },
  { "filter", { counter = { packets = 7, bytes = 420 } }, "counter packets 7 bytes 420" },
  { "filter", { log = { prefix = "hi: ", level = "info" } }, 'log prefix "hi: " level info' },
  { "filter", { log = { group = 3 } }, "log group 3" },
  { "filter", { set_mark = 66 }, "meta mark set 0x00000042" },
  { "filter", { verdict = { map = "links", key = "iifname" } }, "iifname vmap @links" },
  { "filter", { reject = true }, "reject", { reject = { with = "icmpx port-unreachable" } } },
  { "filter", { reject = { with = "tcp reset" } }, "meta l4proto tcp reject with tcp reset",
    { protocol = "tcp", reject = { with = "tcp reset" } } },
  { "filter", { reject = { with = "icmp host-unreachable" } }, "reject with icmp host-unreachable" },
  { "filter", { reject = { with = "icmpv6 no-route" } }, "reject with icmpv6 no-route" },
  { "filter", { reject = { with = "icmpx admin-prohibited" } }, "reject with icmpx admin-prohibited" },
  { "srcnat", { oifname = { "!=", "br0" }, saddr = "192.168.2.0/24", masquerade = true },
    'oifname != "br0" ip saddr 192.168.2.0/24 masquerade' },
  { "srcnat", { masquerade = { flags = "random,fully-random" } }, "masquerade random,fully-random" },
  { "srcnat", { protocol = "tcp", masquerade = { ports = "1024-2047" } },
    "meta l4proto tcp masquerade to :1024-2047" },
  { "srcnat", { snat = { to = "10.0.0.1" } }, "meta nfproto ipv4 snat ip to 10.0.0.1" },
  { "srcnat", { protocol = "tcp", snat = { to = "10.0.0.1-10.0.0.9:1024-2047", flags = "persistent" } },
    "meta nfproto ipv4 meta l4proto tcp snat ip to 10.0.0.1-10.0.0.9:1024-2047 persistent" },
  { "dstnat", { protocol = "tcp", dport = 3033, dnat = { to = "172.8.0.8:3000" } },
    "meta nfproto ipv4 tcp dport 3033 dnat ip to 172.8.0.8:3000" },
  { "dstnat", { protocol = "udp", dport = 53, dnat = { to = "[fd00::2]:5353" } },
    "meta nfproto ipv6 udp dport 53 dnat ip6 to [fd00::2]:5353" },
  { "dstnat", { dnat = { to = "fd00::2" } }, "meta nfproto ipv6 dnat ip6 to fd00::2" },
  { "dstnat", { daddr_type = "local", dnat = { map = "ports", key = "protocol,daddr,dport" } },
    "fib daddr type local dnat ip to meta l4proto . ip daddr . th dport map @ports" },
  { "dstnat", { dnat = { map = "ports6", key = "protocol,dport" } },
    "meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @ports6" },
  { "dstnat", { protocol = "tcp", dport = 80, redirect = { to = 3128 } }, "tcp dport 80 redirect to :3128",
    { protocol = "tcp", dport = 80, redirect = { to = "3128" } } },
  { "dstnat", { redirect = true }, "redirect" },
}

local IP = {
  { "filter", { saddr = "10.0.0.0/24", reject = true }, "ip saddr 10.0.0.0/24 reject",
    { saddr = "10.0.0.0/24", reject = { with = "icmp port-unreachable" } } },
  { "filter", { saddr = "@hosts", verdict = "drop" }, "ip saddr @hosts drop" },
  { "dstnat", { protocol = "tcp", dport = 80, dnat = { to = "10.0.0.2:8080" } }, "tcp dport 80 dnat to 10.0.0.2:8080" },
  { "dstnat", { dnat = { map = "ports", key = "protocol,daddr,dport" } },
    "dnat ip to meta l4proto . ip daddr . th dport map @ports" },
}

local BRIDGE = {
  { "filter", { iifname = "c", saddr = { "!=", "10.0.0.2" }, verdict = "drop" },
    'iifname "c" ip saddr != 10.0.0.2 drop' },
}

local function specify(family, cases)
  for _, case in ipairs(cases) do
    local chain, o, text, back = table.unpack(case)
    it(("writes %s: %s"):format(family, text), function()
      local s <close> = socket(family)
      s:apply { rule_of(o, family, chain) }
      assert.equal(text, listed(family, chain))
      assert.same(back or o, decoded(s, family, chain))
    end)
  end
end

describe("a rule of luabox.sys.nft #root #nft", function()
  specify("inet", INET)
  specify("ip", IP)
  specify("bridge", BRIDGE)

  it("is listed when nft has written it", function()
    local s <close> = nft.socket()
    finally(function() os.execute "nft delete table inet other" end)
    os.execute([[nft 'table inet other {
      chain c {
        tcp dport 80-90 ip saddr 10.1.0.0/16 counter accept
        ip protocol tcp limit rate 5/second drop
        udp dport vmap { 53 : accept, 67 : drop } comment "by nft"
        meta nfproto ipv6 meta pkttype broadcast ip6 saddr ::1 drop
      }
    }']])
    local rules = s:rules { family = "inet", table = "other" }
    assert.equal(4, #rules)
    assert.equal("80-90", rules[1].dport)
    assert.equal("10.1.0.0/16", rules[1].saddr)
    assert.equal("accept", rules[1].verdict)
    assert.is_nil(rules[1].raw)
    assert.same({ "limit" }, rules[2].raw)
    assert.equal("tcp", rules[2].protocol)
    assert.equal("by nft", rules[3].comment)
    assert.equal("dport", rules[3].verdict.key)
    assert.same({ "meta", "cmp" }, rules[4].raw)
    assert.equal("::1", rules[4].saddr)
  end)

  it("has names of links as iptables has written them, and iptables' own parts by theirs", function()
    local s <close> = nft.socket()
    finally(function() os.execute "nft delete table ip filter" end)
    os.execute "iptables-nft -A FORWARD -i eth0 -j ACCEPT"
    os.execute "iptables-nft -A FORWARD -i eth+ -m conntrack --ctstate NEW -p tcp --syn -j TCPMSS --set-mss 9"
    local rules = s:rules { family = "ip", table = "filter" }
    assert.same({ "eth0", "eth*" }, { rules[1].iifname, rules[2].iifname })
    assert.same({ "conntrack", "TCPMSS" }, { rules[2].raw[1], rules[2].raw[#rules[2].raw] })
  end)

  it("is listed when iptables-nft has written it", function()
    local s <close> = nft.socket()
    finally(function()
      os.execute "nft delete table ip nat; nft delete table ip6 nat"
    end)
    local function line(program, text)
      spec.shell(("%s -t nat -A %s"):format(program, text))
      local list = s:rules { family = program == "iptables-nft" and "ip" or "ip6", table = "nat" }
      local rule = list[#list]
      for _, r in ipairs(list) do
        if r.chain == text:match "^%S+" then rule = r end -- the last of its chain
      end
      assert.is_nil(rule.raw, text)
      return rule
    end
    local function four(text) return line("iptables-nft", text) end
    local function six(text) return line("ip6tables-nft", text) end
    local rule = four "POSTROUTING -s 10.0.0.0/8 ! -o br0 -j MASQUERADE"
    assert.same({ true, "10.0.0.0/8", { "!=", "br0" } }, { rule.masquerade, rule.saddr, rule.oifname })
    assert.equal("br*", four("POSTROUTING -o br+ -j MASQUERADE").oifname)
    assert.same({ ports = "1024-2048", flags = "random" },
      four("POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2048 --random").masquerade)
    assert.same({ to = "10.0.0.2:80" }, four("PREROUTING -p tcp --dport 8080 -j DNAT --to 10.0.0.2:80").dnat)
    assert.same({ to = "10.0.0.2-10.0.0.5" }, four("PREROUTING -j DNAT --to 10.0.0.2-10.0.0.5").dnat)
    assert.same({ to = "10.9.0.1:1000-2000", flags = "persistent" },
      four("POSTROUTING -p udp -j SNAT --to 10.9.0.1:1000-2000 --persistent").snat)
    assert.same({ to = "8080" }, four("PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080").redirect)
    rule = four "PREROUTING -m addrtype --dst-type LOCAL -j RETURN"
    assert.same({ "local", "return" }, { rule.daddr_type, rule.verdict })
    assert.same({ "!=", "local" }, four("PREROUTING -m addrtype ! --src-type LOCAL -j RETURN").saddr_type)
    assert.equal(true, six("POSTROUTING -s fd00::/64 -j MASQUERADE").masquerade)
    assert.same({ to = "[fd00::2]:80" }, six("PREROUTING -p tcp --dport 81 -j DNAT --to [fd00::2]:80").dnat)
    spec.shell "iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL,BROADCAST -j RETURN"
    local list = s:rules { family = "ip", table = "nat", chain = "PREROUTING" }
    assert.same({ "addrtype" }, list[#list].raw)
  end)
end)
