local luabox = require "luabox"
local net, namespace, system = luabox.sys.net, luabox.sys.namespace, luabox.sys.system
local needs = require "needs"
local spec = require "spec"

local command, failure = spec.output, spec.refused

-- A site that answers with the address that it sees.
local PEER = { ["/www/cgi-bin/peer"] = [[#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
echo $REMOTE_ADDR
]] }
local HTTPD = { "httpd", "-f", "-p", "0.0.0.0:80", "-h", "/www" }
local HTTPD6 = { "httpd", "-f", "-p", "[::]:80", "-h", "/www" }

local function wait_for_server(box, port)
  local try = ("nc -w 30 %s </dev/null >/dev/null 2>&1"):format(port or "127.0.0.1 80")
  box:check { "sh", "-c", "until " .. try .. "; do sleep 0.01; done" }
end

local function server(o)
  o.command, o.files = o.command or HTTPD, PEER
  local box = luabox.container(o):start()
  wait_for_server(box)
  return box
end

local function node(lan, name, o)
  o = o or {}
  o.name, o.network = name, o.networks == nil and lan or nil
  return luabox.container(o):start()
end

-- What the server at `url` sees as the caller's address.
local function seen(box, url)
  return (box:check({ "wget", "-qO-", "http://" .. url .. "/cgi-bin/peer" }).stdout:gsub("%s+$", ""))
end

local function is_before(major, minor)
  local a, b = system.uname().release:match "^(%d+)%.(%d+)"
  return tonumber(a) < major or tonumber(a) == major and tonumber(b) < minor
end

local function pings(box, name)
  return box:run({ "ping", "-c", "1", "-W", "30", name }).code == 0
end

local function host_links()
  return command "ip -o link show type veth; ip -o link show type bridge"
end

describe("a network #root", function()
  it("lets its members reach each other by name, and leaves the host's links alone", function()
    local lan <close> = luabox.network { name = "lan", subnet = "192.168.2.0/24" }
    local a <close> = node(lan, "a")
    local b <close> = node(lan, "b")
    assert.is_true(pings(a, "b"))
    assert.is_true(pings(b, "a"))
    assert.equal("", host_links())
  end)

  it("hands addresses out, and takes those that are asked for", function()
    local lan <close> = luabox.network { name = "lan", subnet = "192.168.2.0/24" }
    local a <close> = luabox.container { name = "a", network = lan }
    local b <close> = luabox.container { name = "b", network = lan, address = "192.168.2.77" }
    assert.equal("192.168.2.1", a.address)
    assert.equal("192.168.2.77", b.address)
    b:start()
    assert.matches("inet 192.168.2.77/24", b:check({ "ip", "addr", "show", "eth0" }).stdout)
  end)

  it("chooses a subnet that nobody has, if it is given none #nft", function()
    local networks = {}
    for i = 1, 20 do networks[i] = luabox.network { name = "n" .. i, gateway = true } end
    local seen_subnets = {}
    for _, network in ipairs(networks) do
      network:start()
      local subnet = tostring(network.pools[4].subnet)
      assert.matches("^10%.%d+%.%d+%.0/24$", subnet)
      assert.is_nil(seen_subnets[subnet])
      seen_subnets[subnet] = true
    end
    for _, network in ipairs(networks) do network:delete() end
  end)

  it("chooses another one in each run, however a script seeds its own numbers", function()
    local chosen = {}
    for i = 1, 3 do
      math.randomseed(1)
      chosen[i] = tostring(luabox.free_subnet.choose {})
    end
    assert.is_false(chosen[1] == chosen[2] and chosen[2] == chosen[3])
  end)

  it("refuses addresses that cannot be had", function()
    local lan <close> = luabox.network { name = "lan", subnet = "192.168.2.0/24", gateway = true }
    local a <close> = luabox.container { name = "a", network = lan }
    local function refusal(o)
      o.network = lan
      return (failure(luabox.container, o))
    end
    assert.matches("192.168.2.1 is taken by a", refusal { name = "b", address = "192.168.2.1" })
    assert.matches("192.168.2.254 is taken by the gateway", refusal { name = "b", address = "192.168.2.254" })
    assert.matches("10.0.0.1 is not in the subnet 192.168.2.0/24", refusal { name = "b", address = "10.0.0.1" })
    assert.matches("'a' is in network 'lan' already", refusal { name = "a" })
    assert.equal("192.168.2.1", a.address)
    local small <close> = luabox.network { name = "small", subnet = "10.0.0.0/30", gateway = true }
    local only <close> = luabox.container { name = "only", network = small }
    assert.matches("the subnet 10.0.0.0/30 has no free address left",
      (failure(luabox.container, { name = "more", network = small })))
    assert.equal("10.0.0.1", only.address)
  end)

  it("tells running members of those who come and go", function()
    local lan <close> = luabox.network { name = "lan", subnet = "192.168.2.0/24" }
    local a <close> = node(lan, "a")
    do
      local late <close> = node(lan, "late")
      assert.is_true(pings(a, "late"))
      assert.is_true(late:pid() > 0)
    end
    assert.equal(1, a:run({ "grep", "late", "/etc/hosts" }).code)
  end)

  it("keeps a container's address and link when it is started again", function()
    local lan <close> = luabox.network { name = "lan", subnet = "192.168.2.0/24" }
    local a <close> = node(lan, "a")
    local b <close> = node(lan, "b")
    local ns = command(("readlink /proc/%d/ns/net"):format(b:pid()))
    b:stop(0)
    b:start()
    assert.equal(ns, command(("readlink /proc/%d/ns/net"):format(b:pid())))
    assert.is_true(pings(a, "b"))
  end)

  it("takes a name and an address again that were given back", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local a <close> = node(lan, "a")
    for _ = 1, 3 do
      local b <close> = node(lan, "b")
      assert.equal("10.1.0.2", b.address)
      assert.is_true(pings(a, "b"))
    end
  end)

  it("gives a container several links, with names and one default route #nft", function()
    local one <close> = luabox.network { name = "one", subnet = "10.1.0.0/24", gateway = true }
    local two <close> = luabox.network { name = "two", subnet = "10.2.0.0/24", gateway = true }
    local box <close> = node(nil, "box", { networks = {
      { network = one, interface = "left" },
      { network = two, interface = "right", address = "10.2.0.9", default_route = true },
    } })
    local text = box:check({ "ip", "addr" }).stdout
    assert.matches("10.1.0.1/24 .- left", text)
    assert.matches("10.2.0.9/24 .- right", text)
    assert.equal("default via 10.2.0.254 dev right", box:check({ "ip", "route" }).stdout:match "default[^\n]*right")
  end)

  it("gives a member routes, through another one or in place of the gateway's #ipv6 #nft", function()
    local inner <close> = luabox.network { name = "inner", subnet = { "10.1.0.0/24", "fd00:1::/64" } }
    local outer <close> = luabox.network { name = "outer", subnet = { "10.2.0.0/24", "fd00:2::/64" }, gateway = true }
    local router <close> = node(nil, "router", {
      sysctls = { ["net.ipv4.ip_forward"] = 1, ["net.ipv6.conf.all.forwarding"] = 1 },
      networks = { { network = inner, address = { "10.1.0.1", "fd00:1::1" } },
        { network = outer, address = { "10.2.0.1", "fd00:2::1" } } },
    })
    local left <close> = node(inner, "left",
      { routes = { { to = "0.0.0.0/0", via = "10.1.0.1" }, { to = "fd00:2::/64", via = "fd00:1::1" } } })
    local right <close> = node(outer, "right",
      { routes = { { to = "10.1.0.0/24", via = "10.2.0.1" }, { to = "::/0", via = "fd00:2::1" } } })
    assert.is_true(pings(left, right.address))
    assert.equal(0, left:run({ "ping6", "-c", "1", "-W", "30", "fd00:2::2" }).code)
    local function routes(box, option)
      local list = {}
      for line in box:check({ "ip", option, "route" }).stdout:gmatch "[^\n]- via %S+" do list[#list + 1] = line end
      table.sort(list)
      return list
    end
    assert.same({ "10.1.0.0/24 via 10.2.0.1", "default via 10.2.0.254" }, routes(right, "-4"))
    assert.same({ "default via fd00:2::1" }, routes(right, "-6"))
    assert.same({ "default via 10.1.0.1" }, routes(left, "-4"))
    assert.is_true(router:pid() > 0)
  end)

  it("speaks IPv6 as well #ipv6", function()
    local lan <close> = luabox.network { name = "lan", subnet = { "10.1.0.0/24", "fd00:1::/64" } }
    local a <close> = node(lan, "a")
    local b <close> = node(lan, "b")
    assert.equal(0, a:run({ "ping6", "-c", "1", "-W", "5", "fd00:1::2" }).code)
    assert.equal("10.1.0.2", b.address)
  end)

  it("connects namespaces that are no containers", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local ns <close> = namespace.create "net"
    lan:endpoint({ name = "bare", interface = "up0" }):connect(ns)
    local a <close> = node(lan, "a")
    local socket <close> = net.socket(ns)
    assert.equal("up0", socket:link("up0").name)
    assert.is_true(pings(a, "bare"))
  end)

  -- By chance, in one of twelve: what is sent at once is lost, and its answer. Older kernels are not asked.
  it("passes on what its members send at once", function()
    if is_before(6, 12) then return end
    for _ = 1, 40 do
      local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
      local undo <close> = luabox.scope.new()
      for i = 1, 4 do lan:endpoint({ name = "m" .. i }):connect(undo:own(namespace.create "net")) end
      local seen_by_all = lan:pingall { timeout = 20 }
      assert.is_true(seen_by_all.ok, tostring(seen_by_all))
    end
  end)

  it("is drawn #nft", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24", nat = true }
    local a <close> = node(lan, "a")
    local text = tostring(lan)
    assert.matches("10.1.0.0/24", text)
    assert.matches("10.1.0.254 on lan%-%x%x%x%x, NAT", text)
    assert.matches(a.address, text)
  end)
end)

describe("a network's way out #root #nft", function()
  -- "Another machine", which knows no way back into a network of ours.
  local function world()
    local six = not needs.ipv6() and "2001:db8::/64" or nil
    return luabox.network { name = "world", subnet = { "198.51.100.0/24", six }, gateway = true }
  end

  local function outside(w, o)
    o = o or {}
    o.name, o.networks = "outside", { { network = w, default_route = false } }
    return server(o)
  end

  it("puts one link into the host, and takes it and forwarding back", function()
    assert.equal("0", system.sysctl "net.ipv4.ip_forward")
    do
      local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24", gateway = true }
      lan:start()
      assert.equal("1", system.sysctl "net.ipv4.ip_forward")
      assert.matches("^[^\n]+$", host_links())
      assert.matches("inet 10.1.0.254/24", command "ip addr")
      local a <close> = node(lan, "a")
      assert.is_true(pings(a, "10.1.0.254"))
    end
    assert.equal("", host_links())
    assert.equal("0", system.sysctl "net.ipv4.ip_forward")
    assert.equal("", command "nft list tables")
  end)

  it("is refused where the host has another way to the subnet", function()
    local first <close> = luabox.network { name = "first", subnet = "10.1.0.0/16", gateway = true }
    first:start()
    local second <close> = luabox.network { name = "second", subnet = "10.1.2.0/24", gateway = true }
    assert.equal("start network 'second': route 10.1.2.0/24: the host has a route to 10.1.0.0/16 already (EEXIST); " ..
      "give the network another subnet, or no gateway", (failure(second.start, second)))
  end)

  it("shows the host's address with NAT, and nothing without", function()
    local w <close> = world()
    local out <close> = outside(w)
    do
      local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24", nat = true }
      local a <close> = node(lan, "a")
      assert.equal("198.51.100.254", seen(a, out.address))
    end
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24", gateway = true }
    local a <close> = node(lan, "a")
    assert.equal(1, a:run({ "ping", "-c", "1", "-W", "1", out.address }).code)
  end)

  it("publishes ports to other machines, the host, its loopback and neighbours", function()
    local w <close> = world()
    local out <close> = outside(w)
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local web <close> = server { name = "web", network = lan, ports = { "8080:80" } }
    local neighbour <close> = node(lan, "neighbour", {})
    local host <close> = luabox.container({ name = "host", network = "host" }):start()
    assert.equal(out.address, seen(out, w.gateway .. ":8080"))
    assert.equal(lan.gateway, seen(host, lan.gateway .. ":8080"))
    assert.equal(lan.gateway, seen(host, "127.0.0.1:8080"))
    assert.equal(lan.gateway, seen(neighbour, w.gateway .. ":8080"))
    assert.equal("10.1.0.1", web.address)
    web:stop(0)
    assert.equal(1, host:run({ "wget", "-qO-", "http://127.0.0.1:8080/" }).code)
  end)

  it("publishes on one address only, if told so", function()
    local w <close> = world()
    local out <close> = outside(w)
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local web <close> = server { name = "web", network = lan, ports = { "127.0.0.1:8080:80" } }
    local host <close> = luabox.container({ name = "host", network = "host" }):start()
    assert.equal(lan.gateway, seen(host, "127.0.0.1:8080"))
    assert.equal(1, out:run({ "wget", "-qO-", ("http://%s:8080/"):format(w.gateway) }).code)
    assert.equal("10.1.0.1", web.address)
  end)

  it("says which chain of the host drops what has to pass", function()
    local w <close> = world()
    local out <close> = outside(w)
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24", nat = true }
    local a <close> = node(lan, "a")
    local function reaches() return a:run({ "wget", "-T", "2", "-qO-", "http://" .. out.address .. "/" }).code == 0 end
    local before = tostring(lan)
    spec.shell "nft add table ip filter"
    spec.shell "nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'"
    finally(function() spec.shell "nft delete table ip filter" end)
    assert.is_false(reaches())
    local line = "  host: its chain FORWARD of table ip filter drops by default: what has to pass there needs a rule\n"
    assert.equal(before, (tostring(lan):gsub(line, "")))
    assert.matches(line, tostring(lan), 1, true)
    spec.shell "nft insert rule ip filter FORWARD ip saddr 10.1.0.0/24 accept"
    spec.shell "nft insert rule ip filter FORWARD ip daddr 10.1.0.0/24 accept"
    assert.is_true(a:run({ "ping", "-c", "1", "-W", "30", out.address }).code == 0)
  end)

  it("publishes udp", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local box <close> = luabox.container({ name = "box", network = lan, ports = { "127.0.0.1:5353:53/udp" },
      rootfs = "/", command = { "python3", "-c", spec.contents "tests/peer.py", "serve", "udp:53" } }):start()
    box:check { "sh", "-c", "until cat /proc/net/udp* | grep -q ':0035'; do sleep 0.1; done" }
    assert.equal(lan.gateway, command "python3 tests/peer.py ask udp 127.0.0.1 5353")
  end)

  it("publishes on IPv6 #ipv6", function()
    local w <close> = world()
    local out <close> = outside(w, { command = HTTPD6 })
    local lan <close> = luabox.network { name = "lan", subnet = "fd00:1::/64" }
    local web <close> = server { name = "web", network = lan, command = HTTPD6, ports = { "8080:80" } }
    local host <close> = luabox.container({ name = "host", network = "host" }):start()
    assert.equal("[2001:db8::1]", seen(out, "[2001:db8::ffff:ffff:ffff:ffff]:8080"))
    assert.equal(("[%s]"):format(lan.gateway), seen(host, "[::1]:8080"))
    assert.equal("fd00:1::1", web.address)
  end)

  it("publishes on any free port", function()
    local lan <close> = luabox.network { name = "lan" }
    local one <close> = server { name = "one", network = lan, ports = { "0:80" } }
    local two <close> = server { name = "two", network = lan, ports = { "0:80" } }
    local host <close> = luabox.container({ name = "host", network = "host" }):start()
    assert.not_equal(one:host_port(80), two:host_port(80))
    assert.equal(lan.gateway, seen(host, "127.0.0.1:" .. one:host_port(80)))
    assert.equal(lan.gateway, seen(host, "127.0.0.1:" .. two:host_port(80)))
    assert.is_nil(one:host_port(81))
  end)

  it("publishes a range of ports", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local web <close> = server { name = "web", network = lan, ports = { "8000-8002:79-81" } }
    local host <close> = luabox.container({ name = "host", network = "host" }):start()
    assert.equal(lan.gateway, seen(host, "127.0.0.1:8001"))
    assert.equal("10.1.0.1", web.address)
  end)

  it("refuses a port in use, naming who has it, and is as before", function()
    local taken <close> = luabox.container {
      name = "taken", network = "host", command = { "nc", "-l", "-p", "8080" } }
    taken:start()
    taken:check { "sh", "-c", "until grep -q ':1F90' /proc/net/tcp /proc/net/tcp6; do sleep 0.01; done" }
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local web <close> = luabox.container { name = "web", network = lan, ports = { "8080:80" }, command = HTTPD }
    local text, e = failure(web.start, web)
    assert.equal("EADDRINUSE", e.code)
    assert.matches("8080", text)
    assert.matches("held by", text)
    assert.equal("created", web:state())
    taken:kill()
    taken:wait()
    web:start()
  end)

  it("keeps the host's loopback from members", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24", gateway = true }
    local secret <close> = luabox.container {
      name = "secret", network = "host", command = { "httpd", "-f", "-p", "127.0.0.1:99" } }
    secret:start()
    wait_for_server(secret, "127.0.0.1 99")
    local a <close> = node(lan, "a", { sysctls = {
      ["net.ipv4.conf.all.route_localnet"] = 1, ["net.ipv4.conf.eth0.route_localnet"] = 1 } })
    a:call(function()
      luabox.sys.net.address_delete { link = "lo", address = "127.0.0.1/8" }
      luabox.sys.net.route_add { destination = "127.0.0.0/8", gateway = "10.1.0.254" }
    end)
    assert.not_equal(0, a:run({ "sh", "-c", "nc -w 1 127.0.0.1 99 </dev/null" }).code)
  end)
end)
