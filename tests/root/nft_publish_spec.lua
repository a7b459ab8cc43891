-- A published port is reached from everywhere: the rules that luabox.network uses, with what they need around them.
local lab = require "nat_lab"
local nft = require "luabox.sys.nft"

local KEY = "protocol,dport"

local function publish(chain, map)
  return { "add", "rule", table = "publish", chain = chain, daddr_type = "local", dnat = { map = map, key = KEY } }
end

-- 8080/tcp and 5353/udp of the host are 80 and 53 of the container. Masquerade is for those whose answers would not
-- come back through the host: the host's own loopback, and neighbours.
local RULES = {
  { "create", "table", name = "publish", owner = true },
  { "add", "map", table = "publish", name = "ipv4", key = { "inet_proto", "inet_service" },
    data = { "ipv4_addr", "inet_service" } },
  { "add", "map", table = "publish", name = "ipv6", key = { "inet_proto", "inet_service" },
    data = { "ipv6_addr", "inet_service" } },
  { "add", "element", table = "publish", set = "ipv4",
    elements = { { "tcp", 8080, "10.77.0.2", 80 }, { "udp", 5353, "10.77.0.2", 53 } } },
  { "add", "element", table = "publish", set = "ipv6",
    elements = { { "tcp", 8080, "fd77::2", 80 }, { "udp", 5353, "fd77::2", 53 } } },
  { "add", "chain", table = "publish", name = "guard", type = "filter", hook = "prerouting", priority = "raw" },
  { "add", "rule", table = "publish", chain = "guard", iifname = "gw0", daddr = "127.0.0.0/8", counter = true,
    verdict = "drop", comment = "route_localnet is for answers only" },
  { "add", "chain", table = "publish", name = "arriving", type = "nat", hook = "prerouting", priority = "dstnat" },
  publish("arriving", "ipv4"), publish("arriving", "ipv6"),
  { "add", "chain", table = "publish", name = "own", type = "nat", hook = "output", priority = "dstnat" },
  publish("own", "ipv4"), publish("own", "ipv6"),
  { "add", "chain", table = "publish", name = "leaving", type = "nat", hook = "postrouting", priority = "srcnat" },
  { "add", "rule", table = "publish", chain = "leaving", oifname = "gw0", saddr = { "127.0.0.0/8", "10.77.0.0/24" },
    ct_status = "dnat", masquerade = true },
  { "add", "rule", table = "publish", chain = "leaving", oifname = "gw0", saddr = { "::1", "fd77::/64" },
    ct_status = "dnat", masquerade = true },
}

local function published()
  local world = lab.new()
  world:serve("c", "tcp:80", "udp:53")
  world.socket = nft.socket()
  world.socket:apply(RULES)
  return world
end

-- Asserts which address the container sees for a client at 'where' that asks 'address', over TCP and UDP.
local function sees(world, seen, where, address)
  assert.equal(seen, world:ask(where, "tcp", address, 8080))
  assert.equal(seen, world:ask(where, "udp", address, 5353))
end

describe("a port published with luabox.sys.nft #root #nft", function()
  it("is reached from another machine, which the container sees as it is", function()
    local world <close> = published()
    sees(world, "10.9.0.2", "out", "10.9.0.1")
    sees(world, "fd09::2", "out", "fd09::1")
  end)

  it("is reached from the host by each of its own addresses", function()
    local world <close> = published()
    sees(world, "10.9.0.1", nil, "10.9.0.1")
    sees(world, "10.77.0.1", nil, "10.77.0.1")
    sees(world, "fd09::1", nil, "fd09::1")
    sees(world, "fd77::1", nil, "fd77::1")
  end)

  it("is reached from 127.0.0.1 with route_localnet on the gateway's link", function()
    local world <close> = published()
    world:sysctl("net/ipv4/conf/gw0/route_localnet", "1")
    sees(world, "10.77.0.1", nil, "127.0.0.1")
    sees(world, "10.77.0.1", nil, "127.1.2.3")
  end)

  it("is reached from ::1 with a local route for it on the gateway's link #ipv6", function()
    local world <close> = published()
    lab.output "ip -6 route add local ::1 dev gw0 table local"
    sees(world, "fd77::1", nil, "::1")
    assert.is_truthy(lab.output("ip -6 route get ::1"):find "dev lo ")
  end)

  it("is reached by neighbours and by the container itself through the host's address", function()
    local world <close> = published()
    for _, where in ipairs { "n", "c" } do
      sees(world, "10.77.0.1", where, "10.9.0.1")
      sees(world, "fd77::1", where, "fd09::1")
    end
  end)

  it("does not open the host's loopback to containers", function()
    local world <close> = published()
    world:sysctl("net/ipv4/conf/gw0/route_localnet", "1")
    world:serve(nil, "tcp:7777")
    lab.output("ip route del local 127.0.0.0/8 dev lo table local", "n")
    lab.output("ip route add 127.9.9.9 via 10.77.0.1", "n")
    lab.output("sh -c 'echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet'", "n")
    assert.is_true(world:is_silent("n", "tcp", "127.9.9.9", 7777))
    local guard = world.socket:rules { table = "publish", chain = "guard" }[1]
    assert.is_true(guard.counter.packets > 0)
  end)

  it("is gone with the socket", function()
    local world <close> = published()
    world.socket:close()
    assert.equal("", lab.output "nft list tables")
    assert.equal("ECONNREFUSED", world:ask("out", "tcp", "10.9.0.1", 8080))
  end)
end)
