-- luabox.map, held against what ip and bridge say of each namespace, and against what was built.
local luabox = require "luabox"
local dkjson = require "dkjson"
local ip = require "ip"
local program = require "program"
local spec = require "spec"

local namespace, net, process = luabox.sys.namespace, luabox.sys.net, luabox.sys.process
local is_program = os.getenv "LUABOX_UNDER" == "luabox"

local function id_of(ns) return math.tointeger(ns:id():match "%d+") end

local function find(list, field, value)
  for _, entry in ipairs(list) do
    if entry[field] == value then return entry end
  end
end

local function contains(list, value)
  for _, entry in ipairs(list) do
    if entry == value then return true end
  end
  return false
end

local function of(map, ns) return find(map.namespaces, "id", id_of(ns)) end
local function link_of(map, ns, name) return find(of(map, ns).links, "name", name) end

-- Namespaces by name, closed at the end of the block.
local function world(names)
  local w = {}
  for name in names:gmatch "%S+" do w[name] = namespace.create "net" end
  return setmetatable(w, { __close = function()
    for _, ns in pairs(w) do ns:close() end
  end })
end

local function change(ns, f)
  local socket <close> = net.socket(ns)
  f(socket)
end

-- A veth between two namespaces: name and address of each end.
local function veth(a, a_name, a_address, b, b_name, b_address, o)
  change(a, function(s)
    local veth_options = { kind = "veth", name = a_name, up = true, peer = { name = b_name, netns = b } }
    for key, value in pairs(o or {}) do veth_options[key] = value end
    s:link_add(veth_options)
    if a_address then s:address_add { link = a_name, address = a_address } end
  end)
  change(b, function(s)
    s:link_set { name = b_name, up = true }
    if b_address then s:address_add { link = b_name, address = b_address } end
  end)
end

-- The states of a bridge's ports, in order.
local function states_of(ns)
  local states = {}
  for i, port in ipairs(dkjson.decode((ip.run("bridge -j link", ns)))) do states[i] = port.state end
  table.sort(states)
  return table.concat(states, " ")
end

-- A host with a bridge, three members, an outside. The bridge sees a moment later which ports have a carrier.
local function small_lan()
  local w = world "host v1 v2 v3 outside"
  change(w.host, function(s)
    s:link_add { kind = "bridge", name = "br0", up = true }
    s:address_add { link = "br0", address = "172.18.0.1/24" }
  end)
  for i = 1, 3 do
    veth(w.host, "veth" .. i, nil, w["v" .. i], "eth0", ("172.18.0.%d/24"):format(i + 1), { master = "br0" })
  end
  veth(w.host, "wan0", "10.9.0.1/24", w.outside, "eth0", "10.9.0.2/24")
  change(w.v3, function(s) s:link_set { name = "eth0", up = false } end)
  assert(spec.eventually(function() return states_of(w.host) == "disabled forwarding forwarding" end))
  return w
end

-- What ip tells of a link, in the words of a map.
local function as_ip_tells(theirs)
  local addresses = {}
  for _, a in ipairs(theirs.addr_info) do
    if a["local"] then addresses[#addresses + 1] = ("%s/%d"):format(a["local"], a.prefixlen) end
  end
  return { name = theirs.ifname, index = theirs.ifindex, mtu = theirs.mtu, mac = theirs.address, master = theirs.master,
    kind = theirs.linkinfo and theirs.linkinfo.info_kind or theirs.link_type, addresses = addresses,
    is_up = contains(theirs.flags, "UP") }
end

-- A map, and what ip and bridge told in each namespace before it and still tell after it: the kernel gives links their
-- own addresses late.
local function map_with_listings(w)
  local function listings()
    local texts = {}
    for name, ns in pairs(w) do
      local links = ip.run("ip -j -d addr", ns):gsub('"%l+_timer":[%d.]+', '"timer":0') -- a bridge's, which run
      texts[name] = { links, (ip.run("bridge -j link", ns)) }
    end
    return texts
  end
  local map, before
  assert.is_true(spec.eventually(function()
    before, map = listings(), luabox.map()
    for name, texts in pairs(listings()) do
      if texts[1] ~= before[name][1] or texts[2] ~= before[name][2] then return false end
    end
    return true
  end))
  return map, before
end

describe("luabox.map #root", function()
  it("has the links that ip has", function()
    local w <close> = small_lan()
    local map, texts = map_with_listings(w)
    for name, ns in pairs(w) do
      local listed = dkjson.decode(texts[name][1])
      assert.equal(#listed, #of(map, ns).links, name)
      for _, entry in ipairs(listed) do
        local theirs, ours = as_ip_tells(entry), link_of(map, ns, entry.ifname)
        for _, field in ipairs { "index", "mtu", "mac", "master", "kind" } do
          assert.equal(theirs[field], ours[field], name .. " " .. field)
        end
        assert.same(theirs.addresses, ours.addresses, name)
        assert.equal(theirs.is_up, ours.state ~= "down", name .. " " .. entry.ifname)
      end
    end
    assert.equal("no carrier", link_of(map, w.host, "veth3").state)
    for _, port in ipairs(dkjson.decode(texts.host[2])) do
      assert.equal(port.state, link_of(map, w.host, port.ifname).port)
    end
    assert.is_true(#map.unseen == 0, table.concat(map.unseen, "\n"))
  end)

  it("tells whose the other ends are", function()
    local w <close> = small_lan()
    local map = luabox.map()
    for i = 1, 3 do
      local mine, theirs = link_of(map, w.host, "veth" .. i), link_of(map, w["v" .. i], "eth0")
      assert.equal(id_of(w["v" .. i]), mine.peer.namespace)
      assert.equal("eth0", mine.peer.link)
      assert.same({ id_of(w.host), "veth" .. i, mine.index },
        { theirs.peer.namespace, theirs.peer.link, theirs.peer.index })
    end
    change(w.v1, function(s) s:link_add { kind = "veth", name = "a", peer = { name = "b" } } end)
    local within = link_of(luabox.map(), w.v1, "a").peer
    assert.same({ id_of(w.v1), "b" }, { within.namespace, within.link })
  end)

  it("takes no namespace for another whose links have the same indexes", function()
    local names = {}
    for i = 1, 8 do names[#names + 1] = ("hub%d leaf%d"):format(i, i) end
    local w <close> = world(table.concat(names, " "))
    -- In an order that no numbers follow.
    for i = 1, 8 do
      local k = i * 3 % 8 + 1
      veth(w["hub" .. i], "port", nil, w["leaf" .. k], "eth0", nil)
    end
    local map = luabox.map()
    for i = 1, 8 do
      local k = i * 3 % 8 + 1
      assert.equal(id_of(w["leaf" .. k]), link_of(map, w["hub" .. i], "port").peer.namespace)
      assert.equal(id_of(w["hub" .. i]), link_of(map, w["leaf" .. k], "eth0").peer.namespace)
    end
  end)

  it("finds the link that one in another namespace is on", function()
    local w <close> = world "host inside"
    change(w.host, function(s)
      s:link_add { kind = "bridge", name = "br0", up = true }
      s:link_add { kind = "macvlan", name = "mv0", link = "br0", mode = "bridge", netns = w.inside }
      s:link_add { kind = "macvlan", name = "mv1", link = "br0" }
    end)
    local map = luabox.map { namespaces = w }
    local far, near = link_of(map, w.inside, "mv0"), link_of(map, w.host, "mv1")
    assert.same({ id_of(w.host), "br0", "bridge" }, { far.lower.namespace, far.lower.link, far.options.mode })
    assert.same({ id_of(w.host), "br0" }, { near.lower.namespace, near.lower.link })
    assert.matches("mv0  down  macvlan (bridge) of br0", tostring(map), 1, true)
    assert.matches("└ mv1  down  macvlan", tostring(map), 1, true)
  end)

  it("finds a namespace that only links tell of", function()
    local w <close> = world "a b"
    local switch <close> = (function()
      local ns <close> = namespace.create "net"
      return net.socket(ns)
    end)()
    switch:link_add { kind = "bridge", name = "sw", up = true }
    switch:address_add { link = "sw", address = "10.3.3.3/24" }
    for name, ns in pairs(w) do
      switch:link_add { kind = "veth", name = "port-" .. name, master = "sw", up = true,
        peer = { name = "eth0", netns = ns } }
    end
    local map = luabox.map()
    local hidden = find(map.namespaces, "hidden", true)
    assert.equal("10.3.3.3/24", find(hidden.links, "name", "sw").addresses[1])
    for name, ns in pairs(w) do
      local far = link_of(map, ns, "eth0").peer
      assert.same({ hidden.id, "port-" .. name }, { far.namespace, far.link })
      local port = find(hidden.links, "name", "port-" .. name)
      assert.same({ id_of(ns), "eth0" }, { port.peer.namespace, port.peer.link })
      assert.equal("sw", port.master)
    end
    assert.matches("─ nsid %d+ of %d+ · ", tostring(map))
  end)

  it("tells who is in a namespace, and what it is called #pidfd", function()
    local p <close> = process.spawn { program = { "sleep", "60" }, namespaces = "net" }
    local box <close> = luabox.container { name = "box" }:start()
    local blue <close> = luabox.ns.create "blue"
    local held <close> = namespace.create "net"
    finally(function() luabox.ns.delete "blue" end)
    local map = luabox.map()
    local function entry(pid) return find(map.namespaces, "id", luabox.ns.of(pid).net) end
    assert.same({ "process " .. p:pid(), p:pid(), "root", 1 },
      { entry(p:pid()).label, entry(p:pid()).pid, entry(p:pid()).user, entry(p:pid()).processes })
    assert.equal("box", entry(box:pid()).label)
    assert.equal("/run/netns/blue", of(map, blue).path)
    assert.equal("blue", of(map, blue).label)
    assert.equal(process.id(), of(map, held).holder)
    assert.is_true(entry().here)
    assert.equal("host", entry().label)
  end)

  it("reads NAT and port maps that nft made #nft", function()
    local w <close> = small_lan()
    ip.run([[sh -c '
      nft add table ip nat
      nft add chain ip nat post "{ type nat hook postrouting priority srcnat; }"
      nft add chain ip nat pre "{ type nat hook prerouting priority dstnat; }"
      nft add rule ip nat post ip saddr 172.18.0.0/24 oifname != br0 masquerade
      nft add rule ip nat post ip saddr 10.9.0.0/24 snat to 10.1.1.1
      nft add rule ip nat pre iifname wan0 tcp dport 3033 dnat to 172.18.0.2:3000
      nft add rule ip nat pre udp dport 53 redirect to :5353
      nft add chain ip nat other "{ type filter hook input priority filter; }"
      nft add rule ip nat other tcp dport 1 drop']], w.host)
    local map = luabox.map { namespaces = w }
    local texts = {}
    for i, rule in ipairs(of(map, w.host).nat) do texts[i] = rule.text end
    assert.same({
      "from 172.18.0.0/24, not out br0 → masquerade", "from 10.9.0.0/24 → snat to 10.1.1.1",
      "in wan0, tcp 3033 → 172.18.0.2:3000", "udp 53 → redirect to 5353",
    }, texts)
    assert.matches("NAT  in wan0, tcp 3033 → 172.18.0.2:3000 ", tostring(map), 1, true)
    assert.same({}, of(map, w.v1).nat)
  end)

  it("reads NAT that iptables made #nft", function()
    local w <close> = small_lan()
    ip.run([[sh -c '
      iptables-nft -t nat -N DOCKER
      iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
      iptables-nft -t nat -A POSTROUTING -s 172.18.0.0/24 ! -o br0 -j MASQUERADE
      iptables-nft -t nat -A DOCKER ! -i br0 -p tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:80']], w.host)
    local map = luabox.map { namespaces = w }
    local texts = {}
    for i, rule in ipairs(of(map, w.host).nat) do texts[i] = rule.text end
    table.sort(texts)
    assert.same({ "from 172.18.0.0/24, not out br0 → masquerade", "not in br0, tcp 8080 → 172.18.0.2:80" }, texts)
    assert.same({}, map.unseen)
  end)

  it("tells of rules that are not nftables' #nft #legacy", function()
    local p <close> = process.spawn { program = { "sleep", "60" }, namespaces = "net" }
    local enter = ("nsenter -t %d -n "):format(p:pid())
    ip.run(enter .. "iptables-legacy -t nat -A POSTROUTING -j MASQUERADE")
    local map = luabox.map { namespaces = { p:pid() } }
    assert.equal(1, #map.unseen)
    assert.matches("that of the older iptables is not read", map.unseen[1], 1, true)
  end)

  it("reads luabox's own port maps, and keeps to a network and its neighbours #nft", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.77.0.0/24", nat = true }
    local other <close> = luabox.network { name = "other", subnet = "10.78.0.0/24", gateway = true }
    local member <close> = namespace.create "net"
    local stranger <close> = namespace.create "net"
    local endpoint = lan:endpoint { name = "web" }
    endpoint:connect(member)
    other:endpoint({ name = "stranger" }):connect(stranger)
    lan:publish(endpoint, { "18080:80" })
    local map = luabox.map { namespaces = { lan } }
    assert.is_nil(of(map, stranger))
    local switch, host = of(map, lan.namespace), find(map.namespaces, "here", true)
    assert.equal("lan", switch.label)
    assert.is_nil(switch.part)
    assert.is_true(host.part)
    assert.is_nil(of(map, member).part)
    assert.equal(2, #host.links)
    assert.same({ "lo", "10.77.0.254/24" }, { host.links[1].name, host.links[2].addresses[1] })
    local found = find(host.nat, "text", "tcp 18080 → 10.77.0.1:80")
    assert.equal("dnat", found.action)
    for _, rule in ipairs(host.nat) do assert.is_nil(rule.text:find("10.78.", 1, true)) end
    assert.is_true(#luabox.map().namespaces > #map.namespaces)
  end)

  it("takes namespaces, names and pids #pidfd", function()
    local p <close> = process.spawn { program = { "sleep", "60" }, namespaces = "net" }
    local blue <close> = luabox.ns.create "blue"
    finally(function() luabox.ns.delete "blue" end)
    local map = luabox.map { namespaces = { p:pid(), "blue" } }
    assert.equal(2, #map.namespaces)
    map = luabox.map { namespaces = { mine = blue, its = p:pid() } }
    assert.equal("mine", of(map, blue).label)
    assert.equal("its", find(map.namespaces, "id", luabox.ns.of(p:pid()).net).label)
    local asleep = luabox.network { name = "asleep", subnet = "10.77.0.0/24" }
    local ok, e = pcall(luabox.map, { namespaces = { asleep } })
    assert.is_false(ok)
    assert.matches("network 'asleep': it has not started", tostring(e), 1, true)
    ok, e = pcall(luabox.map, { namespaces = { luabox.container { name = "asleep" } } })
    assert.is_false(ok)
    assert.matches("it has no network namespace yet; call start() first", tostring(e), 1, true)
    ok, e = pcall(luabox.map, { namespaces = { true } })
    assert.is_false(ok)
    assert.matches("option 'namespaces", tostring(e), 1, true)
  end)

  it("leaves this process where it is, and no descriptor open", function()
    local _ <close> = small_lan()
    local before, own = #luabox.sys.file.list "/proc/self/fd", luabox.ns.of().net
    luabox.map()
    assert.equal(before, #luabox.sys.file.list "/proc/self/fd")
    assert.equal(own, luabox.ns.of().net)
  end)
end)

if is_program then
  describe("luabox map #root", function()
    it("draws, and writes JSON and DOT", function()
      local w <close> = small_lan()
      local text, err, status = program.run { "map" }
      assert.same({ "", 0 }, { err, status })
      assert.matches("├ veth1  up +├────┤ eth0  up +172.18.0.2/24 +│", text)
      local graph = dkjson.decode((program.run { "map", "--json" }))
      local entry = find(graph.namespaces, "id", id_of(w.host))
      assert.equal(id_of(w.v2), find(entry.links, "name", "veth2").peer.namespace)
      local dot = program.run { "map", "--dot" }
      assert.matches("^graph luabox {", dot)
      assert.matches(('"%d/%d" -- '):format(id_of(w.host), find(entry.links, "name", "veth1").index), dot, 1, true)
    end)

    it("keeps to what is named", function()
      local blue <close>, number = luabox.ns.create "blue", luabox.ns.create "1.5"
      finally(function()
        number:close()
        luabox.ns.delete "blue"
        luabox.ns.delete "1.5"
      end)
      local red <close> = namespace.create "net"
      veth(blue, "eth0", "10.1.0.1/24", red, "eth9", "10.1.0.2/24")
      local text = program.run { "map", "blue" }
      assert.matches("─ blue · ", text, 1, true)
      assert.matches("eth9  up  10.1.0.2/24", text, 1, true)
      assert.is_nil(text:find("host", 1, true))
      assert.equal(text, (program.run { "map", "--", "blue" }))
      assert.matches("1.5 · ", (program.run { "map", "1.5" }), 1, true)
      local _, err, status = program.run { "map", "--", "--json" }
      assert.equal(1, status)
      assert.matches("with the name '--json'", err, 1, true)
      _, err, status = program.run { "map", "nobody" }
      assert.equal(1, status)
      assert.matches("luabox map: there is no network namespace and no container with the name 'nobody'", err, 1, true)
      _, err, status = program.run { "map", "--dott" }
      assert.equal(2, status)
      assert.matches("unknown option '--dott'", err, 1, true)
    end)

    it("serves an ordinary user, and says what he may not see", function()
      local p <close> = process.spawn { program = { "sleep", "60" }, namespaces = "net" }
      local text, err, status = program.shell("setpriv --reuid 65534 --clear-groups " .. program.path .. " map")
      assert.same({ "", 0 }, { err, status })
      assert.matches("here", text, 1, true)
      assert.matches("Not seen:\n%- the namespaces of %d+ processes of other users", text)
      assert.matches("- NAT of process %d+: it takes CAP_NET_ADMIN", text)
      assert.is_true(p:alive())
    end)

    it("shows ordinary users what is in their own user namespaces #userns #pidfd", function()
      local as_user = { "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups" }
      local command = table.move(as_user, 1, #as_user, 1, {})
      for _, word in ipairs { "unshare", "-rn", "sh", "-c",
        "ip link add br0 type bridge; ip addr add 10.7.0.1/24 dev br0; echo up; exec sleep 60" } do
        command[#command + 1] = word
      end
      local p <close> = process.spawn { program = command, stdout = "pipe" }
      assert.equal("up\n", p:stdout():read(3))
      local text, err = program.shell(table.concat(as_user, " ") .. " " .. program.path .. " map")
      assert.equal("", err)
      assert.matches("│ br0  down  10.7.0.1/24  bridge", text, 1, true)
    end)

    it("draws SVG with Graphviz #graphviz", function()
      local _ <close> = small_lan()
      local svg, err, status = program.run { "map", "--svg" }
      assert.same({ "", 0 }, { err, status })
      assert.matches("<svg ", svg, 1, true)
      assert.matches("172.18.0.1/24", svg, 1, true)
    end)

    it("says which package draws SVG, where it is not installed", function()
      local _, err, status = program.shell("PATH=/nowhere " .. program.path .. " map --svg")
      assert.equal(1, status)
      assert.matches("install the package graphviz", err, 1, true)
    end)
  end)
end
