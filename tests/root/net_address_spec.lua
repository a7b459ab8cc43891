local namespace = require "luabox.sys.namespace"
local net = require "luabox.sys.net"
local ip = require "ip"
local needs = require "needs"
local spec = require "spec"

local refusal = spec.failure

-- The addresses that ip(8) sees on a link, by themselves.
local function seen(ns, link)
  local list = {}
  for _, entry in ipairs(ip.json("addr show dev " .. link, ns)) do
    for _, a in ipairs(entry.addr_info) do list[#list + 1] = a end
  end
  return list
end

describe("luabox.sys.net addresses #root", function()
  local ns, s

  before_each(function()
    ns = namespace.create "net"
    s = net.socket(ns)
    local addrgenmode = not needs.ipv6() and "none" or nil
    s:link_add { kind = "veth", name = "v1", addrgenmode = addrgenmode, up = true, peer = { name = "v2" } }
  end)

  after_each(function()
    s:close()
    ns:close()
  end)

  it("of both families are added and taken away #ipv6", function()
    s:address_add { link = "v1", address = "10.0.0.2/24", broadcast = "+", label = "v1:web", scope = "link" }
    s:address_add { link = s:link("v1").index, address = "fd00::2/64", nodad = true, noprefixroute = true }
    local four, six = table.unpack(seen(ns, "v1"))
    assert.same({ "10.0.0.2", 24, "10.0.0.255", "v1:web", "link" },
      { four["local"], four.prefixlen, four.broadcast, four.label, four.scope })
    assert.same({ "fd00::2", 64, true, true }, { six["local"], six.prefixlen, six.nodad, six.noprefixroute })
    assert.same({}, ip.json("-6 route show dev v1 fd00::/64", ns))
    s:address_delete { link = "v1", address = "10.0.0.2/24" }
    s:address_delete { link = "v1", address = "fd00::2/64" }
    assert.same({}, seen(ns, "v1"))
  end)

  it("have the broadcast address that is given, or none", function()
    s:address_add { link = "v1", address = "10.0.0.2/20", broadcast = "10.0.0.7" }
    s:address_add { link = "v1", address = "10.1.0.2/20", broadcast = "+" }
    s:address_add { link = "v1", address = "10.2.0.2/20" }
    s:address_add { link = "v1", address = "10.3.0.2/31", broadcast = "+" }
    s:address_add { link = "v1", address = "10.4.0.2" }
    local list = seen(ns, "v1")
    table.sort(list, function(a, b) return a["local"] < b["local"] end)
    local broadcasts, prefixes = {}, {}
    for i, a in ipairs(list) do broadcasts[i], prefixes[i] = a.broadcast or "none", a.prefixlen end
    assert.same({ "10.0.0.7", "10.1.15.255", "none", "none", "none" }, broadcasts)
    assert.same({ 20, 20, 20, 31, 32 }, prefixes)
  end)

  it("have the host's scope if they are of the host", function()
    s:address_add { link = "v1", address = "127.0.0.2/8" }
    assert.equal("host", seen(ns, "v1")[1].scope)
  end)

  it("have peers", function()
    s:address_add { link = "v1", address = "10.0.0.1", peer = "10.0.0.2/32" }
    local a = seen(ns, "v1")[1]
    assert.same({ "10.0.0.1", "10.0.0.2", 32 }, { a["local"], a.address, a.prefixlen })
    local mine = s:addresses { link = "v1", family = "inet" }[1]
    assert.same({ "10.0.0.1", "10.0.0.2/32" }, { mine.address, mine.peer })
    s:address_delete { link = "v1", address = "10.0.0.1", peer = "10.0.0.2/32" }
    assert.same({}, seen(ns, "v1"))
  end)

  it("are listed by link and family #ipv6", function()
    s:link_set { name = "lo", up = true }
    s:address_add { link = "v1", address = "10.0.0.2/24" }
    s:address_add { link = "v1", address = "fd00::2/64", nodad = true }
    local all = s:addresses { link = "v1" }
    assert.equal(2, #all)
    assert.same({ "v1", s:link("v1").index, "inet", "10.0.0.2/24", "global", "v1", "permanent" },
      { all[1].link, all[1].link_index, all[1].family, all[1].address, all[1].scope, all[1].label, all[1].flags })
    assert.same({ "inet6", "fd00::2/64", "nodad,permanent" }, { all[2].family, all[2].address, all[2].flags })
    assert.equal(4, #s:addresses())
    assert.equal(2, #s:addresses { family = "inet6" })
    assert.same({}, s:addresses { link = "v2" })
    assert.equal("ENODEV", refusal(s.addresses, s, { link = "nosuch" }).code)
  end)

  it("are replaced #ipv6", function()
    s:address_add { link = "v1", address = "fd00::2/64", nodad = true }
    s:address_add { link = "v1", address = "fd00::2/64", nodad = true, noprefixroute = true, replace = true }
    assert.is_true(seen(ns, "v1")[1].noprefixroute)
  end)

  it("that are there, or are not, or have no link are refused", function()
    s:address_add { link = "v1", address = "10.0.0.2/24" }
    local e = refusal(s.address_add, s, { link = "v1", address = "10.0.0.2/24" })
    assert.same({ "address_add", "10.0.0.2/24 dev v1", "EEXIST", "the link has this address already" },
      { e.op, e.subject, e.code, e.hint })
    e = refusal(s.address_delete, s, { link = "v1", address = "10.0.0.3/24" })
    assert.same({ "address_delete", "EADDRNOTAVAIL", "the link does not have this address" }, { e.op, e.code, e.hint })
    e = refusal(s.address_add, s, { link = "nosuch", address = "10.0.0.2/24" })
    assert.same({ "nosuch", "ENODEV", "there is no link 'nosuch' in this network namespace" },
      { e.subject, e.code, e.hint })
  end)

  it("say that IPv6 is off on the link #ipv6", function()
    ip.run("sh -c 'echo 1 > /proc/sys/net/ipv6/conf/v1/disable_ipv6'", ns)
    local e = refusal(s.address_add, s, { link = "v1", address = "fd00::9/64" })
    assert.truthy(e.hint:find("IPv6 is off on this link", 1, true))
  end)

  if needs.ipv6() then
    it("say that the kernel has no IPv6", function()
      for _, call in ipairs {
        { s.address_add, { link = "v1", address = "fd00::2/64" } },
        { s.route_add, { destination = "fd01::/64", link = "v1" } },
        { s.rule_add, { from = "fd01::/64", table = 7 } },
        { s.link_set, { name = "v1", addrgenmode = "none" } },
      } do
        local e = refusal(call[1], s, call[2])
        assert.equal("this kernel has no IPv6, or it is off: ipv6.disable of the kernel's command line", e.hint,
          tostring(e))
      end
    end)
  end

  it("let packets pass over a bridge in a namespace of its own #ipv6", function()
    local boxes <close> = setmetatable({}, { __close = function(list) for _,
      box in ipairs(list) do box:close() end end })
    s:link_add { kind = "bridge", name = "br0", index = 100, up = true, addrgenmode = "none" }
    for i = 1, 3 do
      local box = namespace.create "net"
      boxes[i] = box
      s:link_add {
        kind = "veth", name = "p" .. i, index = 100 + i, master = 100, up = true,
        peer = { name = "eth0", index = 2, netns = box },
      }
      local t <close> = net.socket(box)
      t:batch()
        :link_set { index = 1, up = true }
        :link_set { index = 2, up = true, addrgenmode = "none" }
        :address_add { link = 2, address = "10.0.0." .. i .. "/24" }
        :address_add { link = 2, address = "fd00::" .. i .. "/64", nodad = true }
        :route_add { destination = "default", gateway = "10.0.0.1", link = 2 }
        :send()
    end
    assert.is_true(ip.ping("10.0.0.3", boxes[2]))
    assert.is_true(ip.ping("fd00::1", boxes[3]))
    assert.equal("10.0.0.1", ip.json("route show default", boxes[2])[1].gateway)
    assert.is_true(s:link("p2").statistics.rx_packets > 0)
  end)

  it("let packets pass between namespaces #ipv6", function()
    local other <close> = namespace.create "net"
    local t <close> = net.socket(other)
    s:link_set { name = "v2", netns = other }
    for i, socket in ipairs { s, t } do
      socket:address_add { link = "v" .. i, address = "10.0.0." .. i .. "/24" }
      socket:address_add { link = "v" .. i, address = "fd00::" .. i .. "/64", nodad = true }
      socket:link_set { name = "v" .. i, up = true }
    end
    assert.is_true(ip.ping("10.0.0.2", ns))
    assert.is_true(ip.ping("fd00::1", other))
  end)
end)
