-- The drawing of a map, from graphs that are given: what the kernel says is tests/root/map_spec.lua's.
local luabox = require "luabox"
local draw, dot = luabox.map_text.draw, luabox.map_dot.draw

local function link(index, name, state, addresses, o)
  local l = { index = index, name = name, state = state, addresses = addresses or {}, kind = "veth", mtu = 1500 }
  for key, value in pairs(o or {}) do l[key] = value end
  return l
end

local function peer(namespace, name, index) return { peer = { namespace = namespace, link = name, index = index } } end

local function namespace(id, label, links, o)
  local n = { id = id, label = label, processes = 0, links = links, nat = {} }
  for key, value in pairs(o or {}) do n[key] = value end
  return n
end

local function lo(state) return link(1, "lo", state or "up", { "127.0.0.1/8" }, { kind = "loopback" }) end

local function small()
  return { unseen = { "the namespaces of 3 processes of other users" }, namespaces = {
    namespace(100, "host", {
      lo(), link(2, "eth0", "up", { "192.168.1.5/24", "fe80::1/64" }, { kind = "ether" }),
      link(3, "br0", "up", { "172.18.0.1/24" }, { kind = "bridge" }),
      link(4, "veth1", "up", {}, { master = "br0", port = "forwarding",
        peer = { namespace = 101, link = "eth0", index = 2 } }),
      link(5, "veth2", "no carrier", {}, { master = "br0", port = "disabled",
        peer = { namespace = 102, link = "eth0", index = 2 } }),
      link(6, "vlan10", "up", { "10.10.0.1/24" }, { kind = "vlan", options = { id = 10 },
        lower = { namespace = 100, link = "eth0", index = 2 } }),
      link(7, "wan0", "up", { "10.9.0.1/24" }, peer(103, "eth0", 2)),
    }, { here = true, pid = 1, processes = 90, command = "/sbin/init", nat = {
      { text = "from 172.18.0.0/24, not out br0 → masquerade" }, { text = "tcp 3033 → 172.18.0.2:3000" } } }),
    namespace(101, "v1", { lo "down", link(2, "eth0", "up", { "172.18.0.2/24" }, peer(100, "veth1", 4)) },
      { pid = 812, processes = 1, command = "httpd -f" }),
    namespace(102, "v2", { lo(), link(2, "eth0", "down", {}, peer(100, "veth2", 5)) },
      { holder = 7, command = "luabox" }),
    namespace(103, "router", { lo(), link(2, "eth0", "up", { "10.9.0.2/24" }, peer(100, "wan0", 7)),
      link(3, "eth1", "up", {}, { peer = { index = 9, nsid = 0 } }),
      link(4, "eth2", "up", { "10.8.0.1/24" }, peer(104, "eth0", 2)) }),
    namespace(104, "far", { lo(), link(2, "eth0", "up", { "10.8.0.2/24" }, peer(103, "eth2", 4)) }),
    namespace(105, "alone", { lo() }, { holder = 9, command = "sleep 60" }),
  } }
end

local GOLDEN = [[
┌─ host · here · process 1 and 89 more: /sbin/init ─┐
│ eth0      up          192.168.1.5/24              │
│ └ vlan10  up          10.10.0.1/24  vlan 10       │
│ br0       up          172.18.0.1/24  bridge       │    ┌─ v1 · lo down · process 812: httpd -f ─┐
│ ├ veth1   up                                      ├────┤ eth0  up  172.18.0.2/24                │
│ │                                                 │    ├─ v2 · held by process 7: luabox ───────┤
│ └ veth2   no carrier  disabled                    ├────┤ eth0  down                             │
│ wan0      up          10.9.0.1/24                 │    └────────────────────────────────────────┘
│                       to eth0 in router           │
│ NAT  from 172.18.0.0/24, not out br0 → masquerade │
│ NAT  tcp 3033 → 172.18.0.2:3000                   │
└───────────────────────────────────────────────────┘
┌─ router · no process in it ────────────┐
│ eth0  up  10.9.0.2/24  to wan0 in host │
│ eth1  up  to link 9, out of sight      │    ┌─ far · no process in it ─┐
│ eth2  up  10.8.0.1/24                  ├────┤ eth0  up  10.8.0.2/24    │
└────────────────────────────────────────┘    └──────────────────────────┘
Nothing but a loopback:
- alone · held by process 9: sleep 60
Not seen:
- the namespaces of 3 processes of other users
]]

describe("luabox.map_text", function()
  it("draws what is joined with what", function()
    assert.equal(GOLDEN, draw(small()) .. "\n")
  end)

  local function widest(text)
    local width = 0
    for line in text:gmatch "[^\n]+" do width = math.max(width, (assert(utf8.len(line)))) end
    return width
  end

  -- A hub with so many others, each with the longest of everything.
  local function star(count)
    local hub = namespace(1, ("h"):rep(64), {}, { pid = 1, processes = 2, command = ("long command "):rep(20) })
    local graph = { namespaces = { hub }, unseen = { ("x"):rep(300), ("word "):rep(99) } }
    for i = 1, count do
      local name = ("veth%011d"):format(i)
      hub.links[i] = link(i, name, "no carrier", { "fd00:1111:2222:3333:4444:5555:6666:7777/64", "10.200.200.200/24" },
        peer(i + 1, ("eth%012d"):format(i), 2))
      graph.namespaces[i + 1] = namespace(i + 1, ("node%d."):format(i) .. ("n"):rep(60), {
        link(2, ("eth%012d"):format(i), "up", { "fd00:1111:2222:3333:4444:5555:6666:7778/64" }, peer(1, name, i)),
      }, { nat = { { text = ("condition "):rep(20) .. "→ masquerade" } }, holder = 1, command = ("c"):rep(300) })
    end
    return graph
  end

  it("is never wider than 100 columns, and cuts no address", function()
    for _, count in ipairs { 1, 2, 30 } do
      local text = draw(star(count))
      assert.is_true(widest(text) <= 100, text)
      local _, seen = text:gsub("fd00:1111:2222:3333:4444:5555:6666:7778/64", "")
      assert.equal(count, seen)
      for i = 1, count do assert.matches(("node%d."):format(i), text, 1, true) end
    end
  end)

  it("takes two lines for a neighbour with one link", function()
    local hub = namespace(1, "host", {}, { here = true })
    local graph = { namespaces = { hub }, unseen = {} }
    for i = 1, 30 do
      hub.links[i] = link(i, "veth" .. i, "up", {}, peer(i + 1, "eth0", 2))
      graph.namespaces[i + 1] = namespace(i + 1, "n" .. i, { link(2, "eth0", "up", { "10.0.0." .. i .. "/24" },
        peer(1, "veth" .. i, i)) })
    end
    local _, lines = draw(graph):gsub("\n", "")
    assert.is_true(lines <= 62, lines)
  end)

  it("lets no control character and no broken text through", function()
    local text = draw { unseen = {}, namespaces = { namespace(1, "a\27[2Jb\255", {
      link(2, "e\200\7", "up", { "10.0.0.1/24" }) }, { pid = 5, processes = 1, command = "x\ny\9z 世界" }) } }
    assert.is_truthy(utf8.len(text))
    assert.is_nil(text:gsub("\n", ""):find "%c")
    assert.matches("a?[2Jb?", text, 1, true)
    assert.matches("process 5: x?y?z ??", text, 1, true)
  end)

  it("ends with links that are in each other's way", function()
    local text = draw { unseen = {}, namespaces = { namespace(1, "odd", {
      link(2, "a", "up", {}, { master = "b" }), link(3, "b", "up", {}, { master = "a" }), link(4, "c", "up") }) } }
    for _, name in ipairs { "a", "b", "c" } do assert.matches(" " .. name .. "  ", text, 1, true) end
  end)

  it("draws nothing but maps", function()
    for _, f in ipairs { draw, dot, luabox.map_dot.svg } do
      local ok, message = pcall(f, 5)
      assert.is_false(ok)
      assert.matches("bad argument #1 to '%a+' %(table expected, got number%)", message)
      ok, message = pcall(f, {})
      assert.is_false(ok)
      assert.matches("is no map: it lacks 'namespaces' or 'unseen'", message, 1, true)
    end
    local ok, message = pcall(luabox.map, { namespaces = {} })
    assert.is_false(ok)
    assert.matches("bad argument #1 to 'map' (option 'namespaces': is empty)", message, 1, true)
    ok, message = pcall(luabox.map, { namespace = {} })
    assert.is_false(ok)
    assert.matches("unknown option 'namespace'; did you mean 'namespaces'?", message, 1, true)
  end)

  it("loses no namespace whose link is not there any more", function()
    local text = draw { unseen = {}, namespaces = {
      namespace(1, "hub", { link(2, "a", "up", {}, { peer = { namespace = 2, index = 7 } }), link(3, "b", "up") }),
      namespace(2, "gone", { link(2, "c", "up") }) } }
    assert.matches("a  up  to 7 in gone", text, 1, true)
    assert.matches("c  up  veth", (text:gsub("up +│", "up  veth")), 1, true)
  end)

  it("shows a part of many rules, and says so", function()
    local nat = {}
    for i = 1, 1000 do nat[i] = { text = ("tcp %d → 10.0.0.2:80"):format(i) } end
    local text = draw { unseen = {}, namespaces = { namespace(1, "host", {}, { nat = nat }) } }
    assert.matches("and 988 more", text, 1, true)
    assert.is_true(select(2, text:gsub("\n", "")) < 20)
  end)
end)

describe("luabox.map_dot", function()
  it("has each link once and each pair once", function()
    local text = dot(small())
    assert.matches("^graph luabox {\n.*\n}\n$", text)
    local _, edges = text:gsub(" %-%- ", "")
    assert.equal(2 + 1 + 3 + 1, edges) -- ports, the vlan, from the host, to far
    local _, clusters = text:gsub("subgraph", "")
    assert.equal(6, clusters)
    assert.matches('"100/4" -- "101/2" [style=solid];', text, 1, true)
    assert.matches('"100/4" -- "100/3" [style=dashed];', text, 1, true)
    assert.matches('"100/6" -- "100/2" [style=dotted];', text, 1, true)
  end)

  it("quotes what it is given", function()
    local text = dot { unseen = {}, namespaces = { namespace(1, 'a"] b\\', { link(2, 'x"y', "up") }) } }
    assert.matches([[label="a\"] b\\ · no process in it"]], text, 1, true)
    assert.matches([[label="x\"y up"]], text, 1, true)
  end)
end)
