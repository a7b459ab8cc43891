-- What is refused before anything is sent to the kernel.
local badargs = require "badargs"
local nft = require "luabox.sys.nft"

local NAME = { "string", required = true, min = 1, max = 255 }
local FAMILY = { "enum", names = { "inet", "ip", "ip6", "bridge", "arp" } }

-- An operation's options: the first two entries are its verb and object.
local function operation(verb, object, o)
  local t = { verb, object }
  for name, value in pairs(o) do t[name] = value end
  return t
end

local function refused(s, ...)
  local operations = { ... }
  local ok, message = pcall(function() s:apply(operations) end)
  assert.is_false(ok)
  return (tostring(message):gsub("^.-bad argument #1 to 'apply' ", ""))
end

-- Each wrong value of each option gets its sentence, which says where the option is.
local function check(verb, object, spec, valid)
  local s <close> = nft.socket()
  for _, case in ipairs(badargs.cases(spec, valid)) do
    if case[1][1] == nil then
      local expected = ("(%s)"):format(case[2]:gsub("option '", "option 'operations[1].", 1))
      assert.equal(expected, refused(s, operation(verb, object, case[1])))
    end
  end
end

-- A rule with these options is refused with this sentence.
local function check_rule(sentence, o, prepare)
  local s <close> = nft.socket()
  local rule = operation("add", "rule", o)
  rule.table, rule.chain = rule.table or "t", "c"
  if prepare then
    assert.equal(("(option 'operations[2].%s)"):format(sentence), refused(s, prepare, rule))
  else
    assert.equal(("(option 'operations[1].%s)"):format(sentence), refused(s, rule))
  end
end

local function check_element(sentence, set, element, verb)
  local s <close> = nft.socket()
  set[1], set[2], set.table, set.name = "add", set.data and "map" or "set", "t", "s"
  assert.equal(("(option 'operations[2].elements[1]%s)"):format(sentence),
    refused(s, set, { verb or "add", "element", table = "t", set = "s", elements = { element } }))
end

describe("luabox.sys.nft", function()
  it("wants a list of operations", function()
    local s <close> = nft.socket()
    assert.has_error(function() s:apply() end, "bad argument #1 to 'apply' (table expected, got no value)")
    assert.equal("(option 'operations[1]': table expected, got string)", refused(s, "add table t"))
    for _, wrong in ipairs { {}, { "add" }, { "ad", "table" }, { "add", "tabel" }, { "insert", "table" },
      { "flush", "element" }, { "create", "rule" }, { 1, 2 } } do
      assert.equal("(option 'operations[1]': begins with no operation: expected add, create, insert, delete or flush, "
        .. "then table, chain, set, map, element or rule)", refused(s, wrong))
    end
  end)

  it("wants an open handle", function()
    local s = nft.socket()
    s:close()
    assert.has_error(function() s:apply {} end, "calling 'apply' on bad self (attempt to use a closed luabox.nft)")
    assert.has_error(function() s:rules() end, "calling 'rules' on bad self (attempt to use a closed luabox.nft)")
    assert.equal("luabox.nft (closed)", tostring(s))
  end)

  it("wants a descriptor of a namespace", function()
    assert.has_error(function() nft.socket "net" end,
      "bad argument #1 to 'socket' (handle, io file or descriptor number expected, got string)")
  end)

  it("checks the options of tables", function()
    check("add", "table", { family = FAMILY, name = NAME, owner = { "bool" }, dormant = { "bool" } }, { name = "t" })
    check("delete", "table", { family = FAMILY, name = NAME }, { name = "t" })
    check("flush", "table", { family = FAMILY, name = NAME }, { name = "t" })
  end)

  it("checks the options of chains", function()
    local chain = { family = FAMILY, table = NAME, name = NAME }
    check("delete", "chain", chain, { table = "t", name = "c" })
    check("flush", "chain", chain, { table = "t", name = "c" })
    chain.type = { "enum", names = { "filter", "nat", "route" } }
    chain.hook = { "enum", names = { "prerouting", "input", "forward", "output", "postrouting" } }
    chain.policy = { "enum", names = { "accept", "drop" } }
    chain.priority = { "any" }
    check("create", "chain", chain, { table = "t", name = "c" })
  end)

  it("wants type, hook and priority together", function()
    local s <close> = nft.socket()
    local function chain(o) return refused(s, operation("add", "chain", o)) end
    assert.equal("(option 'operations[1].hook': is missing: only a chain with a hook has a priority or a policy)",
      chain { table = "t", name = "c", priority = 0 })
    assert.equal("(option 'operations[1].hook': is missing: only a chain with a hook has a priority or a policy)",
      chain { table = "t", name = "c", policy = "drop" })
    assert.equal("(option 'operations[1].type': is missing: type, hook and priority go together)",
      chain { table = "t", name = "c", hook = "input", priority = 0 })
    assert.equal("(option 'operations[1].priority': is missing: a chain with a hook has one)",
      chain { table = "t", name = "c", type = "nat", hook = "input" })
    assert.equal("(option 'operations[1].hook': the family arp has the hooks input and output)",
      chain { family = "arp", table = "t", name = "c", type = "filter", hook = "forward", priority = 0 })
    for _, wrong in ipairs { "first", "filter+", "filter+x", "filter 5", "filter+-5", 1.5, 1 << 40, true } do
      assert.equal(("(option 'operations[1].priority': '%s' is no priority; expected an integer or raw, mangle, "
        .. "dstnat, filter, security, srcnat, with an offset as in 'dstnat+10')"):format(tostring(wrong)),
        chain { table = "t", name = "c", type = "nat", hook = "input", priority = wrong })
    end
  end)

  it("checks the options of sets and maps", function()
    local set = { family = FAMILY, table = NAME, name = NAME }
    check("delete", "set", set, { table = "t", name = "s" })
    check("flush", "map", set, { table = "t", name = "s" })
    set.key = { "any" }
    set.flags = { "flags", names = { "constant", "interval", "timeout" } }
    set.timeout = { "number" }
    set.size = { "integer", min = 1, max = 2147483647 }
    check("add", "set", set, { table = "t", name = "s", key = "mark" })
    set.data = { "any" }
    check("add", "map", set, { table = "t", name = "s", key = "mark", data = "mark" })
  end)

  it("checks the types of sets and maps", function()
    local s <close> = nft.socket()
    local function set(o)
      o.table, o.name = "t", o.name or "s"
      return refused(s, operation("add", o.data and "map" or "set", o))
    end
    local types = "expected ipv4_addr, ipv6_addr, inet_proto, inet_service, mark or ifname"
    assert.equal("(option 'operations[1].key': is missing)", set {})
    assert.equal("(option 'operations[1].key': unknown type 'port'; " .. types .. ")", set { key = "port" })
    assert.equal("(option 'operations[1].key': unknown type ''; " .. types .. ")", set { key = {} })
    assert.equal("(option 'operations[1].key': unknown type 'verdict'; " .. types .. ")", set { key = "verdict" })
    assert.equal("(option 'operations[1].key': has more than 5 types)", set { key = ("mark,"):rep(5) .. "mark" })
    assert.equal("(option 'operations[1].key': string or list of strings expected, got number)", set { key = 1 })
    assert.equal("(option 'operations[1].key': [2]: string expected, got number)", set { key = { "mark", 1 } })
    assert.equal("(option 'operations[1].data': unknown type 'x'; " .. types .. ")", set { key = "mark", data = "x" })
    assert.equal("(option 'operations[1].flags': a key with ifname has no intervals)",
      set { key = "ifname", flags = "interval" })
    assert.equal("(option 'operations[1].name': '__set%d' has a '@' or '%' in it)",
      set { key = "mark", name = "__set%d" })
  end)

  it("checks the options of elements", function()
    check("add", "element", { family = FAMILY, table = NAME, set = NAME, elements = { "table", required = true } },
      { table = "t", set = "s", elements = {} })
  end)

  it("checks elements", function()
    check_element("': '10.0.0.300' is not an IPv4 address, prefix or range", { key = "ipv4_addr" }, "10.0.0.300")
    check_element("': contains a zero byte", { key = "ipv4_addr" }, "10.0.0.1\0")
    check_element("': 'fd00::x' is not an IPv6 address, prefix or range", { key = "ipv6_addr" }, "fd00::x")
    check_element("': '65536' is not a port (0 to 65535) or a range of ports", { key = "inet_service" }, 65536)
    check_element("': '1.5' is not a port (0 to 65535) or a range of ports", { key = "inet_service" }, 1.5)
    check_element("': '90-80' is not a port (0 to 65535) or a range of ports", { key = "inet_service" }, "90-80")
    check_element("': 'tpc' is not a protocol (tcp, udp, icmp, icmpv6, … or 0 to 255)", { key = "inet_proto" }, "tpc")
    check_element("': '-1' is not a mark (0 to 4294967295), or mark/mask", { key = "mark" }, -1)
    check_element("': 'veth123456789012' is 16 bytes long; at most 15 are allowed", { key = "ifname" },
      "veth123456789012")
    check_element("': a mark (0 to 4294967295), or mark/mask expected, got boolean", { key = "mark" }, true)
    check_element("': a prefix or range needs a set with flags = 'interval', and is no data", { key = "ipv4_addr" },
      "10.0.0.0/8")
    check_element("': a prefix or range needs a set with flags = 'interval', and is no data",
      { key = "inet_service", data = "inet_service", flags = "interval" }, { "1-2", "1-2" })
    check_element("': a mask or '*' has no place in a set", { key = "ifname" }, "br*")
    check_element("': has 1 values; 's' takes 2 for the key and 0 for the data", { key = "mark,mark" }, 1)
    check_element("': has 3 values; 's' takes 1 for the key and 1 for the data", { key = "mark", data = "mark" },
      { 1, 2, 3 })
    check_element("': has 1 values; 's' takes 1 for the key and 1 for the data", { key = "mark", data = "mark" }, { 1 })
    check_element("': has 2 values; 's' takes 2 for the key and 1 for the data", { key = "mark,mark", data = "mark" },
      { 1, 2 }, "create")
    check_element("': only a new element has a timeout or comment", { key = "mark" }, { 1, timeout = 5 }, "delete")
    local s <close> = nft.socket()
    local function element(o, verdict)
      return refused(s, { "add", "map", table = "t", name = "s", key = "mark", data = "verdict" },
        { "add", "element", table = "t", set = "s", elements = { o or { 1, verdict } } })
    end
    assert.equal("(unknown option 'operations[2].elements[1].timeou'; did you mean 'timeout'?)",
      element { 1, "drop", timeou = 1 })
    assert.equal("(option 'operations[2].elements[1].comment': is empty)", element { 1, "drop", comment = "" })
    for _, wrong in ipairs { "allow", "jump", "jump ", "goto", "" } do
      assert.equal(("(option 'operations[2].elements': '%s' is no verdict; expected 'accept', 'drop', 'return', "
        .. "'jump CHAIN' or 'goto CHAIN')"):format(wrong), element(nil, wrong))
    end
  end)

  it("checks the options of rules", function()
    local rule = { family = FAMILY, table = NAME, chain = NAME }
    rule.handle = { "integer", required = true }
    check("delete", "rule", rule, { table = "t", chain = "c", handle = 1 })
    rule.handle = nil
    rule.position = { "integer" }
    rule.comment = { "string", min = 1, max = 127 }
    rule.nfproto = { "enum", names = { "ipv4", "ipv6" } }
    rule.set_mark = { "integer", min = 0, max = 4294967295 }
    rule.snat, rule.dnat = { "table" }, { "table" }
    for _, name in ipairs { "iifname", "oifname", "saddr", "daddr", "saddr_type", "daddr_type", "protocol",
      "sport", "dport", "ct_state", "ct_status", "mark", "counter", "log", "masquerade", "redirect",
      "reject", "verdict" } do
      rule[name] = { "any" }
    end
    check("add", "rule", rule, { table = "t", chain = "c" })
  end)

  it("checks matches", function()
    check_rule("iifname': 'veth123456789012' is 16 bytes long; at most 15 are allowed",
      { iifname = "veth123456789012" })
    check_rule("iifname': no value in the list", { iifname = {} })
    check_rule("iifname': no value in the list", { iifname = { "!=" } })
    check_rule("iifname': a list of values has no key 'no'", { iifname = { "a", no = 1 } })
    check_rule("oifname': a mask or '*' has no place in a list", { oifname = { "a", "b*" } })
    check_rule("saddr': '10.0.0.0/33' is not an IPv4 address, prefix or range", { saddr = "10.0.0.0/33" })
    check_rule("saddr': address, prefix, range or a list of them expected, got number", { saddr = 10 })
    check_rule("saddr': IPv6 in a rule that is about IPv4", { saddr = { "10.0.0.1", "::1" } })
    check_rule("daddr': IPv4 in a rule that is about IPv6", { saddr = "::1", daddr = "10.0.0.1" })
    check_rule("daddr': IPv6 in a table of family ip", { family = "ip", daddr = "::1" })
    check_rule("nfproto': IPv4 in a table of family ip6", { family = "ip6", nfproto = "ipv4" })
    check_rule("nfproto': IPv4 in a table of family arp", { family = "arp", nfproto = "ipv4" })
    check_rule("nfproto': is missing: a set of addresses is of ipv4 or of ipv6", { saddr = "@lan" })
    check_rule("saddr': a set's name is 1 to 255 bytes long", { saddr = "@" })
    check_rule("saddr': contains a zero byte", { nfproto = "ipv4", saddr = "@lan\0" })
    check_rule("iifname': contains a zero byte", { iifname = "eth0\0" })
    check_rule("verdict': contains a zero byte", { verdict = "accept\0" })
    check_rule("ct_state': contains a zero byte", { ct_state = "new\0" })
    check_rule("daddr_type': one word expected, got 'local,unicast'", { daddr_type = "local,unicast" })
    check_rule("daddr_type': unknown value 'lokal'; did you mean 'local'?", { daddr_type = "lokal" })
    check_rule("ct_state': unknown value 'newt'; did you mean 'new'?", { ct_state = "newt" })
    check_rule("ct_state': string expected, got number", { ct_state = 1 })
    check_rule("ct_status': one string of words expected, got a list", { ct_status = { "dnat", "snat" } })
    check_rule("protocol': '256' is not a protocol (tcp, udp, icmp, icmpv6, … or 0 to 255)", { protocol = 256 })
    for _, protocol in ipairs { "icmp", { "tcp", "icmp" }, { "!=", "tcp" } } do
      check_rule("dport': a port needs 'protocol' to be tcp, udp, sctp, dccp or udplite",
        { protocol = protocol, dport = 1 })
    end
    check_rule("sport': a port needs 'protocol' to be tcp, udp, sctp, dccp or udplite", { sport = 1 })
    check_rule("mark': '1-2' is not a mark (0 to 4294967295), or mark/mask", { mark = "1-2" })
  end)

  it("checks statements", function()
    check_rule("counter': true or table expected, got number", { counter = 1 })
    check_rule("counter.packets': integer expected, got string", { counter = { packets = "x" } })
    check_rule("log.prefix': is empty", { log = { prefix = "" } })
    check_rule("log.group': a message goes to the kernel's log with a level or to a group, not both",
      { log = { level = "info", group = 1 } })
    check_rule("verdict': the rule ends with 'masquerade' already", { masquerade = true, verdict = "accept" })
    check_rule("verdict': 'allow' is no verdict; expected 'accept', 'drop', 'return', 'jump CHAIN' or 'goto CHAIN'",
      { verdict = "allow" })
    check_rule("verdict': string or table expected, got number", { verdict = 1 })
    check_rule("reject': true or table expected, got string", { reject = "tcp reset" })
    check_rule("reject.with': a TCP reset answers protocol = 'tcp' only",
      { protocol = "udp", reject = { with = "tcp reset" } })
    check_rule("reject.with': IPv6 in a table of family ip", { family = "ip", reject = { with = "icmpv6 no-route" } })
    check_rule("reject.with': icmpx is for families that see both protocols",
      { family = "ip", reject = { with = "icmpx no-route" } })
  end)

  it("checks NAT", function()
    check_rule("snat.to': '10.0.0' is not an IPv4 address, prefix or range", { snat = { to = "10.0.0" } })
    check_rule("snat.to': a prefix is no address to rewrite to; write the range", { snat = { to = "10.0.0.0/24" } })
    check_rule("snat.to': a port needs 'protocol' to be tcp, udp, sctp, dccp or udplite",
      { snat = { to = "10.0.0.1:80" } })
    check_rule("snat.to': '' is not a port (0 to 65535) or a range of ports", { snat = { to = "10.0.0.1:" } })
    check_rule("snat.to': IPv6 in a table of family ip", { family = "ip", snat = { to = "[fd00::1]" } })
    check_rule("snat.flags': unknown value 'randomm'; did you mean 'random'?",
      { snat = { to = "10.0.0.1", flags = "randomm" } })
    check_rule("dnat': takes either 'to' or 'map'", { dnat = {} })
    check_rule("dnat': takes either 'to' or 'map'", { dnat = { to = "10.0.0.1", map = "m" } })
    check_rule("dnat.key': goes with 'map' only", { dnat = { to = "10.0.0.1", key = "mark" } })
    check_rule("dnat.key': is missing", { dnat = { map = "m" } })
    check_rule("masquerade.ports': a port needs 'protocol' to be tcp, udp, sctp, dccp or udplite",
      { masquerade = { ports = "1-2" } })
    check_rule("redirect.to': 'x' is not a port (0 to 65535) or a range of ports",
      { protocol = "tcp", redirect = { to = "x" } })
  end)

  it("checks lookups in maps", function()
    local function map(key, data)
      return { "add", data and "map" or "set", table = "t", name = "m", key = key, data = data }
    end
    local keys = "expected iifname, oifname, saddr, daddr, protocol, sport, dport or mark"
    check_rule("dnat.key': unknown key 'port'; " .. keys, { dnat = { map = "m", key = "port" } })
    check_rule("dnat.key': unknown key 'ct_state'; " .. keys, { dnat = { map = "m", key = "ct_state" } })
    check_rule("dnat.key': more than 5 names", { dnat = { map = "m", key = "mark,mark,mark,mark,mark,mark" } })
    check_rule("dnat.key': a port needs 'protocol' to be tcp, udp, sctp, dccp or udplite",
      { dnat = { map = "m", key = "dport" } })
    check_rule("dnat.key': is not what the key of map 'm' is made of", { dnat = { map = "m", key = "mark" } },
      map("inet_proto", "ipv4_addr"))
    check_rule("dnat.key': is not what the key of map 'm' is made of", { dnat = { map = "m", key = "mark,protocol" } },
      map("mark", "ipv4_addr"))
    check_rule("dnat.key': 'm' is a set, not a map", { dnat = { map = "m", key = "mark" } }, map("mark"))
    check_rule("dnat.map': the data of map 'm' is not an address, or an address and a port",
      { dnat = { map = "m", key = "mark" } }, map("mark", "verdict"))
    check_rule("dnat.map': the data of map 'm' is not an address, or an address and a port",
      { dnat = { map = "m", key = "mark" } }, map("mark", "ipv4_addr,mark"))
    check_rule("dnat.key': IPv6 in a rule that is about IPv4",
      { saddr = "10.0.0.1", dnat = { map = "m", key = "daddr" } }, map("ipv6_addr", "ipv6_addr"))
    check_rule("verdict.map': the data of map 'm' is no verdict", { verdict = { map = "m", key = "mark" } },
      map("mark", "mark"))
  end)

  it("checks the options of listing", function()
    local s <close> = nft.socket()
    local METHOD = { arg = 2 }
    local function list(method)
      return function(o) return s[method](s, o) end
    end
    badargs.check(list "tables", { family = FAMILY }, {}, METHOD)
    badargs.check(list "chains", { family = FAMILY, table = { "string", min = 1, max = 255 } }, {}, METHOD)
    badargs.check(list "sets", { family = FAMILY, table = { "string", min = 1, max = 255 } }, {}, METHOD)
    badargs.check(list "rules", { family = FAMILY, table = { "string", min = 1, max = 255 },
      chain = { "string", min = 1, max = 255 } }, {}, METHOD)
    badargs.check(list "elements", { family = FAMILY, table = NAME, set = NAME }, { table = "t", set = "s" }, METHOD)
  end)
end)
