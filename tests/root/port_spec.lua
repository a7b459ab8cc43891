local port = require "luabox.sys.port"
local needs = require "needs"
local run = require("child").run
local spec = require "spec"

local output = spec.output
local LOOPBACK = needs.ipv6() and { "127.0.0.1" } or { "127.0.0.1", "::1" }

local function refused(o)
  local ok, e = pcall(port.claim, o)
  assert.is_false(ok)
  return e
end

-- A process that serves a place such as "tcp:8080"; gives its pid.
local function serve(place)
  local pipe = io.popen(("exec sh -c 'echo $$; exec python3 tests/peer.py serve %s'"):format(place))
  local pid = pipe:read "n"
  assert(pipe:read "l" == "" and pipe:read "l" == "ready")
  finally(function()
    if io.type(pipe) == "file" then os.execute("kill -9 " .. pid) pipe:close() end
  end)
  return pid, pipe
end

local function self() return tonumber(io.open("/proc/self/stat"):read "n") end

describe("luabox.sys.port #root", function()
  it("keeps a port of every address", function()
    local claim <close> = port.claim { port = 8080 }
    assert.is_truthy(tostring(claim):find "^luabox%.port %(%d+%)$")
    assert.is_truthy(output("ss -Htnla 'sport = :8080'") == "", "it does not listen")
    assert.equal("EADDRINUSE", refused({ port = 8080, address = "0.0.0.0" }).code)
    for _, address in ipairs(LOOPBACK) do
      assert.equal("EADDRINUSE", refused({ port = 8080, address = address }).code)
    end
    port.claim({ port = 8080, protocol = "udp" }):close()
    port.claim({ port = 8081 }):close()
  end)

  it("lets go of it when closed", function()
    port.claim({ port = 8080 }):close()
    port.claim({ port = 8080 }):close()
  end)

  it("keeps a port of one address", function()
    local _ <close> = port.claim { port = 8080, address = "127.0.0.1" }
    local _ <close> = LOOPBACK[2] and port.claim { port = 8080, address = LOOPBACK[2] }
    port.claim({ port = 8080, address = "127.0.0.2" }):close()
    assert.equal("EADDRINUSE", refused({ port = 8080 }).code)
    assert.equal("EADDRINUSE", refused({ port = 8080, address = "0.0.0.0" }).code)
  end)

  it("keeps IPv4 and IPv6 apart when told so #ipv6", function()
    do
      local _ <close> = port.claim { port = 8080 }
      assert.equal("EADDRINUSE", refused({ port = 8080, address = "::" }).code)
    end
    local _ <close> = port.claim { port = 8080, address = "0.0.0.0" }
    local _ <close> = port.claim { port = 8080, address = "::" }
    assert.equal("EADDRINUSE", refused({ port = 8080, address = "::1" }).code)
  end)

  it("refuses connections meanwhile", function()
    local _ <close> = port.claim { port = 8080 }
    assert.equal("ECONNREFUSED", output "python3 tests/peer.py ask tcp 127.0.0.1 8080")
  end)

  it("names who listens on a port", function()
    local pid = serve "tcp:8080"
    local name = output("cat /proc/" .. pid .. "/comm")
    for _, address in ipairs(LOOPBACK) do
      local e = refused { port = 8080, address = address }
      assert.equal("bind", e.op)
      assert.equal(("port 8080/tcp is held by %s (pid %d)"):format(name, pid), e.hint)
    end
    assert.same({ pid = pid, command = name, uid = 0, state = "listening" }, port.holder { port = 8080 })
    assert.is_nil(port.holder { port = 8080, protocol = "udp" })
    assert.is_nil(port.holder { port = 8081 })
  end)

  it("names who is bound to a port of UDP", function()
    local pid = serve "udp:5353"
    assert.is_truthy(refused({ port = 5353, protocol = "udp" }).hint:find(("(pid %d)"):format(pid), 1, true))
    assert.equal("bound", port.holder({ port = 5353, protocol = "udp" }).state)
  end)

  it("names another claim like any process", function()
    local _ <close> = port.claim { port = 8080, address = "127.0.0.1" }
    local holder = port.holder { port = 8080 }
    if not holder then pending "a TCP socket that does not listen is found since Linux 6.8" return end
    assert.equal(self(), holder.pid)
    assert.equal("bound", holder.state)
    assert.equal(("bind 8080/tcp: Address already in use (EADDRINUSE); port 8080/tcp is held by %s (pid %d)")
      :format(holder.command, self()), tostring(refused { port = 8080 }))
    assert.is_nil(port.holder { port = 8080, address = "127.0.0.2" })
    assert.is_nil(LOOPBACK[2] and port.holder { port = 8080, address = "::" } or nil)
    assert.equal(self(), port.holder({ port = 8080, address = "0.0.0.0" }).pid)
  end)

  it("says which addresses there are", function()
    local e = refused { port = 80, address = "10.1.2.3" }
    assert.equal("bind 10.1.2.3:80/tcp: Cannot assign requested address (EADDRNOTAVAIL); it is not an address of "
      .. "this host, or not ready yet; there are " .. table.concat(LOOPBACK, ", "), tostring(e))
  end)

  it("knows the addresses of IPv6 #ipv6", function()
    local e = refused { port = 80, address = "fd00::9" }
    assert.equal("[fd00::9]:80/tcp", e.subject)
    assert.equal("EADDRNOTAVAIL", e.code)
  end)

  it("says that a link-local address lacks its link #ipv6", function()
    assert.equal("a link-local address is one only together with a link; claim '::' instead",
      refused({ port = 80, address = "fe80::1" }).hint)
  end)

  it("keeps several ports or none", function()
    local claim <close> = port.claim { port = 8000, count = 100 }
    assert.equal("EADDRINUSE", refused({ port = 8099 }).code)
    assert.equal("EADDRINUSE", refused({ port = 7990, count = 11 }).code)
    port.claim({ port = 7990, count = 10 }):close()
    port.claim({ port = 8100 }):close()
    claim:close()
    claim:close()
    port.claim({ port = 8000, count = 100 }):close()
  end)

  if needs.ipv6() then
    it("asks once for the IPv6 that there is not", function()
      local calls = run([[require("luabox.sys.port").claim { port = 1000, count = 3 }]], "strace -e trace=socket")
      local _, count = calls:gsub("AF_INET6", "")
      assert.equal(1, count, calls)
    end)
  end

  it("says when there are more ports than descriptors", function()
    local said = run([[print(pcall(require("luabox.sys.port").claim, { port = 1000, count = 100 }))]],
      "prlimit --nofile=50")
    assert.is_truthy(said:find "^false\tsocket %d+/tcp: Too many open files %(EMFILE%); "
      and said:find("; each port takes a descriptor; raise the limit nofile", 1, true), said)
  end)

  it("says that only a connection's end keeps a port", function()
    local pid, pipe = serve "tcp:65000"
    assert.equal("127.0.0.1", output "python3 tests/peer.py ask tcp 127.0.0.1 65000")
    os.execute("kill -9 " .. pid)
    pipe:close()
    local e = refused { port = 65000, address = "127.0.0.1" }
    assert.equal("port 65000/tcp is kept by a connection that ended less than a minute ago; try again then", e.hint)
    assert.same({ uid = 0, state = "time-wait" }, port.holder { port = 65000, address = "127.0.0.1" })
  end)
end)
