local namespace = require "luabox.sys.namespace"
local net = require "luabox.sys.net"
local process = require "luabox.sys.process"
local ip = require "ip"
local child = require "child"
local spec = require "spec"

local refusal = spec.failure

local function contains(text, part)
  assert.is_truthy(text:find(part, 1, true), ("%q is not in %q"):format(part, text))
end

local function lacks(kind)
  return ip.run("ip link add link lo name probe0 type " .. kind):find("Unknown device type", 1, true)
end

describe("luabox.sys.net links #root", function()
  local ns, s

  before_each(function()
    ns = namespace.create "net"
    s = net.socket(ns)
  end)

  after_each(function()
    s:close()
    ns:close()
  end)

  it("are made in the socket's namespace, and the caller stays in its own", function()
    local before = ip.run "readlink /proc/$PPID/ns/net"
    s:link_add { kind = "bridge", name = "br0" }
    assert.is_nil(ip.link "br0")
    assert.equal("br0", ip.link("br0", ns).ifname)
    assert.equal(before, ip.run "readlink /proc/$PPID/ns/net")
  end)

  it("are made by the module in the current namespace", function()
    net.link_add { kind = "bridge", name = "br0" }
    finally(function() net.link_delete "br0" end)
    assert.equal("bridge", ip.link("br0").linkinfo.info_kind)
  end)

  it("get no IPv6 address with addrgenmode none, set up in the same call", function()
    net.link_add { kind = "bridge", name = "br0", up = true, addrgenmode = "none" }
    finally(function() net.link_delete "br0"; net.link_delete "v0" end)
    net.link_add { kind = "veth", name = "v0", master = "br0", up = true, addrgenmode = "none", peer = { name = "v1" } }
    net.link_set { name = "v1", up = true, addrgenmode = "none" }
    assert.equal("UP", ip.link("br0").operstate)
    assert.equal("", ip.run "ip -6 -o address show scope link")
  end)

  it("of kind bridge have its options", function()
    s:link_add {
      kind = "bridge", name = "br0", index = 42, up = true, mtu = 1400, address = "02:00:00:00:00:01", group = 3,
      alias = "a switch", tx_queue_length = 77, addrgenmode = "none", stp = true, forward_delay = 4, hello_time = 1.5,
      max_age = 10, ageing_time = 30, priority = 4096, multicast_snooping = false,
      ipv4 = { rp_filter = 2, forwarding = true },
    }
    local seen = ip.link("br0", ns)
    local data = seen.linkinfo.info_data
    assert.same({ 42, 1400, "02:00:00:00:00:01", "3", "a switch", 77, "none" },
      { seen.ifindex, seen.mtu, seen.address, seen.group, seen.ifalias, seen.txqlen, seen.inet6_addr_gen_mode })
    assert.is_truthy(table.concat(seen.flags, ","):find "UP")
    assert.same({ 1, 400, 150, 1000, 3000, 4096, 0 }, {
      data.stp_state, data.forward_delay, data.hello_time, data.max_age, data.ageing_time, data.priority,
      data.mcast_snooping,
    })
    assert.equal("2\n1\n",
      ip.run("sh -c 'cat /proc/sys/net/ipv4/conf/br0/rp_filter /proc/sys/net/ipv4/conf/br0/forwarding'", ns))
    local link = s:link "br0"
    assert.same({ 42, "bridge", true, 1400, 3, "a switch", "none", 77, "ether" }, {
      link.index, link.kind, link.up, link.mtu, link.group, link.alias, link.addrgenmode, link.tx_queue_length,
        link.type,
    })
    assert.same({ true, 4.0, 1.5, 10.0, 30.0, 4096, false }, {
      link.data.stp, link.data.forward_delay, link.data.hello_time, link.data.max_age, link.data.ageing_time,
      link.data.priority, link.data.multicast_snooping,
    })
    assert.same({ 2, 1 }, { link.ipv4.rp_filter, link.ipv4.forwarding })
  end)

  it("of kind bridge filter vlans, or the kernel's lack is said", function()
    local options = { kind = "bridge", name = "br0", vlan_filtering = true }
    if select(2, ip.run("ip link add br0 type bridge vlan_filtering 1", ns)) then
      s:link_delete "br0"
      s:link_add(options)
      assert.equal(1, ip.link("br0", ns).linkinfo.info_data.vlan_filtering)
      assert.is_true(s:link("br0").data.vlan_filtering)
    else
      assert.equal("link_add br0: Operation not supported (EOPNOTSUPP); this kernel's bridge was built without "
        .. "one of the options given", tostring(refusal(s.link_add, s, options)))
    end
  end)

  it("of kind veth are born in two namespaces, one end up and with its master", function()
    local other <close> = namespace.create "net"
    s:link_add { kind = "bridge", name = "br0", up = true }
    s:link_add {
      kind = "veth", name = "v1", index = 10, master = "br0", up = true, mtu = 1400,
      peer = { name = "eth0", index = 20, netns = other, address = "02:00:00:00:00:02", mtu = 1300 },
    }
    local here, there = ip.link("v1", ns), ip.link("eth0", other)
    assert.same({ 10, "br0", 1400, 1, 1 }, { here.ifindex, here.master, here.mtu, here.num_tx_queues,
      here.num_rx_queues })
    assert.same({ 20, "02:00:00:00:00:02", 1300, 1, 1 },
      { there.ifindex, there.address, there.mtu, there.num_tx_queues, there.num_rx_queues })
    local link = s:link "v1"
    assert.same({ index = 20, nsid = s:nsid(other) }, link.peer)
    assert.equal("br0", link.master)
    assert.equal(s:link("br0").index, link.master_index)
    local t <close> = net.socket(other)
    assert.equal(10, t:link("eth0").peer.index)
  end)

  it("of kind veth may both be born elsewhere", function()
    local other <close> = namespace.create "net"
    net.link_add { kind = "veth", name = "v1", netns = ns, up = true, peer = { name = "v2", netns = other } }
    assert.equal("v1", ip.link("v1", ns).ifname)
    assert.equal("v2", ip.link("v2", other).ifname)
    assert.is_nil(ip.link "v1")
  end)

  it("of kind veth with both ends in one namespace name each other", function()
    s:link_add { kind = "veth", name = "v1", tx_queues = 2, rx_queues = 2, peer = { name = "v2", tx_queues = 2 } }
    assert.same({ index = s:link("v2").index, name = "v2" }, s:link("v1").peer)
    assert.same({ 2, 2 }, { s:link("v1").tx_queues, s:link("v1").rx_queues })
    assert.same({ 2, 1 }, { s:link("v2").tx_queues, s:link("v2").rx_queues })
  end)

  it("of kind macvlan and vxlan have their options", function()
    s:link_add { kind = "veth", name = "v1", peer = { name = "v2" } }
    s:link_add { kind = "macvlan", name = "m0", link = "v1", mode = "bridge" }
    s:link_add {
      kind = "vxlan", name = "vx0", link = "v1", id = 7, remote = "239.0.0.1", ["local"] = "10.0.0.1", port = 4789,
      learning = false, ttl = 3,
    }
    s:link_add { kind = "vxlan", name = "vx1", id = 8, remote = "fd00::2", ["local"] = "fd00::1", port = 4790 }
    local m0, vx0, vx1 = ip.link("m0", ns), ip.link("vx0", ns), ip.link("vx1", ns)
    assert.same({ "macvlan", "bridge", "v1" }, { m0.linkinfo.info_kind, m0.linkinfo.info_data.mode, m0.link })
    local data = vx0.linkinfo.info_data
    assert.same({ 7, "239.0.0.1", "10.0.0.1", "v1", 4789, false, 3 },
      { data.id, data.group, data["local"], data.link, data.port, data.learning, data.ttl })
    assert.same({ "fd00::2", "fd00::1" }, { vx1.linkinfo.info_data.remote6, vx1.linkinfo.info_data.local6 })
    assert.same({ mode = "bridge" }, s:link("m0").data)
    assert.equal("v1", s:link("m0").link.name)
    local mine = s:link("vx0").data
    assert.same({ 7, "239.0.0.1", "10.0.0.1", 4789, false, 3 },
      { mine.id, mine.remote, mine["local"], mine.port, mine.learning, mine.ttl })
    s:link_set { name = "m0", kind = "macvlan", mode = "private" }
    s:link_set { name = "vx1", kind = "vxlan", ttl = 9, learning = false }
    assert.equal("private", ip.link("m0", ns).linkinfo.info_data.mode)
    assert.equal(9, ip.link("vx1", ns).linkinfo.info_data.ttl)
  end)

  for kind, o in pairs {
    dummy = { module = "dummy" }, vlan = { module = "8021q", link = "v1", id = 7 }, ipvlan = { module = "ipvlan",
      link = "v1", mode = "l3" },
  } do
    it("of kind " .. kind .. " are made, or the kernel's lack is named", function()
      local module = o.module
      s:link_add { kind = "veth", name = "v1", peer = { name = "v2" } }
      local options = { kind = kind, name = "x0", link = o.link, id = o.id, mode = o.mode }
      if lacks(kind .. (o.id and " id 7" or "")) then
        local e = refusal(s.link_add, s, options)
        assert.equal("EOPNOTSUPP", e.code)
        assert.equal("link_add x0: Unknown device type (EOPNOTSUPP); this kernel lacks the link kind: its module "
          .. module .. " is neither built in nor can be loaded", tostring(e))
      else
        ip.run "ip link delete probe0"
        s:link_add(options)
        assert.equal(kind, ip.link("x0", ns).linkinfo.info_kind)
      end
    end)
  end

  it("change in one message", function()
    s:link_add { kind = "veth", name = "v1", peer = { name = "v2" } }
    s:link_set {
      name = "v1", rename = "w1", mtu = 1300, address = "02:00:00:00:00:07", group = 9, up = true, arp = false,
        multicast = false,
      allmulticast = true, promiscuous = true, alias = "x", tx_queue_length = 5, addrgenmode = "random",
      ipv4 = { proxy_arp = true, route_localnet = 1 },
    }
    local seen = ip.link("w1", ns)
    local flags = table.concat(seen.flags, ",")
    assert.same({ 1300, "02:00:00:00:00:07", "9", "x", 5, "random" },
      { seen.mtu, seen.address, seen.group, seen.ifalias, seen.txqlen, seen.inet6_addr_gen_mode })
    for _, flag in ipairs { "UP", "NOARP", "ALLMULTI", "PROMISC" } do contains(flags, flag) end
    assert.is_nil(flags:find("MULTICAST", 1, true))
    assert.equal("1\n1\n",
      ip.run("sh -c 'cat /proc/sys/net/ipv4/conf/w1/proxy_arp /proc/sys/net/ipv4/conf/w1/route_localnet'", ns))
    s:link_set { index = seen.ifindex, up = false, arp = true, promiscuous = false }
    flags = s:link("w1").flags
    assert.is_nil(flags:find("noarp", 1, true) or flags:find("promisc", 1, true) or flags:find("up", 1, true))
  end)

  it("are enslaved, have a port's options and are released", function()
    s:link_add { kind = "bridge", name = "br0" }
    s:link_add { kind = "veth", name = "v1", peer = { name = "v2" } }
    s:link_set { name = "v1", master = "br0", hairpin = true, isolated = true, port_learning = false, flood = false,
      multicast_flood = false, broadcast_flood = false, bpdu_guard = true, fast_leave = true, neigh_suppress = true,
      port_priority = 5, port_cost = 9 }
    local data = ip.link("v1", ns).linkinfo.info_slave_data
    assert.same({ true, true, false, false, false, false, true, true, true, 5, 9 }, {
      data.hairpin, data.isolated, data.learning, data.flood, data.mcast_flood, data.bcast_flood, data.guard,
      data.fastleave, data.neigh_suppress, data.priority, data.cost,
    })
    local port = s:link("v1").port
    assert.same({ true, true, false, 5, 9 }, { port.hairpin, port.isolated, port.flood, port.port_priority,
      port.port_cost })
    s:link_set { name = "v1", master = false }
    assert.is_nil(ip.link("v1", ns).master)
    assert.is_nil(s:link("v1").port)
  end)

  it("are born as a port with its options, or not at all", function()
    s:link_add { kind = "bridge", name = "br0" }
    s:link_add { kind = "veth", name = "v1", master = "br0", up = true, isolated = true, peer = { name = "v2" } }
    assert.is_true(ip.link("v1", ns).linkinfo.info_slave_data.isolated)
    contains(s:link("v1").flags, "up")
    local e = refusal(s.link_add, s, { kind = "bridge", name = "br1", isolated = true })
    assert.equal("link_set", e.op)
    assert.equal("br1", e.subject)
    assert.is_nil(ip.link("br1", ns))
  end)

  it("move to another namespace, under another name", function()
    local other <close> = namespace.create "net"
    s:link_add { kind = "veth", name = "v1", peer = { name = "v2" } }
    s:link_set { name = "v2", netns = other, rename = "eth0", up = true }
    assert.is_nil(ip.link("v2", ns))
    contains(table.concat(ip.link("eth0", other).flags, ","), "UP")
  end)

  it("are deleted by name, index and group", function()
    for i = 1, 5 do s:link_add { kind = "bridge", name = "br" .. i, index = 100 + i, group = i > 2 and 7 or 0 } end
    s:link_delete "br1"
    s:link_delete(102)
    assert.is_nil(ip.link("br1", ns) or ip.link("br2", ns))
    assert.equal("br5", ip.link("br5", ns).ifname)
    s:link_delete { group = 7 }
    assert.equal(1, #ip.json("link", ns))
  end)

  it("are listed by kind, master and group, with what ip(8) sees", function()
    s:link_add { kind = "bridge", name = "br0", group = 4 }
    s:link_add { kind = "veth", name = "v1", master = "br0", peer = { name = "v2" } }
    local function names(filter)
      local list = {}
      for _, link in ipairs(s:links(filter)) do list[#list + 1] = link.name end
      table.sort(list)
      return list
    end
    assert.same({ "br0", "lo", "v1", "v2" }, names())
    assert.same({ "v1", "v2" }, names { kind = "veth" })
    assert.same({ "v1" }, names { master = "br0" })
    assert.same({ "br0" }, names { group = 4 })
    for _, seen in ipairs(ip.json("-d link", ns)) do
      local link = s:link(seen.ifname)
      assert.same({ seen.ifindex, seen.mtu, seen.operstate:lower(), seen.address, seen.broadcast, seen.link_type,
        seen.num_tx_queues },
        { link.index, link.mtu, link.operstate, link.address, link.broadcast, link.type, link.tx_queues })
    end
    assert.is_nil(s:link "nosuch")
    assert.is_nil(s:link(4711))
  end)

  it("count what passes", function()
    s:link_set { name = "lo", up = true }
    assert.is_true(ip.ping("127.0.0.1", ns))
    local mine, seen = s:link("lo").statistics, ip.link("lo", ns).stats64
    assert.is_true(mine.rx_packets >= 2)
    assert.same({ seen.rx.packets, seen.rx.bytes, seen.tx.packets, seen.tx.bytes },
      { mine.rx_packets, mine.rx_bytes, mine.tx_packets, mine.tx_bytes })
  end)

  it("are hundreds", function()
    s:link_add { kind = "bridge", name = "br0", index = 2 }
    local b = s:batch()
    for i = 1, 150 do
      b:link_add { kind = "veth", name = "v" .. i, index = 1000 + i, master = 2, group = 5, peer = { name = "w" .. i,
        index = 2000 + i } }
    end
    assert.equal(150, #b)
    b:send()
    assert.equal(0, #b)
    assert.equal(302, #ip.json("link", ns))
    assert.equal(302, #s:links())
    assert.equal(150, #s:links { master = 2 })
    s:link_delete { group = 5 }
    assert.equal(2, #s:links())
  end)

  it("cannot be made twice", function()
    s:link_add { kind = "bridge", name = "br0", index = 9 }
    local e = refusal(s.link_add, s, { kind = "bridge", name = "br0" })
    assert.same({ "link_add", "br0", "EEXIST" }, { e.op, e.subject, e.code })
    contains(e.hint, "a link with this name")
    e = refusal(s.link_add, s, { kind = "bridge", name = "br1", index = 9 })
    assert.same({ "br1", true }, { e.subject, e.code == "EEXIST" or e.code == "EBUSY" }) -- new and old kernels
    contains(e.hint, "index")
    e = refusal(s.link_add, s, { kind = "bridge", name = "br0", addrgenmode = "none" })
    assert.equal("EEXIST", e.code)
    assert.equal("br0", s:link("br0").name)
  end)

  it("that are missing are named", function()
    local hint = "there is no such link in this network namespace"
    for name, call in pairs {
      link_set = function() s:link_set { name = "nosuch", up = true } end,
        link_delete = function() s:link_delete "nosuch" end,
    } do
      local e = refusal(call)
      assert.same({ name, "nosuch", "ENODEV", hint }, { e.op, e.subject, e.code, e.hint })
    end
    local e = refusal(s.link_set, s, { index = 4711, up = true })
    assert.equal("index 4711", e.subject)
    e = refusal(s.link_add, s, { kind = "veth", name = "v1", master = "nosuch", peer = { name = "v2" } })
    assert.same({ "link_add", "nosuch", "ENODEV" }, { e.op, e.subject, e.code })
    assert.is_nil(ip.link("v1", ns))
  end)

  it("that carry the default route are not enslaved without force", function()
    s:link_add { kind = "bridge", name = "br0" }
    s:link_add { kind = "veth", name = "v1", up = true, peer = { name = "v2" } }
    s:link_set { name = "v2", up = true }
    s:address_add { link = "v1", address = "10.0.0.2/24" }
    s:link_set { name = "v1", master = "br0" }
    s:link_set { name = "v1", master = false }
    for _, gateway in ipairs { "10.0.0.1", "fd00::1" } do
      s:address_add { link = "v1", address = "fd00::2/64", nodad = true, replace = true }
      s:route_add { destination = "default", gateway = gateway }
      local e = refusal(s.link_set, s, { name = "v1", master = "br0" })
      assert.same({ "link_set", "v1", "EBUSY" }, { e.op, e.subject, e.code })
      contains(e.message, "carries the default route")
      contains(e.hint, "force = true")
      assert.is_false(pcall(s.link_set, s, { index = s:link("v1").index, master = "br0" }))
      s:link_set { name = "v2", master = "br0" }
      s:link_set { name = "v2", master = false }
      assert.is_nil(ip.link("v1", ns).master)
      if gateway == "10.0.0.1" then s:route_delete { destination = "default" } end
    end
    s:link_set { name = "v1", master = "br0", force = true }
    assert.equal("br0", ip.link("v1", ns).master)
  end)

  it("in a batch say which failed", function()
    local b = s:batch()
    b:link_add { kind = "bridge", name = "br0", index = 5 }
    b:address_add { link = 77, address = "10.0.0.1/24" }
    b:route_add { destination = "10.1.0.0/16", gateway = "10.0.0.9" }
    local e = refusal(b.send, b)
    assert.same({ "address_add", "10.0.0.1/24 dev 77", "ENODEV" }, { e.op, e.subject, e.code })
    assert.equal(0, #b)
    b:send()
    b:link_set { index = 5, up = true }:address_add { link = 5, address = "10.0.0.1/24" }:send()
    assert.equal("10.0.0.1", ip.json("addr show dev br0", ns)[1].addr_info[1]["local"])
  end)

  it("are at most 1023 ports of one bridge", function()
    s:link_add { kind = "bridge", name = "br0", index = 2 }
    local b = s:batch()
    for i = 1, 1023 do b:link_add { kind = "veth", name = "v" .. i, master = 2, group = 5,
      peer = { name = "w" .. i } } end
    b:send()
    assert.equal(1023, #s:links { master = "br0" })
    local e = refusal(s.link_add, s, { kind = "veth", name = "v1024", master = 2, peer = { name = "w1024" } })
    assert.same({ "link_add", "v1024", "EXFULL" }, { e.op, e.subject, e.code })
    contains(e.hint, "a bridge takes 1023 ports and no more")
    assert.is_nil(s:link "v1024")
    s:link_delete { group = 5 }
  end)

  it("cannot be made through a socket that a fork copied", function()
    local p <close> = process.spawn { body = function() return pcall(s.links, s) end }
    p:wait()
    local ok, message = p:result()
    assert.is_false(ok)
    assert.match("^.-luabox%.netlink of another process %(%d+%): open a new one after a fork$", message)
  end)

  it("need a capability", function()
    local output = child.run([[
      print(pcall(require("luabox.sys.net").link_add, { kind = "bridge", name = "br0" }))
    ]], "setpriv --bounding-set -net_admin --inh-caps -net_admin --reuid 1 --clear-groups")
    contains(output, "link_add br0: Operation not permitted (EPERM); it takes CAP_NET_ADMIN in the user namespace")
  end)

  it("show the number of a namespace", function()
    local other <close> = namespace.create "net"
    assert.is_nil(s:nsid(other))
    assert.equal(7, s:nsid_set(other, 7))
    assert.equal(7, s:nsid(other))
    assert.equal("EEXIST", refusal(s.nsid_set, s, other, 8).code)
    local third <close> = namespace.create "net"
    assert.is_true(s:nsid_set(third) >= 0)
    assert.equal("EBADF", refusal(s.nsid, s, 999).code)
  end)

  it("list the links and addresses of another by its number", function()
    local other <close> = namespace.create "net"
    s:nsid_set(other, 7)
    s:link_add { kind = "veth", name = "v1", index = 10, peer = { name = "eth0", index = 20, netns = other } }
    local t <close> = net.socket(other)
    t:link_add { kind = "bridge", name = "br0", index = 30 }
    t:link_set { name = "eth0", master = "br0" }
    t:address_add { link = "br0", address = "10.5.0.1/24" }
    local names = {}
    for _, link in ipairs(s:links { nsid = 7 }) do names[link.index] = link end
    local listed = ip.json("link", other)
    assert.equal(#listed, #s:links { nsid = 7 })
    for _, link in ipairs(listed) do assert.equal(link.ifname, names[link.ifindex].name) end
    assert.same({ 30, nil, 10 }, { names[20].master_index, names[20].master, names[20].peer.index })
    assert.is_nil(names[20].peer.name)
    assert.equal(1, #s:links { nsid = 7, master = 30 })
    local addresses = s:addresses { nsid = 7, family = "inet" }
    assert.same({ 1, "10.5.0.1/24", 30, nil },
      { #addresses, addresses[1].address, addresses[1].link_index, addresses[1].link })
    assert.equal("EINVAL", refusal(s.links, s, { nsid = 8 }).code)
    local ok, message = pcall(s.links, s, { nsid = 7, master = "br0" })
    assert.is_false(ok)
    contains(message, "option 'master': with nsid it is an index in that network namespace")
    ok, message = pcall(s.addresses, s, { nsid = 7, link = "br0" })
    assert.is_false(ok)
    contains(message, "option 'link': with nsid it is an index in that network namespace")
  end)

  it("are out of reach for a socket of what is no network namespace", function()
    local uts <close> = namespace.open "uts"
    local e = refusal(net.socket, uts)
    assert.same({ "setns", "EINVAL" }, { e.op, e.code })
  end)
end)
