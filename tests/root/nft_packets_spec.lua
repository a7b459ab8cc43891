-- What rules do to packets.
local lab = require "nat_lab"
local nft = require "luabox.sys.nft"

local T = { "create", "table", name = "t", owner = true }

local function chain(name, kind, hook, priority)
  return { "add", "chain", table = "t", name = name, type = kind, hook = hook, priority = priority }
end

local function rule(to, o)
  local operation = { "add", "rule", table = "t", chain = to }
  for name, value in pairs(o) do operation[name] = value end
  return operation
end

local function world_with(...)
  local world = lab.new()
  world.socket = nft.socket()
  world.socket:apply { T, ... }
  return world
end

describe("rules of luabox.sys.nft #root #nft", function()
  it("masquerade", function()
    local world <close> = world_with(chain("post", "nat", "postrouting", "srcnat"),
      rule("post", { saddr = "10.77.0.0/24", oifname = { "!=", "gw0" }, masquerade = true }),
      rule("post", { saddr = "fd77::/64", oifname = { "!=", "gw0" }, masquerade = true }))
    world:serve("out", "tcp:80", "udp:53")
    for _, kind in ipairs { "tcp", "udp" } do
      local port = kind == "tcp" and 80 or 53
      assert.equal("10.9.0.1", world:ask("c", kind, "10.9.0.2", port))
      assert.equal("fd09::1", world:ask("c", kind, "fd09::2", port))
    end
  end)

  it("rewrite the source to a given address and ports", function()
    local world <close> = world_with(chain("post", "nat", "postrouting", "srcnat"),
      rule("post", { oifname = "up0", protocol = "tcp", snat = { to = "10.9.0.77:2000-2009" } }),
      rule("post", { oifname = "up0", counter = true, snat = { to = "fd09::77" } }))
    lab.output "ip addr add 10.9.0.77/24 dev up0"
    lab.output "ip addr add fd09::77/64 dev up0 nodad"
    world:serve("out", "tcp:80")
    assert.equal("10.9.0.77", world:ask("c", "tcp", "10.9.0.2", 80))
    assert.is_truthy(lab.output("cat /proc/net/nf_conntrack"):find "dport=200%d")
    assert.equal("fd09::77", world:ask("c", "tcp", "fd09::2", 80))
  end)

  it("rewrite the destination by a map of address and port, arriving and own", function()
    local key, data = { "inet_proto", "ipv4_addr", "inet_service" }, { "ipv4_addr", "inet_service" }
    local key6, data6 = { "inet_proto", "ipv6_addr", "inet_service" }, { "ipv6_addr", "inet_service" }
    local world <close> = world_with(
      chain("pre", "nat", "prerouting", "dstnat"), chain("own", "nat", "output", "dstnat"),
      { "add", "map", table = "t", name = "v4", key = key, data = data },
      { "add", "map", table = "t", name = "v6", key = key6, data = data6 },
      { "add", "element", table = "t", set = "v4",
        elements = { { "tcp", "10.9.0.1", 8080, "10.77.0.2", 80 }, { "udp", "10.9.0.1", 53, "10.77.0.2", 5353 } } },
      { "add", "element", table = "t", set = "v6", elements = { { "tcp", "fd09::1", 8080, "fd77::2", 80 } } },
      rule("pre", { dnat = { map = "v4", key = "protocol,daddr,dport" } }),
      rule("pre", { dnat = { map = "v6", key = "protocol,daddr,dport" } }),
      rule("own", { dnat = { map = "v4", key = "protocol,daddr,dport" } }))
    world:serve("c", "tcp:80", "udp:5353")
    assert.equal("10.9.0.2", world:ask("out", "tcp", "10.9.0.1", 8080))
    assert.equal("10.9.0.2", world:ask("out", "udp", "10.9.0.1", 53))
    assert.equal("fd09::2", world:ask("out", "tcp", "fd09::1", 8080))
    assert.equal("10.9.0.1", world:ask(nil, "tcp", "10.9.0.1", 8080))
    assert.equal("ECONNREFUSED", world:ask(nil, "tcp", "10.77.0.1", 8080))
    world.socket:apply { { "delete", "element", table = "t", set = "v4", elements = { { "tcp", "10.9.0.1", 8080 } } } }
    assert.equal("ECONNREFUSED", world:ask("out", "tcp", "10.9.0.1", 8080))
  end)

  it("rewrite the destination to one address", function()
    local world <close> = world_with(chain("pre", "nat", "prerouting", "dstnat"),
      rule("pre", { iifname = "up0", protocol = "tcp", dport = 3033, dnat = { to = "10.77.0.2:3000" } }),
      rule("pre", { iifname = "up0", protocol = "tcp", dport = 3033, dnat = { to = "[fd77::2]:3000" } }))
    world:serve("c", "tcp:3000")
    assert.equal("10.9.0.2", world:ask("out", "tcp", "10.9.0.1", 3033))
    assert.equal("fd09::2", world:ask("out", "tcp", "fd09::1", 3033))
  end)

  it("redirect", function()
    local world <close> = world_with(chain("pre", "nat", "prerouting", "dstnat"),
      rule("pre", { iifname = "gw0", protocol = "tcp", dport = 80, redirect = { to = 3128 } }))
    world:serve(nil, "tcp:3128")
    assert.equal("10.77.0.2", world:ask("c", "tcp", "10.9.0.2", 80))
    assert.equal("fd77::2", world:ask("c", "tcp", "fd09::2", 80))
  end)

  it("reject, drop and count", function()
    local world <close> = world_with(chain("in", "filter", "input", "filter"),
      rule("in", { protocol = "tcp", dport = 1, counter = true, reject = { with = "tcp reset" } }),
      rule("in", { protocol = "tcp", dport = 2, reject = { with = "icmp host-unreachable" } }),
      rule("in", { protocol = "udp", dport = "3-4", reject = true }),
      rule("in", { protocol = "tcp", dport = { 5, 6 }, verdict = "drop" }),
      rule("in", { ct_state = "established,related", verdict = "accept" }),
      rule("in", { protocol = "tcp", dport = 7, saddr = { "!=", "10.9.0.0/24" }, verdict = "drop" }))
    world:serve(nil, "tcp:5", "tcp:7", "tcp:1", "udp:3")
    assert.equal("ECONNREFUSED", world:ask("out", "tcp", "10.9.0.1", 1))
    assert.equal("EHOSTUNREACH", world:ask("out", "tcp", "10.9.0.1", 2))
    assert.equal("ECONNREFUSED", world:ask("out", "udp", "10.9.0.1", 3))
    assert.equal("ECONNREFUSED", world:ask("out", "udp", "fd09::1", 3))
    assert.is_true(world:is_silent("out", "tcp", "10.9.0.1", 5))
    assert.equal("10.9.0.2", world:ask("out", "tcp", "10.9.0.1", 7))
    assert.is_true(world:is_silent("c", "tcp", "10.9.0.1", 7))
    local counter = world.socket:rules({ table = "t" })[1].counter
    assert.equal(1, counter.packets)
    assert.equal(60, counter.bytes)
  end)

  it("decide by interface in a verdict map, by sets and by marks", function()
    local world <close> = world_with(chain("in", "filter", "input", "filter"),
      { "add", "chain", table = "t", name = "lan" }, chain("mark", "filter", "prerouting", "mangle"),
      { "add", "map", table = "t", name = "links", key = "ifname", data = "verdict" },
      { "add", "element", table = "t", set = "links", elements = { { "gw0", "jump lan" }, { "up0", "drop" } } },
      { "add", "set", table = "t", name = "friends", key = "ipv4_addr", flags = "interval" },
      { "add", "element", table = "t", set = "friends", elements = { "10.77.0.2/31" } },
      rule("mark", { protocol = "tcp", dport = 9, set_mark = 0x15 }),
      rule("in", { mark = "0x10/0x10", verdict = "accept" }),
      rule("in", { protocol = "tcp", dport = 7, verdict = { map = "links", key = "iifname" } }),
      rule("lan", { nfproto = "ipv4", saddr = { "!=", "@friends" }, verdict = "drop" }))
    world:serve(nil, "tcp:7", "tcp:9")
    assert.is_true(world:is_silent("out", "tcp", "10.9.0.1", 7))
    assert.equal("10.9.0.2", world:ask("out", "tcp", "10.9.0.1", 9))
    assert.equal("10.77.0.3", world:ask("n", "tcp", "10.9.0.1", 7))
    lab.output("ip addr add 10.77.0.9/24 dev eth0", "n")
    lab.output("ip route replace default via 10.77.0.1 src 10.77.0.9", "n")
    assert.is_true(world:is_silent("n", "tcp", "10.9.0.1", 7))
  end)
end)
