local net = require "luabox.sys.net"
local badargs = require "badargs"

-- The sentence that a call is refused with, without "bad argument #1 to 'f'".
local function refusal(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("string", type(message), tostring(message))
  return message:match("bad argument #1 to '[^']*' %((.*)%)$") or message
end

local INT32, UINT32 = 0x7fffffff, 0xffffffff
local FAMILY = { "enum", names = { "inet", "inet6" } }
local SCOPE = { "enum", names = { "global", "site", "link", "host", "nowhere" } }

-- Options whose values are read by net itself: a wrong value → what is said of it.
local NAME_TOO_LONG = "link name 'abcdefghijklmnop' is 16 bytes long; at most 15 are allowed"
local NAME = {
  { 1, "link name expected, got number" }, { "abcdefghijklmnop", NAME_TOO_LONG }, { "", "link name '' is empty" },
  { "a/b", "link name 'a/b' contains '/'" }, { "a b", "link name 'a b' contains white space" },
  { "a:b", "link name 'a:b' contains ':'" }, { "v%d", "link name 'v%d' contains '%'" },
  { "..", "link name '..' is a directory's name" }, { "a\0b", "contains a zero byte" },
}
local REF = {
  { true, "link name or index expected, got boolean" }, { 0, "a link's index is an integer from 1 to 2147483647" },
  { 1.5, "a link's index is an integer from 1 to 2147483647" }, { "abcdefghijklmnop", NAME_TOO_LONG },
}
local MAC = {
  { 1, "MAC address expected, got number" },
  { "02:00:00:00:00", "'02:00:00:00:00' is no MAC address (six bytes in hexadecimal, 02:00:00:00:00:01)" },
}
local PREFIX = {
  { 1, "address expected, got number" }, { "10.0.0.256", "'10.0.0.256' is no IPv4 or IPv6 address" },
  { "10.0.0.1/33", "'10.0.0.1/33' has no prefix length from 0 to 32 after its '/'" },
  { "fd00::1/129", "'fd00::1/129' has no prefix length from 0 to 128 after its '/'" },
}
local HOST = {
  { 1, "address expected, got number" },
  { "10.0.0.1/24", "'10.0.0.1/24': an address without prefix length is expected" },
}
local TABLE = {
  { true, "a routing table is 'main', 'local', 'default' or a number from 1 to 4294967295" },
  { "mian", "a routing table is 'main', 'local', 'default' or a number from 1 to 4294967295" },
  { 0, "a routing table is 'main', 'local', 'default' or a number from 1 to 4294967295" },
}

local function with(valid, name, value)
  local t = {}
  for k, v in pairs(valid) do t[k] = v end
  t[name] = value
  return t
end

local function check_values(f, valid, name, cases)
  for _, case in ipairs(cases) do
    assert.equal(("option '%s': %s"):format(name, case[2]), refusal(f, with(valid, name, case[1])))
  end
end

-- The options that every kind of link has, in both directions.
local COMMON = {
  kind = { "any" }, mtu = { "int", min = 1, max = INT32 }, address = { "any" }, group = { "int", min = 0, max = INT32 },
  up = { "bool" }, arp = { "bool" }, multicast = { "bool" }, allmulticast = { "bool" }, promiscuous = { "bool" },
  netns = { "fd" }, alias = { "string", max = 255 }, tx_queue_length = { "int", min = 0, max = INT32 },
  addrgenmode = { "enum", names = { "eui64", "none", "stable_secret", "random" } }, ipv4 = { "any" },
  hairpin = { "bool" }, isolated = { "bool" }, port_learning = { "bool" }, flood = { "bool" },
  multicast_flood = { "bool" }, broadcast_flood = { "bool" }, bpdu_guard = { "bool" }, fast_leave = { "bool" },
  neigh_suppress = { "bool" }, port_priority = { "int", min = 0, max = 63 }, port_cost = { "int", min = 1,
    max = 65535 },
  name = { "any" }, index = { "int", min = 1, max = INT32 }, master = { "any" },
}

local function spec_of(...)
  local spec = {}
  for _, part in ipairs { COMMON, ... } do
    for name, description in pairs(part) do spec[name] = description end
  end
  return spec
end

local ADD = {
  name = { "any", required = true }, tx_queues = { "int", min = 1, max = 4096 }, rx_queues = { "int", min = 1,
    max = 4096 },
}

describe("luabox.sys.net, refusing", function()
  it("options of new links", function()
    local bridge = {
      stp = { "bool" }, vlan_filtering = { "bool" }, multicast_snooping = { "bool" },
      forward_delay = { "number", min = 0, max = 1000000 }, hello_time = { "number", min = 0, max = 1000000 },
      max_age = { "number", min = 0, max = 1000000 }, ageing_time = { "number", min = 0, max = 1000000 },
      priority = { "int", min = 0, max = 65535 },
    }
    badargs.check(net.link_add, spec_of(ADD, bridge), { kind = "bridge", name = "br0" })
    badargs.check(net.link_add, spec_of(ADD), { kind = "dummy", name = "d0" })
    badargs.check(net.link_add, spec_of(ADD, { peer = { "any", required = true } }),
      { kind = "veth", name = "v0", peer = { name = "v1" } })
    badargs.check(net.link_add, spec_of(ADD, {
      link = { "any", required = true }, mode = { "enum", names = { "private", "vepa", "bridge", "passthru",
        "source" } },
    }), { kind = "macvlan", name = "m0", link = 1 })
    badargs.check(net.link_add, spec_of(ADD, {
      link = { "any", required = true }, mode = { "enum", names = { "l2", "l3", "l3s" } },
    }), { kind = "ipvlan", name = "i0", link = 1 })
    badargs.check(net.link_add, spec_of(ADD, {
      link = { "any", required = true }, id = { "int", min = 1, max = 4094, required = true },
      protocol = { "enum", names = { "802.1Q", "802.1ad" } },
    }), { kind = "vlan", name = "v.1", link = 1, id = 1 })
    badargs.check(net.link_add, spec_of(ADD, {
      link = { "any" }, id = { "int", min = 0, max = 0xffffff, required = true }, remote = { "any" },
        ["local"] = { "any" },
      port = { "int", min = 1, max = 65535 }, learning = { "bool" }, ttl = { "int", min = 0, max = 255 },
    }), { kind = "vxlan", name = "vx0", id = 1 })
  end)

  it("kinds", function()
    local all = "'bridge', 'dummy', 'ipvlan', 'macvlan', 'veth', 'vlan', 'vxlan'"
    assert.equal("option 'kind' is missing", refusal(net.link_add, { name = "v0" }))
    assert.equal("option 'kind': string expected, got number", refusal(net.link_add, { kind = 1, name = "v0" }))
    assert.equal("option 'kind': unknown value 'vethh'; did you mean 'veth'?", refusal(net.link_add,
      { kind = "vethh" }))
    assert.equal("option 'kind': unknown value 'tunnel'; expected one of " .. all,
      refusal(net.link_add, { kind = "tunnel" }))
    assert.match("unknown option 'stp'", refusal(net.link_add, { kind = "dummy", name = "d0", stp = true }), 1, true)
  end)

  it("names, indexes and addresses of links", function()
    local bridge, vxlan = { kind = "bridge", name = "br0" }, { kind = "vxlan", name = "vx0", id = 1 }
    check_values(net.link_add, bridge, "name", NAME)
    check_values(net.link_add, bridge, "master", REF)
    check_values(net.link_add, bridge, "address", MAC)
    check_values(net.link_add, vxlan, "link", REF)
    check_values(net.link_add, vxlan, "remote", HOST)
    check_values(net.link_add, vxlan, "local", HOST)
    check_values(net.link_set, { name = "br0" }, "rename", NAME)
    check_values(net.link_set, { name = "br0" }, "master", { { true, "link name or index expected, got boolean" },
      REF[2] })
  end)

  it("the peer of a veth", function()
    local function veth(peer) return { kind = "veth", name = "v0", peer = peer } end
    local function misfit(peer) return refusal(net.link_add, veth(peer)) end
    assert.equal("option 'peer' is missing", misfit(nil))
    assert.equal("option 'peer': table expected, got string", misfit "v1")
    assert.equal("option 'peer.name' is missing", misfit {})
    assert.equal("unknown option 'peer.nam'; did you mean 'name'?", misfit { nam = "v1" })
    assert.equal("option 'peer.name': " .. NAME_TOO_LONG, misfit { name = "abcdefghijklmnop" })
    assert.equal("option 'peer.mtu': 0 is out of range (1 to 2147483647)", misfit { name = "v1", mtu = 0 })
    assert.equal("option 'peer.netns': handle, io file or descriptor number expected, got string",
      misfit { name = "v1", netns = "x" })
    assert.equal("option 'peer.index': needs 'index' too: the kernel ignores it otherwise",
      misfit { name = "v1", index = 5 })
    assert.match("unknown option 'peer.up'", misfit { name = "v1", up = true }, 1, true)
  end)

  it("settings of IPv4", function()
    local function misfit(ipv4) return refusal(net.link_set, { name = "lo", ipv4 = ipv4 }) end
    assert.equal("option 'ipv4': table expected, got boolean", misfit(true))
    assert.equal("option 'ipv4': unknown value 'rp_filte'; did you mean 'rp_filter'?", misfit { rp_filte = 1 })
    assert.equal("option 'ipv4': unknown setting ''", misfit { [""] = 1 })
    assert.equal("option 'ipv4': names of settings are strings, got a number key", misfit { 1 })
    assert.equal("option 'ipv4.rp_filter': integer or boolean expected, got string", misfit { rp_filter = "1" })
    assert.equal("option 'ipv4.rp_filter': -1 is out of range (0 to 2147483647)", misfit { rp_filter = -1 })
  end)

  it("what only a link that is there can take, of one born elsewhere", function()
    local file <close> = assert(io.open "/proc/self/ns/net")
    local function born(o)
      o.kind, o.name, o.netns = "dummy", "d0", file
      return refusal(net.link_add, o)
    end
    local sentence = "alias, addrgenmode, ipv4 and a port's options are set on a link that is there: "
      .. "use link_set in its network namespace"
    assert.equal(sentence, born { addrgenmode = "none" })
    assert.equal(sentence, born { ipv4 = { forwarding = 1 } })
    assert.equal(sentence, born { hairpin = true })
    assert.equal(sentence, born { alias = "x" })
    assert.equal("option 'master': with netns it is an index in that network namespace", born { master = "br0" })
  end)

  it("changes of links", function()
    badargs.check(net.link_set, spec_of { rename = { "any" }, force = { "bool" } }, { name = "lo" })
    assert.equal("option 'name' or 'index' is missing", refusal(net.link_set, { up = true }))
    assert.equal("give the link's 'name' or its 'index', not both", refusal(net.link_set, { name = "lo", index = 1 }))
    assert.match("unknown option 'stp'", refusal(net.link_set, { name = "br0", stp = true }), 1, true)
    assert.match("unknown option 'id'", refusal(net.link_set, { name = "v.1", kind = "vlan", id = 2 }), 1, true)
    local file <close> = assert(io.open "/proc/self/ns/net")
    assert.equal("option 'netns': a link that moves away is no port of a bridge any more",
      refusal(net.link_set, { name = "v0", netns = file, isolated = true }))
  end)

  it("links to delete or to look at", function()
    assert.equal("link name or index expected, got nil", refusal(net.link_delete, nil))
    assert.equal(NAME_TOO_LONG, refusal(net.link_delete, "abcdefghijklmnop"))
    assert.equal("a link's index is at least 1", refusal(net.link_delete, 0))
    assert.equal("contains a zero byte", refusal(net.link, "a\0b"))
    assert.equal("link name or index expected, got boolean", refusal(net.link, true))
    assert.equal("option 'group' is missing", refusal(net.link_delete, {}))
    assert.equal("option 'group': 0 is out of range (1 to 2147483647)", refusal(net.link_delete, { group = 0 }))
    assert.equal("option 'group': integer expected, got string", refusal(net.link_delete, { group = "1" }))
    badargs.check(net.links, { kind = { "enum", names = { "bridge", "dummy", "ipvlan", "macvlan", "veth", "vlan",
      "vxlan" } },
      master = { "any" }, group = { "int", min = 0, max = INT32 } }, {})
    check_values(net.links, {}, "master", REF)
  end)

  it("addresses", function()
    local valid = { link = "lo", address = "10.0.0.1/32" }
    for _, f in ipairs { net.address_add, net.address_delete } do
      badargs.check(f, {
        link = { "any", required = true }, address = { "any", required = true }, peer = { "any" },
          broadcast = { "any" },
        label = { "string", min = 1, max = 15 }, scope = SCOPE,
        noprefixroute = { "bool" }, nodad = { "bool" }, replace = { "bool" },
      }, valid)
      check_values(f, valid, "link", REF)
      check_values(f, valid, "address", PREFIX)
      check_values(f, valid, "peer", PREFIX)
      check_values(f, valid, "broadcast", HOST)
    end
    local function misfit(o) return refusal(net.address_add, o) end
    assert.equal("option 'peer': is not of the family of 'address'",
      misfit { link = 1, address = "10.0.0.1", peer = "fd00::1" })
    assert.equal("option 'broadcast': IPv6 has no broadcast addresses",
      misfit { link = 1, address = "fd00::1/64", broadcast = "+" })
    assert.equal("option 'label': IPv6 addresses have no label", misfit { link = 1, address = "fd00::1/64",
      label = "x" })
    assert.equal("option 'nodad': duplicate address detection is IPv6's",
      misfit { link = 1, address = "10.0.0.1/24", nodad = true })
    assert.equal("option 'address': with 'peer', the prefix length is the peer's",
      misfit { link = 1, address = "10.0.0.1/24", peer = "10.0.0.2/32" })
  end)

  it("routes", function()
    local valid = { destination = "10.0.0.0/8", link = "lo" }
    for _, f in ipairs { net.route_add, net.route_delete } do
      badargs.check(f, {
        destination = { "any", required = true }, gateway = { "any" }, link = { "any" }, onlink = { "bool" },
          source = { "any" },
        table = { "any" }, metric = { "int", min = 0, max = UINT32 }, mtu = { "int", min = 68, max = INT32 },
        scope = SCOPE,
        type = { "enum", names = { "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable",
          "prohibit", "throw" } },
        protocol = { "enum", names = { "unspec", "redirect", "kernel", "boot", "static", "ra", "dhcp" } },
        replace = { "bool" }, family = FAMILY, nexthops = { "any" },
      }, valid)
      check_values(f, valid, "destination", PREFIX)
      check_values(f, valid, "gateway", HOST)
      check_values(f, valid, "source", HOST)
      check_values(f, valid, "link", REF)
      check_values(f, valid, "table", TABLE)
    end
    local function misfit(o)
      o.destination = o.destination or "default"
      return refusal(net.route_add, o)
    end
    assert.equal("option 'family': is not that of 'destination'", misfit { destination = "10.0.0.0/8",
      family = "inet6" })
    assert.equal("option 'source': is not of the family of the destination",
      misfit { destination = "10.0.0.0/8", source = "fd00::1" })
    assert.equal("option 'gateway': an IPv6 route cannot go over an IPv4 neighbour",
      misfit { destination = "fd00::/8", gateway = "10.0.0.1" })
    assert.equal("option 'onlink': needs 'link'", misfit { gateway = "10.0.0.1", onlink = true })
    assert.equal("option 'nexthops': stands instead of 'gateway' and 'link'", misfit { link = 1,
      nexthops = { { link = 1 } } })
    assert.equal("option 'nexthops': table expected, got string", misfit { nexthops = "x" })
    assert.equal("option 'nexthops': is a list of 1 to 64 hops", misfit { nexthops = {} })
    assert.equal("option 'nexthops[1]': table expected, got number", misfit { nexthops = { 1 } })
    assert.equal("option 'nexthops[2]': needs a 'gateway' or a 'link'", misfit { nexthops = { { link = 1 }, {} } })
    assert.equal("option 'nexthops[1].weight': 257 is out of range (1 to 256)",
      misfit { nexthops = { { link = 1, weight = 257 } } })
    badargs.check(net.routes, { table = { "any" }, link = { "any" }, family = FAMILY }, {})
    check_values(net.routes, {}, "table", TABLE)
  end)

  it("rules", function()
    local valid = { from = "10.0.0.0/8", table = 100 }
    for _, f in ipairs { net.rule_add, net.rule_delete } do
      badargs.check(f, {
        priority = { "int", min = 0, max = UINT32 }, from = { "any" }, to = { "any" }, iif = { "any" }, oif = { "any" },
        fwmark = { "int", min = 0, max = UINT32 }, fwmask = { "int", min = 0, max = UINT32 }, table = { "any" },
        action = { "enum", names = { "lookup", "blackhole", "unreachable", "prohibit" } }, invert = { "bool" },
        family = FAMILY,
      }, valid)
      check_values(f, valid, "from", PREFIX)
      check_values(f, valid, "to", PREFIX)
      check_values(f, valid, "iif", NAME)
      check_values(f, valid, "oif", NAME)
      check_values(f, valid, "table", TABLE)
      assert.equal("option 'to': is not of the rule's family", refusal(f, with(valid, "to", "fd00::/8")))
    end
    assert.equal("option 'table' is missing", refusal(net.rule_add, { priority = 100 }))
    assert.equal("one option at least says which rule", refusal(net.rule_delete, {}))
    badargs.check(net.rules, { family = FAMILY }, {})
  end)

  it("neighbours", function()
    local valid = { link = "lo", address = "10.0.0.1", lladdr = "02:00:00:00:00:01" }
    for _, f in ipairs { net.neighbour_add, net.neighbour_delete } do
      badargs.check(f, {
        link = { "any", required = true }, address = { "any", required = true }, lladdr = { "any" },
        state = { "enum", names = { "permanent", "reachable", "stale", "noarp", "delay", "probe", "failed",
          "incomplete", "none" } },
        proxy = { "bool" }, replace = { "bool" },
      }, valid)
      check_values(f, valid, "link", REF)
      check_values(f, valid, "address", HOST)
      check_values(f, valid, "lladdr", MAC)
    end
    assert.equal("option 'lladdr' is missing", refusal(net.neighbour_add, { link = "lo", address = "10.0.0.1" }))
    badargs.check(net.neighbours, { link = { "any" }, proxy = { "bool" }, family = FAMILY }, {})
  end)
end)

describe("luabox.sys.net.socket", function()
  it("is a handle", function()
    local s = net.socket()
    assert.match("^luabox%.netlink %(%d+%)$", tostring(s))
    assert.is_true(s:fileno() > 2)
    s:close()
    s:close()
    assert.equal("luabox.netlink (closed)", tostring(s))
    assert.match("attempt to use a closed luabox.netlink", select(2, pcall(s.links, s)), 1, true)
  end)

  it("refuses what is no namespace", function()
    assert.match("handle, io file or descriptor number expected, got string", refusal(net.socket, "x"), 1, true)
  end)

  it("has every function of the module", function()
    local s <close> = net.socket()
    for name in pairs(net) do
      if name ~= "socket" then assert.equal("function", type(s[name]), name) end
    end
  end)

  it("has batches, with the changes only", function()
    local s <close> = net.socket()
    local b = s:batch()
    assert.equal("luabox.netlink.batch (0 messages)", tostring(b))
    assert.is_nil(b.links)
    for name in pairs(net) do
      if name:match("_add$") or name:match("_delete$") or name == "link_set" then assert.equal("function",
        type(b[name])) end
    end
    assert.equal(b, b:link_set { index = 1, up = true })
    assert.equal(1, #b)
    local ok, message = pcall(b.link_add, b, { kind = "dummy", name = "d0", addrgenmode = "none" })
    assert.is_false(ok)
    assert.match("use link_set behind it in the batch", message, 1, true)
    assert.equal(1, #b)
  end)

  it("is closed with its batches", function()
    local s = net.socket()
    local b = s:batch():link_set { index = 1, up = true }
    s:close()
    assert.equal("the luabox.netlink of this batch is closed", select(2, pcall(b.send, b)))
  end)
end)
