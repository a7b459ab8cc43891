-- Captures on veth pairs between two namespaces, looked at with tcpdump.
local child = require "child"
local ip = require "ip"
local luabox = require "luabox"
local program = require "program"
local spec = require "spec"
local system = require "system"

local namespace, net, process = luabox.sys.namespace, luabox.sys.net, luabox.sys.process
local refused, set_sysctl = spec.refused, luabox.sys.system.set_sysctl

local function contains(text, part)
  assert.is_truthy(text:find(part, 1, true), ("%q is not in %q"):format(part, text))
end

local function list(capture, o)
  local packets = {}
  for packet in capture:packets(o) do packets[#packets + 1] = packet end
  return packets
end

local FILE_HEADER = 24 -- bytes

-- What tcpdump prints of a file, a line for each packet.
local function tcpdump(path, options)
  local text = spec.output(("tcpdump -nr %s %s 2>/dev/null"):format(path, options or ""))
  return text, select(2, text:gsub("[^\n]+", ""))
end

describe("luabox.pcap #root", function()
  local left, right, on_right, directory, remove, path

  before_each(function()
    left, right = namespace.create "net", namespace.create "net"
    for _, ns in ipairs { left, right } do -- with IPv6 they would speak by themselves
      if spec.exists "/proc/sys/net/ipv6" then set_sysctl("net.ipv6.conf.default.disable_ipv6", 1, ns) end
    end
    local on_left <close> = net.socket(left)
    on_right = net.socket(right)
    on_left:link_add { kind = "veth", name = "eth0", up = true, peer = { name = "eth1", netns = right } }
    on_right:link_set { name = "eth1", up = true }
    on_left:address_add { link = "eth0", address = "10.0.0.1/24" }
    on_right:address_add { link = "eth1", address = "10.0.0.2/24" }
    directory, remove = program.directory()
    path = directory .. "/x.pcap"
  end)

  after_each(function()
    on_right:close()
    left:close()
    right:close()
    remove()
  end)

  local function capture(o)
    o.link, o.namespace = o.link or "eth1", o.namespace or right
    return luabox.pcap.capture(o)
  end

  local function ping(count, options)
    local output = ip.run(("ping -n -q -c %d -i 0.01 %s 10.0.0.2"):format(count or 1, options or ""), left)
    contains(output, (" %d received"):format(count or 1))
  end

  it("sees an echo request and its reply, and so do tcpdump and tshark in the file", function()
    local c <close> = capture { filter = "icmp", to = path }
    local before = os.time()
    ping(1, "-t 33 -e 4242 -s 20")
    c:stop()
    local packets = list(c)
    assert.equal(2, #packets)
    local request, reply = table.unpack(packets)
    assert.same({ "10.0.0.1", "10.0.0.2", 33, "icmp" },
      { request.ip.saddr, request.ip.daddr, request.ip.ttl, request.ip.protocol })
    assert.same({ "10.0.0.2", "10.0.0.1", 64 }, { reply.ip.saddr, reply.ip.daddr, reply.ip.ttl })
    assert.same({ "echo request", 4242, 1 }, { request.icmp.name, request.icmp.id, request.icmp.sequence })
    assert.same({ "echo reply", 4242, 1 }, { reply.icmp.name, reply.icmp.id, reply.icmp.sequence })
    assert.same({ 62, 62, 20 }, { request.length, #request.data, #request.payload })
    assert.equal(request.payload, reply.payload)
    assert.is_true(request.nanoseconds >= before * 1000000000 and request.nanoseconds < reply.nanoseconds)
    local text, count = tcpdump(path, "-v --nano -tt")
    assert.equal(4, count) -- two lines each
    contains(text, ("%d.%09d IP"):format(request.nanoseconds // 1000000000, request.nanoseconds % 1000000000))
    contains(text, ("ttl 33, id %d,"):format(request.ip.id))
    local fields = "-T fields -e ip.ttl -e icmp.type -e icmp.ident -e icmp.seq"
    assert.equal("33\t8\t4242\t1\n64\t0\t4242\t1", spec.output(("tshark -nr %s %s 2>/dev/null"):format(path, fields)))
    contains(text, "10.0.0.1 > 10.0.0.2: ICMP echo request, id 4242, seq 1, length 28")
    contains(text, "10.0.0.2 > 10.0.0.1: ICMP echo reply, id 4242, seq 1, length 28")
    assert.same({ taken = 2, received = 2, dropped = 0 }, c:stats())
    local file <close> = luabox.pcap.read(path)
    assert.same(packets, list(file))
    assert.equal("600", spec.output("stat -c %a " .. path))
  end)

  it("sees no more than the filter lets through", function()
    local c <close> = capture { filter = "arp" }
    ping()
    c:stop()
    local packets = list(c)
    assert.is_true(#packets >= 2)
    for _, packet in ipairs(packets) do assert.is_table(packet.arp, tostring(packet)) end
    assert.same({ "request", "10.0.0.1", "10.0.0.2" },
      { packets[1].arp.operation, packets[1].arp.saddr_ip, packets[1].arp.daddr_ip })
    local mac = ip.link("eth1", right).address
    assert.same({ "reply", mac, mac }, { packets[2].arp.operation, packets[2].arp.saddr_ether, packets[2].ether.saddr })
  end)

  it("refuses a filter before anything is done, with libpcap's reason", function()
    local text, e = refused(capture, { filter = "icmp and and", to = path })
    contains(text, "capture on link 'eth1': pcap_compile 'icmp and and': can't parse filter expression: syntax error "
      .. "(EINVAL); filters are described in pcap-filter(7)")
    assert.equal("EINVAL", e.code)
    assert.is_false(spec.exists(path))
  end)

  it("names the links that there are", function()
    local text, e = refused(capture, { link = "eth7", to = path })
    contains(text, "in this network namespace there are lo, eth1, and \"any\" for all of them")
    assert.same({ "ENODEV", "eth7" }, { e.code, e.subject })
    assert.is_false(spec.exists(path))
    on_right:link_set { name = "eth1", up = false }
    text, e = refused(capture, {})
    assert.equal("ENETDOWN", e.code)
    contains(text, "set the link up first")
  end)

  it("captures on all links of a namespace", function()
    on_right:link_set { name = "lo", up = true }
    local c <close> = capture { link = "any", filter = "icmp", to = path }
    ping()
    assert.is_true(ip.ping("127.0.0.1", right))
    c:stop()
    local seen = {}
    for _, p in ipairs(list(c)) do
      seen[#seen + 1] = ("%s %d %s"):format(p.sll.direction, p.sll.index, p.icmp.name)
    end
    local index = on_right:link("eth1").index
    assert.same({ ("in %d echo request"):format(index), ("out %d echo reply"):format(index) }, { seen[1], seen[2] })
    assert.same({ "in 1 echo request", "in 1 echo reply" }, { seen[3], seen[#seen] })
    assert.equal(#seen, select(2, tcpdump(path)))
  end)

  it("captures in a namespace by its name", function()
    local made <close> = luabox.ns.create "spec-pcap"
    local inside <close> = net.socket(made)
    inside:link_set { name = "lo", up = true }
    do
      local c <close> = luabox.pcap.capture { link = "lo", namespace = "spec-pcap", filter = "icmp" }
      assert.is_true(ip.ping("127.0.0.1", made))
      assert.equal("127.0.0.1", c:next(30).ip.saddr)
    end
    luabox.ns.delete "spec-pcap"
    assert.equal("ENOENT", spec.failure(luabox.pcap.capture, { link = "lo", namespace = "spec-pcap" }).code)
  end)

  it("captures in a namespace by a process that is in it", function()
    local p <close> = process.spawn { program = { "sleep", "60" }, join = { right } }
    local c <close> = capture { namespace = p:pid(), filter = "icmp" }
    ping()
    assert.equal("echo request", c:next(0).icmp.name)
    p:kill "KILL"
    p:wait()
  end)

  it("captures what a container sees #nft #cgroup", function()
    local lan <close> = luabox.network { name = "lan" }
    local a <close> = luabox.container { name = "a", network = lan }
    local b <close> = luabox.container { name = "b", network = lan }
    local text = refused(luabox.pcap.capture, { link = "eth0", namespace = a })
    contains(text, "it has no network namespace yet; call start() first")
    a:start()
    b:start()
    local c <close> = luabox.pcap.capture { link = "eth0", namespace = a, filter = "icmp" }
    assert.equal(0, b:run({ "ping", "-c", "1", "a" }).code)
    local p = c:next(0)
    assert.same({ b.address, a.address }, { p.ip.saddr, p.ip.daddr })
  end)

  it("shows VLAN tags, which the kernel keeps beside the packet", function()
    local c <close> = capture { filter = "vlan", to = path }
    local send = "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); "
      .. "s.send(bytes.fromhex('ffffffffffff0200000000018100a0640806' + '00' * 46))"
    assert.equal("", (ip.run(('python3 -c "%s"'):format(send), left)))
    local p = c:next(30)
    assert.same({ { id = 100, pcp = 5, dei = false, type = 0x0806 } }, p.vlan)
    assert.is_nil(c:next(0))
    contains(tcpdump(path, "-e"), "vlan 100, p 5")
  end)

  it("takes a part of each packet, and says so", function()
    local c <close> = capture { filter = "icmp", snaplen = 42 }
    ping(1, "-s 1000")
    local p = c:next(30)
    assert.same({ 42, 1042, "cut off after 42 of 1042 bytes" }, { #p.data, p.length, p.note:match "^[^;]*" })
    assert.equal(1, p.icmp.sequence)
  end)

  it("ends with the count, in the file, too", function()
    local c <close> = capture { filter = "icmp", count = 3, to = path }
    ping(4)
    assert.equal(3, c:wait())
    c:close()
    assert.equal(3, select(2, tcpdump(path)))
    assert.is_nil(c:next())
  end)

  it("ends after some seconds, with what passed within", function()
    local seconds, count = 0.15, nil
    repeat -- until a ping has passed in time, however slow the machine is
      seconds = seconds * 2
      os.remove(path)
      local begin = system.monotime()
      local c <close> = capture { filter = "icmp", seconds = seconds, to = path }
      ping(1)
      local is_in_time = system.monotime() - begin < seconds
      system.sleep(seconds)
      ping(1)
      if is_in_time then count = c:wait() end
    until count
    assert.equal(2, count)
    assert.equal(2, select(2, tcpdump(path)))
  end)

  it("writes what waits when it is closed, by an error, too", function()
    assert.is_false(pcall(function()
      local _ <close> = capture { filter = "icmp", to = path }
      ping(2)
      error "for another reason"
    end))
    assert.equal(4, select(2, tcpdump(path)))
  end)

  it("says how many packets there was no room for", function()
    local c <close> = capture { filter = "icmp", buffer = 65536 }
    ping(5)
    c:stop()
    local stats = c:stats()
    assert.equal(10, stats.received)
    assert.is_true(stats.dropped > 0 and stats.taken == 10 - stats.dropped)
    assert.equal(stats.taken, #list(c))
  end)

  it("writes a file that can be followed, and is whole after a kill", function()
    local c = ([[
      require("luabox").pcap.capture({ link = "eth1", filter = "icmp", to = "%s" }):wait()
    ]]):format(path)
    local p <close> = process.spawn { program = { os.getenv "LUABOX_INTERPRETER", "-e", c }, join = { right } }
    assert.is_true(spec.eventually(function() return spec.exists(path) end))
    assert.is_true(spec.eventually(function()
      ping()
      return select(2, tcpdump(path)) >= 4
    end))
    p:kill "KILL"
    p:wait()
    contains(spec.output("tcpdump -nr " .. path), "echo reply")
    assert.is_nil(spec.output("tcpdump -nr " .. path):find("truncated", 1, true))
  end)

  it("is interrupted by a signal, and the file is whole", function()
    local c = ([[
      local capture <close> = require("luabox").pcap.capture { link = "eth1", filter = "icmp", to = "%s" }
      capture:wait()
    ]]):format(path)
    local p <close> = process.spawn { program = { os.getenv "LUABOX_INTERPRETER", "-e", c }, join = { right },
      stderr = "null" }
    assert.is_true(spec.eventually(function() return #(spec.contents(path) or "") >= FILE_HEADER end))
    ping()
    p:kill "INT"
    local ended = p:wait(60)
    assert.truthy(ended and (ended.signal or ended.code ~= 0))
    assert.is_truthy(spec.output("tcpdump -nr " .. path):find "reading from file")
  end)

  it("leaves no half packet in a file system that is full", function()
    spec.shell("mount -t tmpfs -o size=8k tmpfs " .. directory)
    local c <close> = capture { filter = "icmp", to = path }
    ping(4, "-s 1400")
    local e = spec.failure(c.wait, c, 1)
    assert.same({ "write", "ENOSPC" }, { e.op, e.code })
    c:close()
    local text = spec.output("tcpdump -nr " .. path)
    spec.shell("umount " .. directory)
    assert.is_nil(text:find("truncated", 1, true), text)
    assert.equal("ENOSPC", spec.failure(capture, { to = "/dev/full" }).code)
  end)

  it("ends with an error when the link goes", function()
    local c <close> = capture {}
    on_right:link_delete "eth1"
    local e = spec.failure(function() while c:next(30) do end end)
    assert.equal("ENODEV", e.code)
  end)

  it("is inert in the child of a fork, and works on here", function()
    local c <close> = capture { filter = "icmp", to = path }
    ping()
    local p <close> = process.spawn { body = function() return pcall(c.next, c, 0) end }
    p:wait()
    local ok, message = p:result()
    assert.is_false(ok)
    contains(message, "of another process")
    assert.equal("echo request", c:next(0).icmp.name)
    c:close()
    assert.equal(2, select(2, tcpdump(path)))
  end)

  it("reads what tcpdump wrote", function()
    local c <close> = capture { to = path }
    ping(2)
    c:close()
    local copy = directory .. "/copy.pcap"
    spec.shell(("tcpdump -r %s -w %s icmp 2>/dev/null"):format(path, copy))
    local all <close> = luabox.pcap.read(copy)
    local packets = list(all)
    assert.equal(4, #packets)
    assert.equal(0, packets[1].nanoseconds % 1000) -- tcpdump's have microseconds
    assert.same({ taken = 4 }, all:stats())
    local replies <close> = luabox.pcap.read(copy, { filter = "src 10.0.0.2", count = 1 })
    assert.equal("echo reply", replies:next().icmp.name)
    assert.is_nil(replies:next())
  end)

  it("waits for no time that is none", function()
    do
      local packets <close> = luabox.sys.pcap.open { link = "any" }
      packets:save(path)
    end
    local none <close> = luabox.sys.pcap.read(path)
    for _, seconds in ipairs { -1, 0 / 0 } do contains(refused(none.next, none, seconds), "0 seconds or more") end
  end)

  it("says why a file cannot be read", function()
    assert.equal("ENOENT", spec.failure(luabox.pcap.read, path).code)
    spec.write(path, "no packets")
    local text = refused(luabox.pcap.read, path)
    contains(text, "pcap_fopen_offline " .. path .. ": ")
    contains(text, "; a pcap or pcapng file is expected, as tcpdump and Wireshark write them")
    spec.shell("mkfifo " .. directory .. "/fifo")
    contains(refused(luabox.pcap.read, directory .. "/fifo"), "it is not a regular file (EINVAL)")
    contains(refused(luabox.pcap.read, directory), "it is not a regular file (EINVAL)")
    do
      local _ <close> = capture { filter = "icmp", to = path }
      ping()
    end
    spec.shell(("truncate -s -10 %s"):format(path))
    local broken <close> = luabox.pcap.read(path)
    assert.equal("echo request", broken:next().icmp.name)
    contains(refused(broken.next, broken), "truncated dump file")
  end)

  it("takes a capability", function()
    local output = child.run([[print(pcall(require("luabox").pcap.capture, { link = "any" }))]],
      "setpriv --bounding-set -net_raw --inh-caps -net_raw --reuid 1 --clear-groups")
    contains(output, "capture on link 'any': pcap_activate any: Operation not permitted (EPERM); it takes CAP_NET_RAW")
  end)

  it("names the package where libpcap is not", function()
    local output = child.run([[print(pcall(require("luabox").pcap.capture, { link = "any" }))]],
      "unshare -m sh -c 'mount --bind /dev/null $(ldconfig -p | sed -n \"s/.*libpcap.so.0.8 .*=> //p\"); "
        .. "exec \"$@\"' sh")
    contains(output, "capture on link 'any': dlopen libpcap.so.0.8: ")
    contains(output, "(ELIBACC); it is in Debian's package libpcap0.8: apt-get install libpcap0.8")
  end)

  it("does not load the library of another root", function()
    local output = child.run([[
      local luabox = require "luabox"
      local pcap, chroot, _ = luabox.pcap, luabox.sys.mount.chroot, luabox.sys.pcap
      require "luabox.scope"
      chroot "/usr"
      print(pcall(pcap.capture, { link = "any" }))
    ]])
    contains(output, "this process has another root than the one of its program, whose libraries it does not trust")
  end)
end)
