local leaks = require "leaks"
local luabox = require "luabox"
local sentences = require "sentences"

local LONG = ("x"):rep(64)
local NAME = "is not a name: letters, digits, '_', '.' and '-', the last two not at the start"

-- Asserts that luabox.network refuses each { options, sentence }; name and subnet are given unless a case has them.
local function refuses(cases)
  for _, case in ipairs(cases) do
    case[1].name = case[1].name or "lan"
    case[1].subnet = case[1].subnet or "10.1.0.0/24"
  end
  sentences.check(luabox.network, "network", cases)
end

local function of(name, list)
  for _, pair in ipairs(list) do
    refuses { { { [name] = pair[1] }, ("option '%s%s': %s"):format(name, pair[3] or "", pair[2]) } }
  end
end

describe("luabox.network", function()
  local before

  before_each(function() before = leaks.snapshot() end)
  after_each(function() assert.same({}, leaks.difference(before, leaks.snapshot())) end)

  it("touches nothing", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24", nat = true, mtu = 1400 }
    lan:endpoint { name = "a" }
    assert.same({}, leaks.difference(before, leaks.snapshot()))
  end)

  it("wants a table of options that it knows", function()
    assert.equal("#1 to 'network' (table expected, got no value)", sentences.refusal(luabox.network))
    assert.equal("#1 to 'network' (option 'name' is missing)", sentences.refusal(luabox.network, { nat = true }))
    refuses { { { gatway = true }, "unknown option 'gatway'; did you mean 'gateway'?" } }
  end)

  it("checks its name", function()
    of("name", { { 1, "string expected, got number" }, { "", "is empty" }, { "a b", "'a b' " .. NAME },
      { "-a", "'-a' " .. NAME }, { LONG, ("'%s' is 64 bytes long; at most 63 are allowed"):format(LONG) } })
  end)

  it("checks its subnets", function()
    local small = "%s is too small: the gateway and one member need two addresses"
    of("subnet", {
      { 1, "string or list expected, got number" }, { {}, "is empty" }, { { 1 }, "string expected, got number", "[1]" },
      { "lan", "'lan' is not a subnet, such as '10.0.0.0/24'" },
      { "10.0.0.0", "'10.0.0.0' has no prefix; write it as '10.0.0.0/24'" },
      { "10.0.0.0/33", "'10.0.0.0/33' has a prefix of more than 32 bits" },
      { "10.0.0.1/24", "'10.0.0.1/24' is an address within the subnet '10.0.0.0/24'" },
      { "10.0.0.0/32", small:format "10.0.0.0/32" }, { "fd00::/128", small:format "fd00::/128" },
      { { "10.0.0.0/24", "10.0.1.0/24" }, "two of IPv4; one of each version is allowed" },
      { { "10.0.0.0/24", "fd00::/64", "10.0.1.0/24" }, "has 3 entries; at most 2 are allowed" },
    })
  end)

  it("refuses subnets that are not for a LAN", function()
    local instead = "; take one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or fd00::/8"
    of("subnet", {
      { "0.0.0.0/0", "0.0.0.0/0 overlaps 0.0.0.0/8, which stands for no address" .. instead },
      { "127.1.0.0/16", "127.1.0.0/16 overlaps 127.0.0.0/8, which is every machine's own loopback" .. instead },
      { "224.0.0.0/24", "224.0.0.0/24 overlaps 224.0.0.0/3, which is multicast or reserved" .. instead },
      { "::/64", "::/64 overlaps ::/96, which holds the loopback and no address" .. instead },
      { "fe80::/64", "fe80::/64 overlaps fe80::/10, which is link-local: each link has it already" .. instead },
      { "ff02::/64", "ff02::/64 overlaps ff00::/8, which is multicast" .. instead },
    })
  end)

  it("checks its gateway", function()
    of("gateway", {
      { 1, "boolean or string expected, got number" }, { "x", "'x' is not an address" },
      { "10.1.0.1/24", "'10.1.0.1/24' has a prefix; only the address '10.1.0.1' belongs here" },
      { "10.2.0.1", "10.2.0.1 is not in the subnet 10.1.0.0/24" },
      { "fd00::1", "fd00::1 is not in the subnet 10.1.0.0/24" },
      { "10.1.0.0", "10.1.0.0 is the address of the subnet itself" },
      { "10.1.0.255", "10.1.0.255 is the broadcast address of 10.1.0.0/24" },
    })
    of("nat", { { 1, "boolean expected, got number" } })
    refuses { { { nat = true, gateway = false }, "option 'gateway': false contradicts nat, which goes through it" } }
  end)

  it("checks its mtu", function()
    of("mtu", { { "x", "integer expected, got string" }, { 67, "67 is out of range (68 to 65535)" },
      { 65536, "65536 is out of range (68 to 65535)" }, { 1.5, "integer expected, got number" } })
    refuses { { { mtu = 1279, subnet = "fd00::/64" }, "option 'mtu': 1279 is too small for IPv6, which needs 1280" } }
  end)

  it("has methods that are called with a colon", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    for _, name in ipairs { "start", "endpoint", "publish", "delete", "close" } do
      assert.equal(("calling '%s' on bad self (luabox.network expected, got no value)"):format(name),
        sentences.refusal(lan[name]))
    end
  end)

  it("checks what to publish", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local other <close> = luabox.network { name = "other", subnet = "10.2.0.0/24" }
    local a, b = lan:endpoint { name = "a" }, other:endpoint { name = "b" }
    local function refused(...) return sentences.refusal(lan.publish, lan, ...) end
    assert.equal("#1 to 'publish' (luabox.endpoint expected, got no value)", refused())
    assert.equal("#1 to 'publish' (luabox.endpoint expected, got string)", refused "a")
    assert.equal("#1 to 'publish' ('b' is a member of network 'other', not of 'lan')", refused(b, { "80:80" }))
    assert.equal("#2 to 'publish' (list expected, got no value)", refused(a))
    assert.equal("#2 to 'publish' ('80:x': 'x' is neither a port nor a range of ports)", refused(a, { "80:x" }))
  end)
end)

describe("network:endpoint", function()
  local lan

  before_each(function() lan = luabox.network { name = "lan", subnet = { "10.1.0.0/30", "fd00:1::/64" } } end)
  after_each(function() lan:delete() end)

  local function refused(o)
    return sentences.refusal(lan.endpoint, lan, o)
  end

  local function option(name, sentence)
    return ("#1 to 'endpoint' (option '%s': %s)"):format(name, sentence)
  end

  it("checks its options", function()
    assert.equal("#1 to 'endpoint' (table expected, got no value)", refused())
    assert.equal("#1 to 'endpoint' (option 'name' is missing)", refused {})
    assert.equal("#1 to 'endpoint' (unknown option 'adress'; did you mean 'address'?)", refused { adress = "x" })
    assert.equal(option("name", "'a b' " .. NAME), refused { name = "a b" })
    assert.equal(option("name", "string expected, got number"), refused { name = 1 })
    assert.equal(option("address", "string or list expected, got number"), refused { name = "a", address = 1 })
    assert.equal(option("mac", "'x' is not a MAC address, such as '02:00:00:00:00:01'"),
      refused { name = "a", mac = "x" })
    assert.equal(option("default_route", "boolean expected, got number"), refused { name = "a", default_route = 1 })
    assert.equal(option("interface", "'an-interface-name' is 17 bytes long; at most 15 are allowed"),
      refused { name = "a", interface = "an-interface-name" })
    assert.equal(0, #lan.members)
  end)

  it("checks its routes, and takes nothing for wrong ones", function()
    local function route(to, via) return refused { name = "a", routes = { { to = to, via = via } } } end
    assert.equal(option("routes", "list expected, got string"), refused { name = "a", routes = "default" })
    assert.equal(option("routes[1]", "table expected, got string"), refused { name = "a", routes = { "x" } })
    assert.equal("#1 to 'endpoint' (option 'routes[1].to' is missing)", route(nil, "10.1.0.2"))
    assert.equal("#1 to 'endpoint' (option 'routes[1].via' is missing)", route "10.2.0.0/16")
    assert.equal(option("routes[1].to", "'x' is not a subnet, such as '10.0.0.0/24'"), route("x", "10.1.0.2"))
    assert.equal(option("routes[1].to", "'10.2.0.1/16' is an address within the subnet '10.2.0.0/16'"),
      route("10.2.0.1/16", "10.1.0.2"))
    assert.equal(option("routes[1].via", "'10.1.0.2/30' has a prefix; only the address '10.1.0.2' belongs here"),
      route("10.2.0.0/16", "10.1.0.2/30"))
    assert.equal(option("routes[1].via", "10.1.0.9 is not in the subnet 10.1.0.0/30; a gateway is a neighbour"),
      route("10.2.0.0/16", "10.1.0.9"))
    assert.equal(option("routes[1].via", "10.1.0.2 is no gateway to fd00:2::/64, which is IPv6"),
      route("fd00:2::/64", "10.1.0.2"))
    assert.equal(option("routes[1].to", "10.1.0.0/30 is the network's own subnet, which needs no gateway"),
      route("10.1.0.0/30", "10.1.0.2"))
    assert.equal(option("routes[1].via", "10.1.0.1 is the member's own address"), route("10.2.0.0/16", "10.1.0.1"))
    assert.equal(option("routes[2].to", "routes[1] leads to 10.2.0.0/16 already"), refused { name = "a", routes = {
      { to = "10.2.0.0/16", via = "10.1.0.2" }, { to = "10.2.0.0/16", via = "10.1.0.2" } } })
    local four <close> = luabox.network { name = "four", subnet = "10.4.0.0/24" }
    assert.equal(option("routes[1].to", "fd00:2::/64: network 'four' has no IPv6"),
      sentences.refusal(four.endpoint, four, { name = "a", routes = { { to = "fd00:2::/64", via = "fd00::1" } } }))
    assert.equal("10.1.0.1", lan:endpoint({ name = "b" }).address)
  end)

  it("gives a name and an address once", function()
    local a = lan:endpoint { name = "a", address = "10.1.0.1" }
    assert.equal(option("name", "'a' is in network 'lan' already; names in a network are unique"),
      refused { name = "a" })
    assert.equal(option("address", "10.1.0.1 is taken by a"), refused { name = "b", address = "10.1.0.1" })
    assert.equal(option("address", "the subnet 10.1.0.0/30 has no free address left; take a larger one"),
      refused { name = "b" })
    a:release()
    assert.equal("10.1.0.1", lan:endpoint({ name = "b" }).address)
  end)

  it("gives back what it took when a second address cannot be had", function()
    assert.equal(option("address", "fd00:2::1 is not in the subnet fd00:1::/64"),
      refused { name = "a", address = { "10.1.0.1", "fd00:2::1" } })
    assert.equal("10.1.0.1", lan:endpoint({ name = "b", address = "10.1.0.1" }).address)
  end)

  it("checks what to connect", function()
    local a = lan:endpoint { name = "a" }
    assert.equal("#1 to 'connect' (luabox.namespace expected, got no value)", sentences.refusal(a.connect, a))
    assert.equal("#1 to 'connect' (luabox.namespace expected, got string)", sentences.refusal(a.connect, a, "net"))
    assert.equal("calling 'connect' on bad self (luabox.endpoint expected, got no value)", sentences.refusal(a.connect))
    local here <close> = luabox.sys.namespace.open "net"
    assert.equal("#2 to 'connect' (1 is out of range (2 to 2147483647))", sentences.refusal(a.connect, a, here, 1))
  end)

  it("names a port of the switch after its member, if that is a name for a link", function()
    local function port(name) return lan:new_port(name).name end
    assert.equal("web", port "web")
    assert.equal("fifteen-bytes-x", port "fifteen-bytes-x")
    assert.equal("port5", port "sixteen-bytes-xx")
    assert.equal("port6", port "web")
    assert.equal("port7", port "port8")
    assert.equal("port8", port "switch")
    assert.equal("port9", port "lo")
  end)
end)
