-- The decoder of luabox.pcap, against bytes that are laid out by hand; and the options of captures.
local badargs = require "badargs"
local pcap = require "luabox.pcap"
local refusal = require "refusal"

local function bytes(hex)
  return (hex:gsub("%s", ""):gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

local ETHER = "ffffffffffff 020000000001 "
local IP = "45 00 0054 0123 4000 40 01 aabb 0a000001 0a000002 "
local ECHO = "08 00 1234 0007 0009 "
local IP6 = "60 000000 %04x %02x ff fd000000000000000000000000000001 fd000000000000000000000000000002 "

local function fields(t, names)
  local found = {}
  for name in names:gmatch "%S+" do found[name] = t[name] end
  return found
end

describe("luabox.pcap.decode", function()
  it("an echo request", function()
    local data = ("x"):rep(56)
    local p = pcap.decode(bytes(ETHER .. "0800" .. IP .. ECHO) .. data)
    assert.same({ daddr = "ff:ff:ff:ff:ff:ff", saddr = "02:00:00:00:00:01", type = 0x0800 }, p.ether)
    assert.same({ version = 4, hdrlength = 20, dscp = 0, ecn = 0, length = 84, id = 0x0123, dont_fragment = true,
      more_fragments = false, frag_off = 0, ttl = 64, protocol = "icmp", checksum = 0xaabb, saddr = "10.0.0.1",
      daddr = "10.0.0.2" }, p.ip)
    assert.same({ type = 8, code = 0, name = "echo request", checksum = 0x1234, id = 7, sequence = 9 }, p.icmp)
    assert.same({ data, 98 }, { p.payload, p.length })
    assert.is_nil(p.note)
    assert.equal("10.0.0.1 > 10.0.0.2 icmp echo request, id 7, sequence 9, ttl 64, 98 bytes", tostring(p))
  end)

  it("an error and the packet that it is about", function()
    local p = pcap.decode(bytes("45 00 0038 0001 0000 40 01 0000 0a000001 0a000002 03 04 0000 0000 05dc"
      .. "45 00 05dc 0002 4000 3f 11 0000 0a000002 0a000001 1234 0035 05c8 0000"), "RAW")
    assert.same({ name = "destination unreachable", code = 4, mtu = 1500 }, fields(p.icmp, "name code mtu"))
    assert.same({ 0x1234, 53, "udp", "10.0.0.2" }, { p.icmp.original.udp.sport, p.icmp.original.udp.dport,
      p.icmp.original.ip.protocol, p.icmp.original.ip.saddr })
    assert.equal("the last 1472 bytes are missing", p.icmp.original.note)
  end)

  it("ARP", function()
    local p = pcap.decode(bytes(ETHER .. "0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"
      .. ("00"):rep(18)))
    assert.same({ htype = 1, ptype = 0x0800, hlen = 6, plen = 4, operation = "request",
      saddr_ether = "02:00:00:00:00:01", saddr_ip = "10.0.0.1",
      daddr_ether = "00:00:00:00:00:00", daddr_ip = "10.0.0.2" }, p.arp)
    assert.equal("arp request: who has 10.0.0.2? tell 10.0.0.1, 60 bytes", tostring(p))
  end)

  it("VLAN tags, the outermost first", function()
    local p = pcap.decode(bytes(ETHER .. "88a8 0064 8100 b00a 0806"))
    assert.same({ { id = 100, pcp = 0, dei = false, type = 0x8100 }, { id = 10, pcp = 5, dei = true, type = 0x0806 } },
      p.vlan)
    assert.equal("the ARP header is cut off", p.note)
  end)

  it("TCP with its options", function()
    local p = pcap.decode(bytes("45 00 003c 0000 0000 40 06 0000 0a000001 0a000002"
      .. "9c40 0050 00000001 00000000 a0 02 faf0 0000 0000 0204 05b4 0402 080a 00000005 00000000 01 0303 07"), "RAW")
    assert.same({ sport = 40000, dport = 80, sequence = 1, ackseq = 0, doff = 40, flags = "syn", window = 64240,
      checksum = 0, urgptr = 0, options = { mss = 1460, sack_permitted = true, timestamp = 5, wscale = 7 } }, p.tcp)
    assert.same({ "" }, { p.payload, p.note })
    assert.equal("10.0.0.1:40000 > 10.0.0.2:80 tcp syn, sequence 1, ttl 64, 60 bytes", tostring(p))
  end)

  it("UDP, and no padding behind it", function()
    local p = pcap.decode(bytes(ETHER .. "0800 45 00 001f 0000 0000 40 11 0000 0a000001 0a000002 04d2 0035 000b 0000")
      .. "abc" .. ("\0"):rep(15))
    assert.same({ sport = 1234, dport = 53, length = 11, checksum = 0 }, p.udp)
    assert.same({ "abc" }, { p.payload, p.note })
  end)

  it("IPv6 with extension headers", function()
    local p = pcap.decode(bytes(ETHER .. "86dd" .. IP6:format(16, 0) .. "3a 00 0502000000 00"
      .. ECHO:gsub("08", "80", 1)))
    assert.same({ saddr = "fd00::1", daddr = "fd00::2", hoplimit = 255, nexthdr = 0, protocol = "icmpv6",
      extensions = { "hop-by-hop" } }, fields(p.ip6, "saddr daddr hoplimit nexthdr protocol extensions"))
    assert.same({ "echo request", 7, 9 }, { p.icmpv6.name, p.icmpv6.id, p.icmpv6.sequence })
    assert.is_nil(p.note)
  end)

  it("a neighbour solicitation", function()
    local p = pcap.decode(bytes(ETHER .. "86dd" .. IP6:format(32, 58) .. "87 00 0000 00000000"
      .. "fd000000000000000000000000000002 01 01 020000000001"))
    assert.same({ "neighbour solicitation", "fd00::2", "02:00:00:00:00:01" },
      { p.icmpv6.name, p.icmpv6.taddr, p.icmpv6.lladdr })
  end)

  it("fragments: only the first has a header of what is in it", function()
    local ip = "45 00 001c 0001 %04x 40 11 0000 0a000001 0a000002 04d2 0035 0100 0000"
    local first = pcap.decode(bytes(ip:format(0x2000)), "RAW")
    local second = pcap.decode(bytes(ip:format(0x0010)), "RAW")
    assert.same({ true, 0, 1234 }, { first.ip.more_fragments, first.ip.frag_off, first.udp.sport })
    assert.same({ false, 128 }, { second.ip.more_fragments, second.ip.frag_off, second.udp })
    assert.equal(8, #second.payload)
    local p = pcap.decode(bytes(IP6:format(16, 44) .. "11 00 0081 00000007 0000000000000000"), "RAW")
    assert.same({ "udp", 128, true, 7 }, { p.ip6.protocol, p.ip6.frag_off, p.ip6.more_fragments, p.ip6.id })
  end)

  it("what the link any has", function()
    local p = pcap.decode(bytes("0800 0000 00000003 0001 04 06 020000000001 0000" .. IP), "LINUX_SLL2")
    assert.same({ direction = "out", index = 3, protocol = 0x0800, saddr = "02:00:00:00:00:01", type = 1 }, p.sll)
    assert.equal("10.0.0.1", p.ip.saddr)
    p = pcap.decode(bytes("0000 0304 0000 000000000000 0000 0800" .. IP), "LINUX_SLL")
    assert.same({ direction = "in", protocol = 0x0800, type = 0x304 }, p.sll)
    assert.equal("10.0.0.2", p.ip.daddr)
  end)

  it("gives what there is of a packet that was cut off", function()
    local whole = bytes(ETHER .. "0800" .. IP .. ECHO) .. ("x"):rep(56)
    local p = pcap.decode(whole:sub(1, 32), "EN10MB", 98)
    assert.equal("cut off after 32 of 98 bytes; the IP header is cut off", p.note)
    assert.same({ "10.0.0.1" }, { p.ip.saddr, p.ip.daddr })
    assert.same({ 84, 64, "icmp", "10.0.0.1" }, { p.ip.length, p.ip.ttl, p.ip.protocol, p.ip.saddr })
    assert.is_nil(p.ip.daddr)
    assert.equal("cut off after 60 of 98 bytes", pcap.decode(whole:sub(1, 60), "EN10MB", 98).note)
    assert.equal("the last 38 bytes are missing", pcap.decode(whole:sub(1, 60)).note)
  end)

  it("says what it does not decode", function()
    assert.equal("Ethernet's type 0x88cc is not decoded", pcap.decode(bytes(ETHER .. "88cc")).note)
    assert.equal("the link type PPP is not decoded", pcap.decode("xx", "PPP").note)
    assert.equal("xx", pcap.decode("xx", "PPP").payload)
    assert.equal("neither IPv4 nor IPv6", pcap.decode("", "RAW").note)
  end)

  -- Each byte of each of these is changed, and each is cut everywhere.
  local SAMPLES = {
    EN10MB = {
      ETHER .. "0800" .. IP .. ECHO,
      ETHER .. "8100 0064 86dd" .. IP6:format(32, 58) .. "87 00 0000 00000000"
        .. "fd000000000000000000000000000002 01 01 020000000001",
      ETHER .. "0806 0001 0800 06 04 0001" .. ("00"):rep(20),
    },
    RAW = {
      "46 00 0040 0000 0000 40 06 0000 0a000001 0a000002 01010101 9c40 0050 00000001 00000000 a0 02 faf0 0000 0000"
        .. "0204 05b4 0402 080a 00000005 00000000 01 0303 07",
      "45 00 0038 0001 0000 40 01 0000 0a000001 0a000002 03 04 0000 0000 05dc"
        .. "45 00 05dc 0002 4000 3f 11 0000 0a000002 0a000001 1234 0035 05c8 0000",
      IP6:format(40, 0) .. "2c 00 000000000000 33 00 0000 00000007 3a 01 0000 00000000 00000000 80 00 0000",
    },
    LINUX_SLL2 = { "0800 0000 00000003 0001 04 06 020000000001 0000" .. IP },
    LINUX_SLL = { "0000 0304 0000 000000000000 0000 0800" .. IP },
    NULL = { "02000000" .. IP .. ECHO },
  }

  it("never raises, whatever the bytes are", function()
    local random = math.random
    local function try(data, link_type)
      local p = pcap.decode(data, link_type, random(0, 1) * 70000)
      assert(#tostring(p) > 0 and #p.payload <= #data)
    end
    for link_type, samples in pairs(SAMPLES) do
      for _, hex in ipairs(samples) do
        local data = bytes(hex)
        for i = 0, #data do
          try(data:sub(1, i), link_type)
          for _ = 1, 20 do try(data:sub(1, i) .. string.char(random(0, 255)) .. data:sub(i + 2), link_type) end
        end
        for _ = 1, 500 do
          local changed = data:gsub(".", function() if random(8) == 1 then return string.char(random(0, 255)) end end)
          try(changed .. ("\x01"):rep(random(0, 40)), link_type)
        end
      end
    end
  end)
end)

describe("luabox.pcap", function()
  it("checks the options of a capture", function()
    badargs.check(pcap.capture, {
      link = { "string", required = true, min = 1, max = 15 }, filter = { "string" }, to = { "string", min = 1 },
      count = { "integer" }, seconds = { "duration" }, snaplen = { "size" }, promiscuous = { "boolean" },
      buffer = { "size" },
    }, { link = "lo" })
    assert.equal("#1 (option 'buffer': '1K' is out of range (65536 to 1073741824))",
      refusal(pcap.capture, { link = "lo", buffer = "1K" }))
  end)

  it("checks what it decodes and reads", function()
    assert.equal("#1 (string expected, got no value)", refusal(pcap.decode))
    assert.equal("#3 (integer expected, got string)", refusal(pcap.decode, "", "RAW", "x"))
    assert.equal("#1 (string expected, got no value)", refusal(pcap.read))
    badargs.check(function(o) pcap.read("/nowhere", o) end, { filter = { "string" }, count = { "integer" } }, {},
      { arg = 2 })
  end)

  it("checks the options of the core", function()
    local sys = require "luabox.sys.pcap"
    badargs.check(sys.open, {
      link = { "string", required = true, min = 1, max = 15 }, namespace = { "handle" }, filter = { "string" },
      snaplen = { "integer", min = 1, max = 262144 }, promiscuous = { "boolean" },
      buffer = { "integer", min = 65536, max = 1 << 30 }, count = { "integer", min = 1, max = math.maxinteger },
      seconds = { "number", min = 0, max = 1000000000 },
    }, { link = "lo" })
  end)
end)
