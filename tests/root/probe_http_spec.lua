-- luabox.probe.http, and who asks whom by which name: servers and containers on a network of luabox's.
local luabox = require "luabox"
local badargs = require "badargs"
local child = require "child"
local spec = require "spec"

local probe, process, namespace = luabox.probe, luabox.sys.process, luabox.sys.namespace
local failure = spec.refused

-- Two namespaces: "a" asks, in "b" a server says what it was asked for.
local function new_world()
  local world = luabox.scope.new()
  local lan = world:own(luabox.network { name = "lan", subnet = "10.1.0.0/24" })
  for _, name in ipairs { "a", "b" } do
    world[name] = world:own(namespace.create "net")
    lan:endpoint({ name = name }):connect(world[name])
  end
  world.lan = lan
  return world
end

local SERVER = [[
import socket, time
ANSWERS = {
    b"/length": b"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-Two: a\r\nx-two:  b\r\n\r\nhello, and more",
    b"/close": b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 200000,
    b"/cut": b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    b"/none": b"HTTP/1.0 204 No Content\r\n\r\n",
    b"/moved": b"HTTP/1.0 301 Moved\r\nContent-Length: 0\r\nLocation: /length\r\n\r\n",
    b"/bare": b"HTTP/1.0 200 OK\n\nhello",
    b"/junk": b"SSH-2.0-nobody\r\n\r\n",
    b"/silent": b"",
    b"/slow": b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nhello",
}
s = socket.create_server(("", 8080))
print("ready", flush=True)
kept = []
while True:
    c, _ = s.accept()
    data = b""
    while b"\r\n\r\n" not in data or data.endswith(b"more:"):
        data += c.recv(65536)
    path = data.split(b" ")[1]
    c.sendall(ANSWERS.get(path) or b"HTTP/1.0 200 OK\r\n\r\n" + data if path != b"/silent" else b"")
    if path in (b"/slow", b"/silent", b"/length", b"/none"):
        kept.append(c)
    else:
        c.close()
]]

local function serve(world)
  local server = world:own(process.spawn { join = { world.b }, stdout = "pipe", program = { "python3", "-c", SERVER } })
  assert.equal("ready", server:stdout():read(5))
  return function(path, o)
    o = o or {}
    o.namespace, o.timeout = world.a, o.timeout or 60
    return probe.http("http://10.1.0.2:8080" .. path, o)
  end
end

describe("probe.http #root", function()
  it("reads status, headers and body, to their end and no further", function()
    local world <close> = new_world()
    local get = serve(world)
    local r = get "/length"
    assert.same({ true, 200, "Fine", "hello" }, { r.ok, r.status, r.reason, r.body })
    assert.same({ ["content-length"] = "5", ["x-two"] = "a, b" }, r.headers)
    assert.matches("^http://10.1.0.2:8080/length: 200 Fine, 5 bytes in [%d.]+ ms$", tostring(r))
    assert.equal(("x"):rep(200000), get("/close").body)
    assert.equal("hello", get("/bare").body)
    assert.same({ true, 204, "" }, { get("/none").ok, get("/none").status, get("/none").body })
  end)

  it("sends what it was told to", function()
    local world <close> = new_world()
    local get = serve(world)
    assert.equal("GET /x?y=1 HTTP/1.0\r\nHost: 10.1.0.2:8080\r\nConnection: close\r\n\r\n", get("/x?y=1").body)
    local r = get("/x", { method = "POST", body = "a\0b", headers = { ["X-More"] = "1" } })
    assert.equal("POST /x HTTP/1.0\r\nHost: 10.1.0.2:8080\r\nConnection: close\r\nX-More: 1\r\n" ..
      "Content-Length: 3\r\n\r\na\0b", r.body)
    r = get("/length", { method = "HEAD" })
    assert.same({ true, "" }, { r.ok, r.body })
    r = probe.http("10.1.0.2", { namespace = world.a, port = 8080, path = "/p", timeout = 60 })
    assert.matches("^GET /p HTTP/1.0\r\n", r.body)
  end)

  it("takes what is no whole or no HTTP response for a failure, and says what there was", function()
    local world <close> = new_world()
    local get = serve(world)
    local r = get "/cut"
    assert.same({ false, 200, "hello", true, "EBADMSG" }, { r.ok, r.status, r.body, r.truncated, r.error })
    assert.same({ false, "EBADMSG" }, { get("/junk").ok, get("/junk").error })
    assert.is_true(spec.eventually(function() -- a busy server may not have begun in time
      r = get("/slow", { timeout = 1 })
      assert.same({ false, "ETIMEDOUT" }, { r.ok, r.error })
      return r.body == "hello"
    end))
    r = get("/silent", { timeout = 0.2 })
    assert.same({ false, "ETIMEDOUT" }, { r.ok, r.error })
    r = get("/close", { limit = 1000 })
    assert.same({ true, true, 1000 }, { r.ok, r.truncated, #r.body + #"HTTP/1.0 200 OK\r\n\r\n" })
    r = probe.http("http://10.1.0.2/", { namespace = world.a, timeout = 60 })
    assert.same({ false, "ECONNREFUSED" }, { r.ok, r.error })
    assert.equal("http://10.1.0.2/: ECONNREFUSED", tostring(r))
  end)

  it("holds the response against what is expected", function()
    local world <close> = new_world()
    local get = serve(world)
    assert.is_false(get("/moved").ok)
    assert.is_true(get("/moved", { expect = 301 }).ok)
    assert.is_false(get("/length", { expect = 301 }).ok)
    assert.is_true(get("/length", { expect = "^h" }).ok)
    local r = get("/length", { expect = "bye", retries = 2, interval = 0.001 })
    assert.same({ false, 3, "EBADMSG" }, { r.ok, r.tries, r.error })
  end)
end)

describe("a probe #root", function()
  it("starts where it is told to", function()
    local world <close> = new_world()
    local lo <close> = luabox.sys.net.socket(world.a)
    lo:link_set { name = "lo", up = true }
    local there <close> = process.spawn { join = { world.a }, program = { "sleep", "60" } }
    local box <close> = luabox.container { name = "box", network = world.lan }:start()
    local host <close> = luabox.container { name = "host", network = "host" }
    local bound <close> = luabox.sys.net.socket()
    bound:address_add { link = "lo", address = "127.9.9.9/8" }
    finally(function() luabox.sys.net.address_delete { link = "lo", address = "127.9.9.9/8" } end)
    for _, from in ipairs { world.a, there:pid(), box } do
      assert.is_true(probe.ping("10.1.0.2", { namespace = from, timeout = 60 }).ok)
    end
    assert.equal("ENETUNREACH", probe.ping("10.1.0.2").error)
    assert.is_true(probe.ping("127.9.9.9", { source = "127.9.9.9", namespace = host }).ok)
    assert.is_true(probe.ping("127.9.9.9", { source = "127.9.9.9" }).ok)
    assert.matches("bind 10.1.0.2: Cannot assign requested address (EADDRNOTAVAIL); it is no address of that network",
      failure(probe.tcp, "10.1.0.2", 1, { source = "10.1.0.2", namespace = world.a }), 1, true)
  end)

  it("finds whom it is to ask by names of its own networks", function()
    local one <close> = luabox.network { name = "one", subnet = "10.1.0.0/24" }
    local two <close> = luabox.network { name = "two", subnet = "10.2.0.0/24" }
    local a <close> = luabox.container { name = "a", network = two }:start()
    local web <close> = luabox.container { name = "web",
      networks = { { network = one }, { network = two, interface = "eth1" } } }
    web:start()
    for _, target in ipairs { "web", "10.2.0.2", web, two.members[2], luabox.address.parse "10.2.0.2/24" } do
      local r = probe.ping(target, { namespace = a, timeout = 60 })
      assert.same({ true, "10.2.0.2" }, { r.ok, r.address })
    end
    assert.matches("'webb' is not an address and nobody's name in the networks of a; did you mean 'web'?",
      failure(probe.ping, "webb", { namespace = a }), 1, true)
    assert.matches("'web' is not an address, and names are known to containers only", failure(probe.ping, "web"), 1,
      true)
    local late <close> = luabox.container { name = "late", network = two }
    assert.matches("container 'late' (created): it has no network namespace yet; call start() first",
      failure(probe.ping, "web", { namespace = late }), 1, true)
    local lone <close> = luabox.container { name = "lone" }
    assert.matches("container 'lone' (created) is in no network", failure(probe.ping, lone), 1, true)
  end)

  it("is done with many at once, in the order in which they were given", function()
    local world <close> = new_world()
    local probes = {}
    for i = 1, 100 do
      probes[i] = i % 2 == 0 and { "ping", "10.1.0.2", { namespace = world.a, ttl = 1 + i, timeout = 60 } }
        or { "tcp", "10.1.0.2", i, { namespace = world.a, timeout = 60 } }
    end
    probes[101] = { "ping", "10.1.0.77", { namespace = world.a, timeout = 0.2 } }
    local results = probe.all(probes)
    for i = 1, 100 do
      local expected = i % 2 == 0 and { ok = true } or { ok = false, port = i, error = "ECONNREFUSED" }
      for field, value in pairs(expected) do assert.equal(value, results[i][field]) end
    end
    assert.equal("ETIMEDOUT", results[101].error)
    assert.same({}, probe.all {})
    assert.matches("bad argument #1 to 'all' (unknown value 'pong'; did you mean 'ping'?)",
      failure(probe.all, { { "ping", "127.0.0.1" }, { "pong" } }), 1, true)
    -- One that cannot be done at all ends the others.
    assert.matches("bind 10.9.9.9: Cannot assign requested address",
      failure(probe.all, { { "tcp", "127.0.0.1", 1, { retries = 1000000, interval = 60 } },
        { "ping", "127.0.0.1", { source = "10.9.9.9" } } }), 1, true)
  end)

  it("is ended by Ctrl-C", function()
    for _, call in ipairs {
      "probe.ping('127.0.0.1', { count = 60000, interval = 1 })",
      "probe.tcp('127.0.0.1', 1, { retries = 1000000, interval = 0.01 })",
      "probe.udp('127.0.0.1', 9, { retries = 1000000, interval = 60 })",
      "coroutine.wrap(function() probe.ping('127.0.0.1', { count = 60000, interval = 1 }) end)()",
    } do
      local text = child.run(([[
        local luabox = require "luabox"
        local probe, process = luabox.probe, luabox.sys.process
        local ok, e = pcall(function()
          local killer <close> = process.spawn { program = { "sh", "-c", ("until grep -q '^State:.S' " ..
            "/proc/%%d/status; do sleep 0.01; done; kill -INT %%d"):format(process.id(), process.id()) } }
          %s
        end)
        print(ok, (tostring(e):gsub("^.*: ", "")))
        print(#luabox.sys.file.list "/proc/self/fd")
      ]]):format(call))
      local fds = text:match "^false\tinterrupted[^\n]*\n(%d+)\n$"
      assert.is_truthy(fds and tonumber(fds) <= 8, text)
    end
  end)

  it("is refused wrong arguments before anything is sent", function()
    local duration = { "duration", min = 0, max = 86400 }
    local common = { source = { "address" }, interface = { "string", min = 1, max = 15 },
      ttl = { "integer", min = 1, max = 255 }, timeout = duration, interval = duration,
      retries = { "integer", min = 0, max = 1000000 }, namespace = { "any" } }
    local function with(more)
      for name, description in pairs(common) do more[name] = description end
      return more
    end
    badargs.check(function(o) probe.ping("127.0.0.1", o) end, with {
      count = { "integer", min = 1, max = 65535 }, size = { "integer", min = 0, max = 65507 },
      dont_fragment = { "boolean" } }, {}, { arg = 2 })
    badargs.check(function(o) probe.tcp("127.0.0.1", 1, o) end, with {
      send = { "any" }, expect = { "string" }, limit = { "size" } }, {}, { arg = 3 })
    badargs.check(function(o) probe.udp("127.0.0.1", 9, o) end, with { send = { "any" }, expect = { "string" } }, {},
      { arg = 3 })
    badargs.check(function(o) probe.http("127.0.0.1", o) end, with { port = { "integer", min = 1, max = 65535 },
      path = { "string" }, limit = { "size" }, body = { "any" }, method = { "string", min = 1 }, headers = { "map" },
      expect = { "any" } }, {}, { arg = 2 })
    for sentence, call in pairs {
      ["#1 to 'ping' ('10.0.0.1/8' has a prefix"] = { probe.ping, "10.0.0.1/8" },
      ["#1 to 'ping' (address, name, container or endpoint expected, got no value)"] = { probe.ping },
      ["#2 to 'ping' (option 'source': 10.0.0.1 is not of the version of ::1)"] =
        { probe.ping, "::1", { source = "10.0.0.1" } },
      ["#2 to 'tcp' (integer expected, got no value)"] = { probe.tcp, "::1" },
      ["#3 to 'tcp' (option 'expect': '%' is not a Lua pattern"] = { probe.tcp, "::1", 1, { expect = "%" } },
      ["#3 to 'udp' (option 'send': string expected, got number)"] = { probe.udp, "::1", 1, { send = 1 } },
      ["#1 to 'http' ('https://127.0.0.1/' is not of http://)"] = { probe.http, "https://127.0.0.1/" },
      ["#2 to 'http' (option 'path': is in the URL already)"] = { probe.http, "http://127.0.0.1/", { path = "/" } },
      ["#2 to 'http' (option 'path': '/a b' is not a path"] = { probe.http, "http://127.0.0.1/a b" },
      ["#2 to 'http' (option 'headers.a': 'x\ny' has more than one line)"] =
        { probe.http, "http://127.0.0.1/", { headers = { a = "x\ny" } } },
      ["#2 to 'http' (option 'headers': name 'a:' is not a word of HTTP"] =
        { probe.http, "http://127.0.0.1/", { headers = { ["a:"] = "x" } } },
    } do
      assert.matches(sentence, failure(table.unpack(call)), 1, true)
    end
    assert.matches("there is no network namespace and no container with the name 'nobody' (ENOENT); `luabox ls` shows",
      failure(probe.ping, "::1", { namespace = "nobody" }), 1, true)
    assert.matches("bind to link none: No such device", failure(probe.ping, "127.0.0.1", { interface = "none" }), 1,
      true)
  end)
end)

describe("network:pingall #root", function()
  it("sees who reaches whom", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local boxes <close> = luabox.scope.new()
    local list = {}
    for i = 1, 4 do
      list[i] = boxes:own(namespace.create "net")
      lan:endpoint({ name = "m" .. i }):connect(list[i])
    end
    assert.is_true(lan:pingall({ timeout = 60 }).ok)
    lan:endpoint { name = "absent" }
    local cut <close> = luabox.sys.net.socket(list[4])
    cut:link_set { name = "eth0", up = false }
    local r = lan:pingall { timeout = 1, count = 2, interval = 0.01 }
    assert.same({ "m1", "m2", "m3", "m4", "absent" }, r.names)
    assert.same({ false, 20, 6 }, { r.ok, r.sent, r.received })
    for i = 1, 3 do
      for j = 1, 3 do
        local cell = r.matrix["m" .. i]["m" .. j]
        if i == j then assert.is_nil(cell) else assert.same({ true, 2 }, { cell.ok, cell.received }) end
      end
      assert.equal("ETIMEDOUT", r.matrix["m" .. i].m4.error)
      assert.equal("ENETUNREACH", r.matrix.m4["m" .. i].error)
      assert.equal("ENOTCONN", r.matrix.absent["m" .. i].error)
    end
    local lines = {}
    for line in tostring(r):gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.matches("^ms +m1 +m2 +m3 +m4 +absent$", lines[1])
    assert.matches("^m1 +%- +%d+%.%d%d%d +%d+%.%d%d%d +ETIMEDOUT +ETIMEDOUT$", lines[2])
    assert.matches("^absent +ENOTCONN +ENOTCONN +ENOTCONN +ENOTCONN +%-$", lines[6])
    assert.equal("6 of 20 answered", lines[7])
    list[1]:close()
    assert.equal("ENOTCONN", lan:pingall({ timeout = 0.1 }).matrix.m1.m2.error)
  end)

  it("asks in the version of IP that is wanted #ipv6", function()
    local lan <close> = luabox.network { name = "lan", subnet = { "10.1.0.0/24", "fd00::/64" } }
    local boxes <close> = luabox.scope.new()
    for i = 1, 20 do lan:endpoint({ name = "m" .. i }):connect(boxes:own(namespace.create "net")) end
    for version, first in pairs { [4] = "10.1.0.1", [6] = "fd00::1" } do
      local r = lan:pingall { version = version, timeout = 60 }
      assert.same({ true, 380, first }, { r.ok, r.received, r.matrix.m2.m1.address })
    end
    assert.equal("10.1.0.1", lan:pingall({ timeout = 60 }).matrix.m2.m1.address)
  end)

  it("is refused what it cannot do", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local duration = { "duration", min = 0, max = 3600 }
    badargs.check(function(o) lan:pingall(o) end, { count = { "integer", min = 1, max = 100 }, interval = duration,
      timeout = duration, size = { "integer", min = 0, max = 65507 }, version = { "integer" } }, {})
    for _, version in ipairs { 5, 6 } do
      assert.matches(("option 'version': network 'lan' has no IPv%d"):format(version),
        failure(lan.pingall, lan, { version = version }), 1, true)
    end
    assert.equal("ms\n0 of 0 answered", tostring(lan:pingall()))
  end)
end)
