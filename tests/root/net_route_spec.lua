local namespace = require "luabox.sys.namespace"
local net = require "luabox.sys.net"
local ip = require "ip"
local spec = require "spec"

local refusal = spec.failure

local function contains(text, part)
  assert.is_truthy(text:find(part, 1, true), ("%q is not in %q"):format(part, text))
end

describe("luabox.sys.net routes #root", function()
  local ns, s

  before_each(function()
    ns = namespace.create "net"
    s = net.socket(ns)
    s:link_add { kind = "veth", name = "v1", up = true, peer = { name = "v2" } }
    s:link_set { name = "v2", up = true }
    s:link_set { name = "lo", up = true }
    s:address_add { link = "v1", address = "10.0.0.2/24" }
    s:address_add { link = "v1", address = "fd00::2/64", nodad = true }
  end)

  after_each(function()
    s:close()
    ns:close()
  end)

  local function seen(what, family)
    return ip.json(("%s route show %s"):format(family or "-4", what), ns)[1]
  end

  it("by default, of both families, are added, listed and deleted", function()
    for _, case in ipairs { { "-4", "inet", "10.0.0.1" }, { "-6", "inet6", "fd00::1" } } do
      local option, family, gateway = table.unpack(case)
      s:route_add { destination = "default", gateway = gateway }
      local r = seen("default", option)
      assert.same({ gateway, "v1" }, { r.gateway, r.dev })
      local mine
      for _, route in ipairs(s:routes { family = family }) do
        if route.destination == "default" then mine = route end
      end
      assert.same({ family, gateway, "v1", "main", "unicast", "boot", "global" },
        { mine.family, mine.gateway, mine.link, mine.table, mine.type, mine.protocol, mine.scope })
      s:route_delete { destination = "default", family = family }
      assert.is_nil(seen("default", option))
    end
  end)

  it("have their options", function()
    s:route_add {
      destination = "10.1.0.0/16", gateway = "10.0.0.9", link = "v1", source = "10.0.0.2", table = 100, metric = 7,
      mtu = 1300, protocol = "static",
    }
    local r = seen "table 100"
    assert.same({ "10.1.0.0/16", "10.0.0.9", "v1", "10.0.0.2", 7, "static", 1300 },
      { r.dst, r.gateway, r.dev, r.prefsrc, r.metric, r.protocol, r.metrics[1].mtu })
    local mine = s:routes({ table = 100 })[1]
    assert.same({ "10.1.0.0/16", "10.0.0.9", "v1", "10.0.0.2", 7, "static", 1300, 100 },
      { mine.destination, mine.gateway, mine.link, mine.source, mine.metric, mine.protocol, mine.mtu, mine.table })
    s:route_add { destination = "10.2.0.0/16", link = "v1", scope = "host", table = 4711 }
    r = seen "table 4711"
    assert.same({ "10.2.0.0/16", "host" }, { r.dst, r.scope })
    assert.same({}, s:routes { table = 4712 })
  end)

  it("of types without a link refuse what is sent there", function()
    for type, said in pairs {
      blackhole = "Invalid argument", unreachable = "No route to host", prohibit = "Permission denied",
    } do
      s:route_add { destination = "10.9.0.0/16", type = type }
      assert.equal(type, seen("10.9.0.0/16").type)
      contains(ip.run("ip route get 10.9.0.1", ns), said)
      s:route_delete { destination = "10.9.0.0/16", type = type }
    end
    s:route_add { destination = "10.9.0.0/16", type = "local", link = "lo", table = "local" }
    assert.is_true(ip.ping("10.9.3.4", ns))
  end)

  it("go over gateways that only the link knows, and over the other family", function()
    local e = refusal(s.route_add, s, { destination = "10.1.0.0/16", gateway = "192.168.7.1" })
    assert.same({ "route_add", "10.1.0.0/16", "ENETUNREACH" }, { e.op, e.subject, e.code })
    contains(e.hint, "no link that is up has the gateway in its network")
    s:route_add { destination = "10.1.0.0/16", gateway = "192.168.7.1", link = "v1", onlink = true }
    contains(table.concat(seen("10.1.0.0/16").flags), "onlink")
    assert.is_true(s:routes({ link = "v1", family = "inet" })[2].onlink)
    s:route_add { destination = "10.2.0.0/16", gateway = "fd00::1" }
    assert.same({ family = "inet6", host = "fd00::1" }, seen("10.2.0.0/16").via)
    assert.equal("fd00::1", s:routes({ family = "inet" })[3].gateway)
  end)

  it("share traffic among hops", function()
    s:route_add { destination = "10.1.0.0/16", nexthops = { { gateway = "10.0.0.8", weight = 3 },
      { gateway = "10.0.0.9", link = "v1" } } }
    local hops = seen("10.1.0.0/16").nexthops
    assert.same({ "10.0.0.8", 3, "10.0.0.9", 1 }, { hops[1].gateway, hops[1].weight, hops[2].gateway, hops[2].weight })
    local mine = s:routes({ family = "inet" })[2].nexthops
    assert.same({ "10.0.0.8", 3, "v1", "10.0.0.9", 1 },
      { mine[1].gateway, mine[1].weight, mine[1].link, mine[2].gateway, mine[2].weight })
    s:route_add { destination = "fd01::/64", nexthops = { { gateway = "fd00::8" }, { gateway = "fd00::9" } } }
    assert.is_truthy(ip.run("ip -6 route show fd01::/64", ns):find("fd00::9", 1, true))
    s:route_delete { destination = "10.1.0.0/16" }
    assert.is_nil(seen "10.1.0.0/16")
    assert.equal("ENODEV", refusal(s.route_add, s, { destination = "10.1.0.0/16",
      nexthops = { { link = "nosuch" } } }).code)
    assert.is_nil(seen "10.1.0.0/16")
  end)

  it("are replaced, or refused if they are there", function()
    s:route_add { destination = "10.1.0.0/16", gateway = "10.0.0.8" }
    local e = refusal(s.route_add, s, { destination = "10.1.0.0/16", gateway = "10.0.0.9" })
    assert.equal("EEXIST", e.code)
    contains(e.hint, "replace = true")
    s:route_add { destination = "10.1.0.0/16", gateway = "10.0.0.9", replace = true }
    assert.equal("10.0.0.9", seen("10.1.0.0/16").gateway)
  end)

  it("that do not exist or cannot be are refused in the kernel's words", function()
    local e = refusal(s.route_delete, s, { destination = "10.1.0.0/16" })
    assert.same({ "route_delete", "10.1.0.0/16", "ESRCH", "there is no route that has all of this" },
      { e.op, e.subject, e.code, e.hint })
    e = refusal(s.route_add, s, { destination = "10.1.0.1/16", gateway = "10.0.0.1" })
    assert.equal("route_add 10.1.0.1/16: Invalid prefix for given prefix length (EINVAL)", tostring(e))
    assert.equal("ENODEV", refusal(s.routes, s, { link = "nosuch" }).code)
  end)

  it("are listed as ip(8) lists them", function()
    local function set(list, name)
      local names = {}
      for _, r in ipairs(list) do names[#names + 1] = ("%s %s"):format((r[name]:gsub("/32$", ""):gsub("/128$", "")),
        r.link or r.dev) end
      table.sort(names)
      return names
    end
    assert.same(set(ip.json("-4 route show table all", ns), "dst"), set(s:routes { table = "all", family = "inet" },
      "destination"))
    assert.same(set(ip.json("-6 route show table all", ns), "dst"), set(s:routes { table = "all", family = "inet6" },
      "destination"))
    assert.same(set(ip.json("-4 route show", ns), "dst"), set(s:routes { family = "inet" }, "destination"))
  end)
end)

describe("luabox.sys.net rules #root", function()
  local ns, s

  before_each(function()
    ns = namespace.create "net"
    s = net.socket(ns)
  end)

  after_each(function()
    s:close()
    ns:close()
  end)

  it("of both families are added, listed and deleted", function()
    for _, case in ipairs { { "-4", "inet", "10.0.0.0", 8 }, { "-6", "inet6", "fd00::", 16 } } do
      local option, family, address, bits = table.unpack(case)
      local prefix = ("%s/%d"):format(address, bits)
      s:rule_add { priority = 100, from = prefix, to = prefix, iif = "lo", oif = "v9", fwmark = 16, fwmask = 255,
        table = 100 }
      local r = ip.json(option .. " rule show priority 100", ns)[1]
      assert.same({ address, bits, address, bits, "lo", "v9", "0x10", "0xff", "100" },
        { r.src, r.srclen, r.dst, r.dstlen, r.iif, r.oif, r.fwmark, r.fwmask, r.table })
      local mine = s:rules({ family = family })[2]
      assert.same({ family, 100, "lookup", prefix, prefix, "lo", "v9", 16, 255, 100 }, {
        mine.family, mine.priority, mine.action, mine.from, mine.to, mine.iif, mine.oif, mine.fwmark, mine.fwmask,
          mine.table,
      })
      s:rule_delete { priority = 100, family = family }
      assert.same({}, ip.json(option .. " rule show priority 100", ns))
    end
  end)

  it("have actions, are inverted and know the tables' names", function()
    s:rule_add { priority = 5, from = "10.0.0.0/8", action = "prohibit", invert = true }
    s:rule_add { priority = 6, table = "main" }
    local output = ip.run("ip rule", ns)
    contains(output, "5:\tnot from 10.0.0.0/8 prohibit")
    contains(output, "6:\tfrom all lookup main")
    local list = s:rules { family = "inet" }
    assert.same({ "prohibit", true }, { list[2].action, list[2].invert })
    assert.is_nil(list[2].table)
    assert.equal("main", list[3].table)
    assert.equal(3 + 2 + 2, #s:rules())
  end)

  it("that are there, or are not, are refused", function()
    s:rule_add { priority = 100, from = "10.0.0.0/8", table = 100 }
    local e = refusal(s.rule_add, s, { priority = 100, from = "10.0.0.0/8", table = 100 })
    assert.same({ "rule_add", "100", "EEXIST" }, { e.op, e.subject, e.code })
    e = refusal(s.rule_delete, s, { priority = 101 })
    assert.same({ "rule_delete", "101", "ENOENT", "there is no rule that has all of this" }, { e.op, e.subject,
      e.code, e.hint })
  end)

  it("choose the table", function()
    s:link_set { name = "lo", up = true }
    s:route_add { destination = "10.7.0.0/16", type = "prohibit", table = 100 }
    contains(ip.run("ip route get 10.7.0.1", ns), "Network is unreachable")
    s:rule_add { priority = 10, to = "10.7.0.0/16", table = 100 }
    contains(ip.run("ip route get 10.7.0.1", ns), "Permission denied")
  end)
end)

describe("luabox.sys.net neighbours #root", function()
  local ns, s

  before_each(function()
    ns = namespace.create "net"
    s = net.socket(ns)
    s:link_add { kind = "veth", name = "v1", up = true, peer = { name = "v2" } }
    s:link_set { name = "v2", up = true }
  end)

  after_each(function()
    s:close()
    ns:close()
  end)

  it("of both families are added, listed, replaced and deleted", function()
    local function neighbour(filter)
      for _, n in ipairs(s:neighbours(filter)) do
        if n.address:match "9$" then return n end -- the kernel knows of multicast groups, too
      end
    end
    for _, address in ipairs { "10.0.0.9", "fd00::9" } do
      s:neighbour_add { link = "v1", address = address, lladdr = "02:00:00:00:00:09" }
      local n = ip.json("neigh show " .. address, ns)[1]
      assert.same({ "v1", "02:00:00:00:00:09", "PERMANENT" }, { n.dev, n.lladdr, n.state[1] })
      local mine = neighbour { link = "v1", family = address:find ":" and "inet6" or "inet" }
      assert.same({ "v1", address, "02:00:00:00:00:09", "permanent" },
        { mine.link, mine.address, mine.lladdr, mine.state })
      local e = refusal(s.neighbour_add, s, { link = "v1", address = address, lladdr = "02:00:00:00:00:0a" })
      assert.same({ "neighbour_add", address, "EEXIST" }, { e.op, e.subject, e.code })
      s:neighbour_add { link = "v1", address = address, lladdr = "02:00:00:00:00:0a", state = "noarp", replace = true }
      n = ip.json("neigh show nud noarp " .. address, ns)[1]
      assert.same({ "02:00:00:00:00:0a", "NOARP" }, { n.lladdr, n.state[1] })
      s:neighbour_delete { link = "v1", address = address }
      e = refusal(s.neighbour_delete, s, { link = "v1", address = "10.9.9.9" })
      assert.same({ "ENOENT", "the link does not know this neighbour" }, { e.code, e.hint })
    end
  end)

  it("are answered for", function()
    s:neighbour_add { link = "v1", address = "10.0.0.9", proxy = true }
    s:neighbour_add { link = "v2", address = "fd00::9", proxy = true }
    assert.equal("10.0.0.9", ip.json("neigh show proxy dev v1", ns)[1].dst)
    local mine = s:neighbours { proxy = true }
    assert.equal(2, #mine)
    assert.same({ "v1", "10.0.0.9", true }, { mine[1].link, mine[1].address, mine[1].proxy })
    assert.equal(1, #s:neighbours { proxy = true, link = "v2" })
    s:neighbour_delete { link = "v1", address = "10.0.0.9", proxy = true }
    assert.equal(1, #s:neighbours { proxy = true })
  end)
end)
