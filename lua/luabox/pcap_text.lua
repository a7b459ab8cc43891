--- A packet as a line for people.
-- Internal: a part of `luabox.pcap`, for nobody else.
-- @module luabox.pcap_text

local function unknown(value)
  return value == nil and "?" or tostring(value)
end

local function clock(packet)
  local nanoseconds = packet.nanoseconds
  if not nanoseconds then return "" end
  return ("%s.%09d "):format(os.date("%H:%M:%S", nanoseconds // 1000000000), nanoseconds % 1000000000)
end

local function arp(packet)
  local a = packet.arp
  if a.operation == "request" then
    return ("arp request: who has %s? tell %s"):format(unknown(a.daddr_ip), unknown(a.saddr_ip))
  elseif a.operation == "reply" then
    return ("arp reply: %s is at %s"):format(unknown(a.saddr_ip), unknown(a.saddr_ether))
  end
  return "arp " .. unknown(a.operation)
end

local function icmp(m, what)
  local text = ("%s %s"):format(what, m.name or ("type %s, code %s"):format(unknown(m.type), unknown(m.code)))
  if m.id then text = ("%s, id %d, sequence %s"):format(text, m.id, unknown(m.sequence)) end
  if m.taddr then text = ("%s, %s"):format(text, m.taddr) end
  if m.mtu then text = ("%s, mtu %d"):format(text, m.mtu) end
  return text
end

local function tcp(t)
  local text = ("tcp %s, sequence %s"):format(unknown(t.flags), unknown(t.sequence))
  if (t.flags or ""):find "ack" then text = ("%s, ack %d"):format(text, t.ackseq) end
  return text
end

local function transport(packet, ip)
  if packet.icmp then return icmp(packet.icmp, "icmp") end
  if packet.icmpv6 then return icmp(packet.icmpv6, "icmpv6") end
  if packet.tcp then return tcp(packet.tcp) end
  if packet.udp then return "udp" end
  local name = ip.protocol
  return math.type(name) and ("protocol %d"):format(name) or unknown(name)
end

local function fragment(ip)
  if (ip.frag_off or 0) > 0 or ip.more_fragments then return (", fragment at %d"):format(ip.frag_off) end
  return ""
end

-- "10.0.0.1:80", "[fd00::1]:80", or the address alone.
local function place(address, port)
  if not port then return unknown(address) end
  if address and address:find(":", 1, true) then return ("[%s]:%d"):format(address, port) end
  return ("%s:%d"):format(unknown(address), port)
end

local function network(packet)
  local ip = packet.ip or packet.ip6
  local ports = packet.tcp or packet.udp or {}
  return ("%s > %s %s%s, ttl %s"):format(place(ip.saddr, ports.sport), place(ip.daddr, ports.dport),
    transport(packet, ip), fragment(ip), unknown(ip.ttl or ip.hoplimit))
end

local function link(packet)
  local ether = packet.ether
  if not ether then return unknown(packet.link_type) end
  return ("%s > %s type 0x%04x"):format(unknown(ether.saddr), unknown(ether.daddr), ether.type or 0)
end

local function tags(packet)
  local ids = {}
  for _, tag in ipairs(packet.vlan or {}) do ids[#ids + 1] = ("vlan %d "):format(tag.id) end
  return table.concat(ids)
end

local function body(packet)
  if packet.arp then return arp(packet) end
  if packet.ip or packet.ip6 then return network(packet) end
  return link(packet)
end

--- "12:00:00.000000000 10.0.0.1 > 10.0.0.2 icmp echo request, id 1, sequence 1, ttl 64, 98 bytes"
return function(packet)
  local note = packet.note and (" (%s)"):format(packet.note) or ""
  return ("%s%s%s, %d bytes%s"):format(clock(packet), tags(packet), body(packet), packet.length, note)
end
