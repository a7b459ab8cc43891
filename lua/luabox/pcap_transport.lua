--- What is in packets of IP: ICMP, ICMPv6, TCP, UDP.
-- Internal: a part of `luabox.pcap`, for nobody else.
-- @module luabox.pcap_transport
local reader = require "luabox.pcap_reader"

local fields = reader.fields
local u8, u16, u32, mac, ip4, ip6, skip = reader.u8, reader.u16, reader.u32, reader.mac, reader.ip4, reader.ip6,
  reader.skip

local M = {}

-- ---- ICMP ----

local HEADER = { { "type", u8 }, { "code", u8 }, { "checksum", u16 } }
local ECHO = { { "id", u16 }, { "sequence", u16 } }

local ICMP_NAMES = { [0] = "echo reply", [3] = "destination unreachable", [4] = "source quench", [5] = "redirect",
  [8] = "echo request", [9] = "router advertisement", [10] = "router solicitation", [11] = "time exceeded",
  [12] = "parameter problem", [13] = "timestamp request", [14] = "timestamp reply" }

local ICMPV6_NAMES = { [1] = "destination unreachable", [2] = "packet too big", [3] = "time exceeded",
  [4] = "parameter problem", [128] = "echo request", [129] = "echo reply", [130] = "multicast listener query",
  [131] = "multicast listener report", [132] = "multicast listener done", [133] = "router solicitation",
  [134] = "router advertisement", [135] = "neighbour solicitation", [136] = "neighbour advertisement",
  [137] = "redirect", [143] = "multicast listener report" }

-- The packet that an error is about; errors about errors are not followed.
local function original(c)
  if c.depth > 0 then return nil end
  local data = c.data:sub(c.at, c.stop)
  return require("luabox.pcap_decode").fill({ data = data, length = #data, link_type = "RAW" }, c.depth + 1)
end

local UNREACHABLE = { { "padding", u16 }, { "mtu", u16 } }
local REDIRECT = { { "gateway", ip4 } }
local UNUSED = { { "padding", u32 } }

local ICMP_ERRORS = { [3] = UNREACHABLE, [4] = UNUSED, [5] = REDIRECT, [11] = UNUSED, [12] = UNUSED }
local ICMPV6_ERRORS = { [1] = UNUSED, [2] = { { "mtu", u32 } }, [3] = UNUSED, [4] = { { "pointer", u32 } } }

local function error_message(c, icmp, layout)
  local whole = select(2, fields(c, "ICMP header", layout, icmp))
  icmp.padding = nil
  if whole then icmp.original = original(c) end
end

-- What both versions begin with; nil where nothing is behind it that is to be read.
local function message(c, field, what, names, layouts)
  local m, whole = fields(c, what, HEADER)
  c.packet[field] = m
  m.name = names[m.type]
  if not whole then return nil end
  local layout = layouts[m.type]
  if not layout then return m end
  error_message(c, m, layout)
end

local function icmp(c)
  local m = message(c, "icmp", "ICMP header", ICMP_NAMES, ICMP_ERRORS)
  if m and (m.type == 0 or m.type == 8 or m.type == 13 or m.type == 14) then fields(c, "ICMP header", ECHO, m) end
end

-- ---- ICMPv6 ----

local NEIGHBOUR = { { "padding", u32 }, { "taddr", ip6 } }
local OPTION = { { "type", u8 }, { "length", u8 } }
local LINK_ADDRESS = { { "lladdr", mac } }

-- The options of neighbour discovery, of which only the address of the link is read.
local function neighbour_options(c, m)
  while c.at < c.stop do
    local option = fields(c, "option", OPTION)
    if option.length == 0 then return reader.note(c, "an option without a length") end
    local layout = LINK_ADDRESS
    if option.length ~= 1 or option.type > 2 then layout = { { "rest", skip(option.length * 8 - 2) } } end
    local _, whole = fields(c, "option", layout, m)
    m.rest = nil
    if not whole then return end
  end
end

local function icmpv6(c)
  local m = message(c, "icmpv6", "ICMPv6 header", ICMPV6_NAMES, ICMPV6_ERRORS)
  if not m then return end
  if m.type == 128 or m.type == 129 then
    fields(c, "ICMPv6 header", ECHO, m)
  elseif m.type == 135 or m.type == 136 then
    local whole = select(2, fields(c, "ICMPv6 header", NEIGHBOUR, m))
    m.padding = nil
    if whole then neighbour_options(c, m) end
  end
end

-- ---- TCP and UDP ----

local TCP = { { "sport", u16 }, { "dport", u16 }, { "sequence", u32 }, { "ackseq", u32 }, { "doff", u16 },
  { "window", u16 }, { "checksum", u16 }, { "urgptr", u16 } }

local FLAGS = { "fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr" }

local function flag_words(bits)
  local words = {}
  for i, word in ipairs(FLAGS) do
    if bits >> (i - 1) & 1 == 1 then words[#words + 1] = word end
  end
  return table.concat(words, ",")
end

-- By kind: the name, and how the bytes behind it are read.
local TCP_OPTIONS = { [2] = { "mss", ">I2", 4 }, [3] = { "wscale", ">I1", 3 }, [4] = { "sack_permitted", nil, 2 },
  [8] = { "timestamp", ">I4", 10 } }

local function tcp_options(c, stop)
  local options = {}
  while c.at <= stop do
    local kind, length = c.data:byte(c.at, c.at + 1)
    if kind == 0 then break end -- the end of the list
    if kind == 1 then length = 1 end -- nothing, for alignment
    if not length or length == 0 or kind > 1 and length < 2 or c.at + length - 1 > stop then
      reader.note(c, "a TCP option of a wrong length")
      break
    end
    local known = TCP_OPTIONS[kind]
    if known and known[3] == length then
      options[known[1]] = known[2] and string.unpack(known[2], c.data, c.at + 2) or true
    end
    c.at = c.at + length
  end
  return options
end

local function tcp(c)
  local start = c.at
  local t, whole = fields(c, "TCP header", TCP)
  c.packet.tcp = t
  if t.doff then t.flags, t.doff = flag_words(t.doff & 255), (t.doff >> 12) * 4 end
  if not whole then return end
  if t.doff < 20 then return reader.note(c, ("a TCP header of %d bytes is too short"):format(t.doff)) end
  local stop = start + t.doff - 1
  if stop > c.stop then reader.note(c, "the TCP options are cut off") end
  stop = math.min(stop, c.stop)
  t.options = tcp_options(c, stop)
  c.at = stop + 1
end

local UDP = { { "sport", u16 }, { "dport", u16 }, { "length", u16 }, { "checksum", u16 } }

local function udp(c)
  local start = c.at
  local u, whole = fields(c, "UDP header", UDP)
  c.packet.udp = u
  if whole and u.length >= 8 then reader.limit(c, start + u.length - 1) end
end

-- ---- which of them ----

local PROTOCOLS = { [1] = { "icmp", icmp }, [6] = { "tcp", tcp }, [17] = { "udp", udp }, [58] = { "icmpv6", icmpv6 } }
local OTHERS = { [2] = "igmp", [4] = "ipip", [41] = "ipv6", [47] = "gre", [50] = "esp", [51] = "ah", [59] = "none",
  [103] = "pim", [112] = "vrrp", [132] = "sctp" }

--- What a protocol is called; its number if it has no name here.
function M.name(number)
  return PROTOCOLS[number] and PROTOCOLS[number][1] or OTHERS[number] or number
end

--- Decodes what an IP header announced. Only the first of several fragments has a header.
function M.decode(c, number, offset)
  if offset == 0 and PROTOCOLS[number] then PROTOCOLS[number][2](c) end
end

return M
