-- luabox.probe, held against ping(8), nft's counters and servers in other namespaces.
local luabox = require "luabox"
local lab = require "nat_lab"
local run = require("child").run
local spec = require "spec"

local probe, process = luabox.probe, luabox.sys.process

-- The lab, in which "out" knows the way back, too, and each one tells of every error.
local function new_world()
  local world = lab.new()
  for _, where in ipairs { "c", "out", "" } do
    lab.output("sh -c 'cd /proc/sys/net; echo 0 >ipv4/icmp_ratelimit; echo 0 >ipv6/icmp/ratelimit'",
      where ~= "" and where or nil)
  end
  lab.output("ip route add default via 10.9.0.1", "out")
  lab.output("ip route add default via fd09::1", "out")
  return world
end

-- The rules of a namespace, through nft(8): those given at one hook, and no others.
local function rules(where, hook, ...)
  local path = os.tmpname()
  spec.write(path, ("flush ruleset\ntable inet t {\n chain c {\n type filter hook %s priority 0\n %s\n }\n}\n")
    :format(hook, table.concat({ ... }, "\n")))
  local out = lab.output("nft -f " .. path, where)
  os.remove(path)
  assert.equal("", out)
end

-- Whom ping sockets are for: "1 0" is nobody, so that raw ones are taken.
local function allow_ping(where, range)
  assert.equal("", lab.output(("sh -c 'echo %s >/proc/sys/net/ipv4/ping_group_range'"):format(range), where))
end

-- Asks until anything is told: a kernel that has told of some errors is silent about others for a second.
local function insist(kind, target, ...)
  local arguments, r = table.pack(...), nil
  local o = arguments[arguments.n]
  o.namespace, o.timeout = o.namespace or "c", 1
  spec.eventually(function()
    r = probe[kind](target, table.unpack(arguments))
    return r.error ~= "ETIMEDOUT"
  end)
  return r
end

-- Each kind of socket for ping.
local function both(f)
  for _, range in ipairs { "1 0", "0 2147483647" } do
    allow_ping("c", range)
    f(range)
  end
end

describe("probe.ping #root #nft #ipv6", function()
  it("sees what ping(8) sees, over a router", function()
    local _ <close> = new_world()
    both(function()
      for target, command in pairs { ["10.9.0.2"] = "ping -n", ["fd09::2"] = "ping -6 -n" } do
        local theirs = lab.output(command .. " -c 1 " .. target, "c")
        local r = probe.ping(target, { namespace = "c", count = 3, interval = 0.01, timeout = 60 })
        assert.same({ 3, 3, 0.0, true }, { r.sent, r.received, r.loss, r.ok })
        for i, reply in ipairs(r.replies) do
          assert.equal(theirs:match "ttl=(%d+)", tostring(reply.ttl))
          assert.same({ i, target }, { reply.seq, reply.from })
          assert.is_true(reply.rtt > 0 and r.rtt.min <= reply.rtt and reply.rtt <= r.rtt.max)
        end
        assert.matches("^" .. target:gsub("%.", "%%.") .. ": 3 of 3 answered, [%d.]+ ms$", tostring(r))
      end
    end)
  end)

  it("sends what it was told to", function()
    local _ <close> = new_world()
    both(function()
      rules("out", "input",
        "icmp type echo-request ip length 1028 ip ttl 8 ip saddr 10.77.0.2 ip frag-off & 0x4000 == 0x4000 counter",
        "icmpv6 type echo-request ip6 length 1008 ip6 hoplimit 8 ip6 saddr fd77::2 counter")
      for target, source in pairs { ["10.9.0.2"] = "10.77.0.2", ["fd09::2"] = "fd77::2" } do
        local r = probe.ping(target, { namespace = "c", size = 1000, ttl = 9, source = source, interface = "eth0",
          count = 2, interval = 0, dont_fragment = true, timeout = 60 })
        assert.equal(2, r.received)
      end
      local counters = lab.output("nft list ruleset", "out")
      assert.equal(2, select(2, counters:gsub("counter packets 2 bytes", "")), counters)
    end)
  end)

  it("says who could not bring it on, and why", function()
    local _ <close> = new_world()
    for route, said in pairs {
      ["unreachable 10.8.0.0/24"] = { "10.8.0.1", "EHOSTUNREACH", "host-unreachable", "10.77.0.1" },
      ["prohibit 10.8.1.0/24"] = { "10.8.1.1", "EHOSTUNREACH", "admin-prohibited", "10.77.0.1" },
      ["unreachable fd08::/64"] = { "fd08::1", "ENETUNREACH", "no-route", "fd77::1" },
      ["prohibit fd08:1::/64"] = { "fd08:1::1", "EACCES", "admin-prohibited", "fd77::1" },
      ["blackhole 10.8.2.0/24"] = { "10.8.2.1", "ETIMEDOUT" },
    } do
      lab.output("ip route add " .. route)
      both(function()
        local r = said[3] and insist("ping", said[1], {}) or probe.ping(said[1], { namespace = "c", timeout = 0.1 })
        assert.same({ false, 0, said[2], said[3], said[4] }, { r.ok, r.received, r.error, r.icmp, r.from }, route)
        assert.same({ seq = 1, error = said[2], icmp = said[3], from = said[4] }, r.replies[1])
      end)
      lab.output("ip route del " .. route)
    end
  end)

  it("tells the router at which its ttl ended", function()
    local _ <close> = new_world()
    both(function()
      for target, router in pairs { ["10.9.0.2"] = "10.77.0.1", ["fd09::2"] = "fd77::1" } do
        local r = insist("ping", target, { ttl = 1 })
        assert.same({ router, "time-exceeded", false }, { r.from, r.icmp, r.ok })
      end
    end)
  end)

  it("tells the size that a link on the way takes, and cuts packets unless it may not", function()
    local _ <close> = new_world()
    lab.output "ip link set up0 mtu 1300"
    lab.output("ip link set eth0 mtu 1300", "out")
    both(function()
      for target, router in pairs { ["10.9.0.2"] = "10.77.0.1", ["fd09::2"] = "fd77::1" } do
        lab.output("ip route flush cache", "c")
        lab.output("ip -6 route flush cache", "c")
        local o = { size = 1400, dont_fragment = true }
        local r = insist("ping", target, o)
        assert.same({ "EMSGSIZE", 1300, router }, { r.error, r.replies[1].mtu, r.from })
        -- Then this kernel knows it.
        assert.same({ { seq = 1, error = "EMSGSIZE", mtu = 1300 } }, probe.ping(target, o).replies)
        o.dont_fragment, o.timeout = false, 5
        r = insist("ping", target, o)
        assert.same({ ok = true }, { ok = r.ok, error = r.error })
      end
    end)
  end)

  it("speaks nft's words of what a filter refuses", function()
    local _ <close> = new_world()
    for _, code in ipairs { "net-unreachable", "host-unreachable", "prot-unreachable", "port-unreachable",
      "net-prohibited", "host-prohibited", "admin-prohibited" } do
      rules("out", "input", "icmp type echo-request reject with icmp " .. code)
      local r = insist("ping", "10.9.0.2", {})
      assert.same({ code, "10.9.0.2", 0 }, { r.icmp, r.from, r.received })
    end
    for _, code in ipairs { "no-route", "admin-prohibited", "addr-unreachable", "port-unreachable" } do
      rules("out", "input", "icmpv6 type echo-request reject with icmpv6 " .. code)
      local r = insist("ping", "fd09::2", {})
      assert.same({ code, "fd09::2", 0 }, { r.icmp, r.from, r.received })
    end
  end)

  it("takes a lost request for lost, not an answer to another one", function()
    local _ <close> = new_world()
    rules("out", "input", "icmp type echo-request icmp sequence 2 drop")
    both(function()
      local other = io.popen "ip netns exec c ping -n -q -c 100 -i 0.002 10.9.0.2"
      local r = probe.ping("10.9.0.2", { namespace = "c", count = 3, interval = 0.01, timeout = 1 })
      other:close()
      assert.equal("ETIMEDOUT", r.replies[2].error)
      assert.same({ 3, 2 }, { r.sent, r.received })
      assert.is_true(math.abs(r.loss - 1 / 3) < 1e-9)
    end)
  end)

  it("tells what its own side refuses", function()
    local _ <close> = new_world()
    both(function()
      assert.equal("ENETUNREACH", insist("ping", "10.200.0.1", { namespace = "out" }).error)
      rules("c", "output", "icmp type echo-request drop")
      assert.equal("EPERM", probe.ping("10.9.0.2", { namespace = "c" }).error)
      rules("c", "output")
    end)
    local r = probe.ping("10.77.0.99", { namespace = "c", timeout = 60 })
    assert.same({ "EHOSTUNREACH", "host-unreachable", "10.77.0.2" }, { r.error, r.icmp, r.from })
  end)
end)

describe("a raw socket for ping #root", function()
  it("that gets no identifier is not left open", function()
    assert.equal("getrandom: Operation not permitted (EPERM)\n0\n", run [[
      local sys = require("luabox").sys
      local ns <close> = sys.namespace.create "net" -- whose pings are nobody's
      local filter <close> = sys.seccomp.build { default = "allow", deny = { "getrandom" } }
      sys.seccomp.load(filter)
      local before = #sys.file.list "/proc/self/fd"
      print(select(2, pcall(sys.probe.open, { kind = "icmp", address = "127.0.0.1", netns = ns })))
      print(#sys.file.list "/proc/self/fd" - before)
    ]])
  end)
end)

describe("probe.tcp and udp #root #nft #ipv6", function()
  it("see who answers", function()
    local world <close> = new_world()
    world:serve("out", "tcp:80", "udp:53")
    for target, own in pairs { ["10.9.0.2"] = "10.77.0.2", ["fd09::2"] = "fd77::2" } do
      local r = probe.tcp(target, 80, { namespace = "c", timeout = 60 })
      assert.same({ true, own }, { r.ok, r.local_address })
      assert.is_true(r.time > 0 and r.local_port > 0)
      assert.equal(own, probe.tcp(target, 80, { namespace = "c", send = "?", timeout = 60 }).received)
      assert.is_true(probe.tcp(target, 80, { namespace = "c", expect = "2$", timeout = 60 }).ok)
      r = probe.tcp(target, 80, { namespace = "c", expect = "nobody", timeout = 60 })
      assert.same({ false, "EBADMSG", own }, { r.ok, r.error, r.received })
      r = probe.udp(target, 53, { namespace = "c", send = "?", timeout = 60 })
      assert.same({ true, own }, { r.ok, r.received })
      assert.equal("EBADMSG", probe.udp(target, 53, { namespace = "c", expect = "nobody", timeout = 60 }).error)
    end
  end)

  it("see who refuses", function()
    local _ <close> = new_world()
    for target, router in pairs { ["10.9.0.2"] = "10.77.0.1", ["fd09::2"] = "fd77::1" } do
      local r = probe.tcp(target, 81, { namespace = "c", timeout = 60 })
      assert.same({ false, "ECONNREFUSED" }, { r.ok, r.error })
      r = insist("udp", target, 54, {})
      assert.same({ "ECONNREFUSED", "port-unreachable", target }, { r.error, r.icmp, r.from })
      for _, kind in ipairs { "tcp", "udp" } do
        r = insist(kind, target, 81, { ttl = 1 })
        assert.same({ "EHOSTUNREACH", "time-exceeded", router }, { r.error, r.icmp, r.from })
      end
    end
    assert.equal("ENETUNREACH", insist("tcp", "10.200.0.1", 81, { namespace = "out" }).error)
    assert.equal("ENETUNREACH", insist("udp", "10.200.0.1", 81, { namespace = "out" }).error)
  end)

  it("take a filter's silence for silence, and its refusal for one", function()
    local _ <close> = new_world()
    rules("out", "input", "tcp dport 1 drop", "udp dport 1 drop", "tcp dport 2 reject with icmp admin-prohibited")
    for _, kind in ipairs { "tcp", "udp" } do
      assert.equal("ETIMEDOUT", probe[kind]("10.9.0.2", 1, { namespace = "c", timeout = 0.1, send = "x" }).error)
    end
    local r = insist("tcp", "10.9.0.2", 2, {})
    assert.same({ "EHOSTUNREACH", "admin-prohibited", "10.9.0.2" }, { r.error, r.icmp, r.from })
    assert.matches("10.9.0.2 port 2: EHOSTUNREACH (admin-prohibited from 10.9.0.2)", tostring(r), 1, true)
  end)

  it("send all of what is long, and read no more than they may", function()
    local _ <close> = new_world()
    local echo <close> = process.spawn { join = { luabox.ns.open "out" }, stdout = "pipe",
      program = { "python3", "-c", [[
import socket
s = socket.create_server(("", 7))
print("ready", flush=True)
while True:
    c, _ = s.accept()
    data = b""
    while len(data) < 3000000:
        data += c.recv(65536)
    c.sendall(data)
    c.close()
]] } }
    assert.equal("ready", echo:stdout():read(5))
    local text = ("abc"):rep(1000000)
    assert.equal(text, probe.tcp("10.9.0.2", 7, { namespace = "c", send = text, limit = "8M", timeout = 60 }).received)
    local r = probe.tcp("10.9.0.2", 7, { namespace = "c", send = text, limit = 1000, timeout = 60 })
    assert.equal(text:sub(1, 1000), r.received)
  end)

  it("try again until somebody answers", function()
    local _ <close> = new_world()
    local r = probe.tcp("10.9.0.2", 80, { namespace = "c", retries = 2, interval = 0.001 })
    assert.same({ 3, "ECONNREFUSED" }, { r.tries, r.error })
    -- It listens only once it has seen a packet that nobody took.
    local late <close> = process.spawn { join = { luabox.ns.open "out" }, stdout = "pipe", stderr = "null",
      program = { "python3", "-c", [[
import socket
seen = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
print("ready", flush=True)
seen.recv(100)
s = socket.create_server(("", 80))
while True:
    s.accept()
]] } }
    assert.equal("ready", late:stdout():read(5))
    r = probe.tcp("10.9.0.2", 80, { namespace = "c", retries = 6000, interval = 0.01 })
    assert.is_true(r.ok and r.tries > 1)
  end)
end)
