--- Packets as tables: Ethernet and its VLAN tags, ARP, IPv4, IPv6, ICMP, TCP, UDP.
-- Internal: a part of `luabox.pcap`, for nobody else. Fields have the names of nftables. Nothing here raises, whatever
-- the bytes are: a packet that ends too early gives what is there, and a note.
-- @module luabox.pcap_decode
local transport = require "luabox.pcap_transport"
local reader = require "luabox.pcap_reader"

local fields, note = reader.fields, reader.note
local u8, u16, u32, mac, ip4, ip6, skip = reader.u8, reader.u16, reader.u32, reader.mac, reader.ip4, reader.ip6,
  reader.skip

local decode_network -- by Ethernet's type, below

-- ---- links ----

local TAGS = { [0x8100] = true, [0x88a8] = true, [0x9100] = true }

local ETHER = { { "daddr", mac }, { "saddr", mac }, { "type", u16 } }
local TAG = { { "tci", u16 }, { "type", u16 } }

local function vlan_tags(c, type)
  while type and TAGS[type] do
    local t, whole = fields(c, "VLAN tag", TAG)
    local tci = t.tci
    if tci then
      t.tci, t.id, t.pcp, t.dei = nil, tci & 0xfff, tci >> 13, tci & 0x1000 ~= 0
      c.packet.vlan = c.packet.vlan or {}
      table.insert(c.packet.vlan, t)
    end
    if not whole then return nil end
    type = t.type
  end
  return type
end

local function ethernet(c)
  local ether, whole = fields(c, "Ethernet header", ETHER)
  c.packet.ether = ether
  if whole then decode_network(c, vlan_tags(c, ether.type)) end
end

local DIRECTIONS = { [0] = "in", "broadcast", "multicast", "other", "out" }

-- What the link "any" has in place of Ethernet's header, in its older and its newer form.
local SLL = { { "direction", u16 }, { "type", u16 }, { "length", u16 }, { "saddr", mac }, { "padding", u16 },
  { "protocol", u16 } }
local SLL2 = { { "protocol", u16 }, { "padding", u16 }, { "index", u32 }, { "type", u16 }, { "direction", u8 },
  { "length", u8 }, { "saddr", mac }, { "padding", u16 } }

local function cooked(layout)
  return function(c)
    local sll, whole = fields(c, "link header", layout)
    if sll.length ~= 6 then sll.saddr = nil end
    sll.direction = DIRECTIONS[sll.direction] or sll.direction
    sll.length, sll.padding = nil, nil
    c.packet.sll = sll
    if whole then decode_network(c, vlan_tags(c, sll.protocol)) end
  end
end

-- ---- ARP ----

local ARP = { { "htype", u16 }, { "ptype", u16 }, { "hlen", u8 }, { "plen", u8 }, { "operation", u16 } }
local ARP_ADDRESSES = { { "saddr_ether", mac }, { "saddr_ip", ip4 }, { "daddr_ether", mac }, { "daddr_ip", ip4 } }
local OPERATIONS = { "request", "reply" }

local function arp(c)
  local a, whole = fields(c, "ARP header", ARP)
  c.packet.arp = a
  a.operation = OPERATIONS[a.operation] or a.operation
  if not whole then return end
  if a.hlen ~= 6 or a.plen ~= 4 then return note(c, "ARP for other addresses than IPv4's is not decoded") end
  fields(c, "ARP addresses", ARP_ADDRESSES, a)
end

-- ---- IPv4 ----

local IP = { { "version", u8 }, { "dscp", u8 }, { "length", u16 }, { "id", u16 }, { "frag_off", u16 }, { "ttl", u8 },
  { "protocol", u8 }, { "checksum", u16 }, { "saddr", ip4 }, { "daddr", ip4 } }

-- Fields of several bits, of as many as are there.
local function split_ip(ip)
  local first, second, fragment = ip.version, ip.dscp, ip.frag_off
  if first then ip.version, ip.hdrlength = first >> 4, (first & 15) * 4 end
  if second then ip.dscp, ip.ecn = second >> 2, second & 3 end
  if fragment then
    ip.dont_fragment, ip.more_fragments = fragment & 0x4000 ~= 0, fragment & 0x2000 ~= 0
    ip.frag_off = (fragment & 0x1fff) * 8
  end
end

local function ipv4(c)
  local start = c.at
  local ip, whole = fields(c, "IP header", IP)
  split_ip(ip)
  c.packet.ip = ip
  local number = ip.protocol
  ip.protocol = transport.name(number)
  if not whole then return end
  if ip.hdrlength < 20 then return note(c, ("an IP header of %d bytes is too short"):format(ip.hdrlength)) end
  local options = ip.hdrlength - 20
  if options > 0 then fields(c, "IP options", { { "options", skip(options) } }, ip) end
  -- A length of 0 is what the kernel writes in packets that it joined. What is behind the end is padding.
  if ip.length >= ip.hdrlength then reader.limit(c, start + ip.length - 1) end
  transport.decode(c, number, ip.frag_off)
end

-- ---- IPv6 ----

local IP6 = { { "version", u32 }, { "length", u16 }, { "nexthdr", u8 }, { "hoplimit", u8 }, { "saddr", ip6 },
  { "daddr", ip6 } }
local FRAGMENT = { { "next", u8 }, { "padding", u8 }, { "offset", u16 }, { "id", u32 } }
local EXTENSION = { { "next", u8 }, { "length", u8 } }

local EXTENSIONS = { [0] = "hop-by-hop", [43] = "routing", [44] = "fragment", [51] = "authentication",
  [60] = "destination", [135] = "mobility" }

local function fragment_header(c, ip)
  local f, whole = fields(c, "fragment header", FRAGMENT)
  if not whole then return nil end
  ip.id, ip.frag_off, ip.more_fragments = f.id, f.offset & ~7, f.offset & 1 ~= 0
  return f.next
end

-- Returns what follows, or nil if the packet ends before.
local function extension_header(c, ip, number)
  if number == 44 then return fragment_header(c, ip) end
  local e, whole = fields(c, EXTENSIONS[number] .. " header", EXTENSION)
  local rest = whole and (number == 51 and e.length * 4 + 6 or e.length * 8 + 6)
  if rest then whole = select(2, fields(c, EXTENSIONS[number] .. " header", { { "rest", skip(rest) } })) end
  return whole and e.next or nil
end

local function ipv6(c)
  local ip, whole = fields(c, "IPv6 header", IP6)
  local first = ip.version
  if first then
    ip.version, ip.flowlabel = first >> 28, first & 0xfffff
    ip.dscp, ip.ecn = first >> 22 & 63, first >> 20 & 3
  end
  c.packet.ip6 = ip
  if not whole then return end
  if ip.length > 0 then reader.limit(c, c.at + ip.length - 1) end
  local number = ip.nexthdr
  while EXTENSIONS[number] and (ip.frag_off or 0) == 0 do
    ip.extensions = ip.extensions or {}
    table.insert(ip.extensions, EXTENSIONS[number])
    number = extension_header(c, ip, number)
  end
  ip.protocol = transport.name(number)
  if number then transport.decode(c, number, ip.frag_off or 0) end
end

-- ---- what is in a link's packets ----

local NETWORK = { [0x0800] = ipv4, [0x0806] = arp, [0x86dd] = ipv6 }

function decode_network(c, type)
  if not type then return end
  local decode = NETWORK[type]
  if decode then return decode(c) end
  if type < 0x600 then return note(c, "IEEE 802.3 frames are not decoded") end
  note(c, ("Ethernet's type 0x%04x is not decoded"):format(type))
end

local function raw(c)
  local version = (c.data:byte(c.at) or 0) >> 4
  if version == 6 then return ipv6(c) end
  if version == 4 then return ipv4(c) end
  note(c, "neither IPv4 nor IPv6")
end

-- Four bytes before a packet of IP.
local function null(c)
  if select(2, fields(c, "link header", { { "family", u32 } })) then raw(c) end
end

-- By libpcap's names of link types.
local LINKS = { EN10MB = ethernet, LINUX_SLL = cooked(SLL), LINUX_SLL2 = cooked(SLL2), RAW = raw, IPV4 = raw,
  IPV6 = raw, NULL = null, LOOP = null }

local M = {}

--- Fills a packet that has `data`, `length` and `link_type`.
-- @tparam table packet
-- @tparam[opt=0] integer depth 1 if it is one that another is about
-- @treturn table the packet
function M.fill(packet, depth)
  local data = packet.data
  local c = { data = data, at = 1, stop = #data, packet = packet, depth = depth or 0 }
  if #data < packet.length then note(c, ("cut off after %d of %d bytes"):format(#data, packet.length)) end
  local decode = LINKS[packet.link_type]
  if decode then
    decode(c)
  else
    note(c, ("the link type %s is not decoded"):format(packet.link_type))
  end
  packet.payload = data:sub(c.at, c.stop)
  return packet
end

return M
