--- Packets: captured on any link of any network namespace, decoded, and written to a file that tcpdump and Wireshark
-- read. Through libpcap (Debian's package libpcap0.8), which is loaded at the first use.
--
-- A packet is a table. `data` are its bytes as far as they were taken, `length` is what it had on the link,
-- `nanoseconds` when it passed (since 1970), `link_type` what it begins with. What was decoded is in tables with the
-- names that nftables gives to headers and fields:
--
-- * `ether`: `saddr`, `daddr`, `type`; `vlan`: a list of tags, outermost first, each with `id`, `pcp`, `dei`, `type`
-- * `sll`, on the link "any": `direction` ("in", "out", "broadcast", "multicast", "other"), `index` of the link,
--   `protocol`, `saddr`
-- * `arp`: `operation` ("request", "reply" or a number), `saddr_ether`, `saddr_ip`, `daddr_ether`, `daddr_ip`
-- * `ip`: `saddr`, `daddr`, `ttl`, `protocol` (a name, or a number), `id`, `length`, `dscp`, `ecn`, `dont_fragment`,
--   `more_fragments`, `frag_off` (in bytes), `hdrlength`, `checksum`, `options`
-- * `ip6`: `saddr`, `daddr`, `hoplimit`, `protocol`, `nexthdr`, `length`, `dscp`, `ecn`, `flowlabel`, `extensions` (a
--   list); of a fragment `id`, `frag_off`, `more_fragments`
-- * `icmp`, `icmpv6`: `type`, `code`, `name` ("echo request"), `checksum`, `id`, `sequence`; of an error `mtu` or
--   `gateway`, and `original`, the packet that it is about; of neighbour discovery `taddr` and `lladdr`
-- * `tcp`: `sport`, `dport`, `sequence`, `ackseq`, `flags` ("syn,ack"), `window`, `doff`, `checksum`, `urgptr`,
--   `options` (`mss`, `wscale`, `sack_permitted`, `timestamp`)
-- * `udp`: `sport`, `dport`, `length`, `checksum`
--
-- `payload` are the bytes behind the last header; `note` says what could not be decoded, or was cut off. As text a
-- packet is one line.
-- @module luabox.pcap
local decoder = require "luabox.pcap_decode"
local errors = require "luabox.error"
local options = require "luabox.options"
local place = require "luabox.net_place"
local sys = require("luabox").sys

local packet_mt = { __name = "luabox.packet", __tostring = require "luabox.pcap_text" }

local capture_methods = {}
local capture_mt = { __name = "luabox.capture", __index = capture_methods }

local M = {}

local function decode(bytes, link_type, length, nanoseconds)
  return decoder.fill(setmetatable({ data = bytes, link_type = link_type, length = length, nanoseconds = nanoseconds },
    packet_mt))
end

-- ---- opening ----

local SNAPLEN = { "size", min = 1, max = 262144 }
local COUNT = { "integer", min = 1 }

local capture_options = {
  link = { "string", required = true, min = 1, max = 15 },
  namespace = place.option,
  filter = { "string" },
  to = { "string", min = 1 },
  count = COUNT,
  seconds = { "duration", min = 0, max = 1e9 },
  snaplen = SNAPLEN,
  promiscuous = { "boolean" },
  buffer = { "size", min = 65536, max = 1 << 30 },
}

local read_options = { filter = { "string" }, count = COUNT }

local function new(source, what)
  return setmetatable({ source = source, what = what, link_type = source:link_type(), waiting = {}, first = 1 },
    capture_mt)
end

local function start(o)
  local undo <close> = require("luabox.scope").new()
  local source = sys.pcap.open { link = o.link, namespace = place.namespace(o.namespace, undo), filter = o.filter,
    count = o.count, seconds = o.seconds, snaplen = o.snaplen, promiscuous = o.promiscuous, buffer = o.buffer }
  if o.to then
    local ok, failure = pcall(source.save, source, o.to)
    if not ok then
      source:close()
      error(failure, 0)
    end
  end
  return source
end

--- Captures the packets of a link from now on. They wait in the kernel while the script does other things; what finds
-- no room there is dropped, and counted in `stats`.
-- @tparam table o
-- @tparam string o.link its name, or "any" for all links of the namespace
-- @tparam[opt] luabox.namespace|luabox.container|luabox.process|luabox.network|integer|string o.namespace whose links:
--   of a handle, a container, a process or its pid, a network (its switch), a name of `ip netns`, a container's host
--   name, or a path; the current one by default
-- @tparam[opt] string o.filter only packets that it describes, such as "icmp and host 10.0.0.1"
-- @tparam[opt] string o.to a file that they are written to, made with mode 600; one that is there is emptied
-- @tparam[opt] integer o.count the capture ends with so many packets
-- @tparam[opt] number|string o.seconds and after so long
-- @tparam[opt=65400] integer|string o.snaplen bytes that are taken of each packet
-- @tparam[opt=false] boolean o.promiscuous packets that are for others, too
-- @tparam[opt="16M"] integer|string o.buffer where packets wait: room for 256 of them, and with a snaplen of "2K" for
--   some 5000
-- @treturn luabox.capture
-- @raise luabox.error, before anything is done: EINVAL for a filter that libpcap does not understand, with its reason;
--   ENODEV, whose hint has the links that there are; ENETDOWN; EPERM; ELIBACC without libpcap
-- @see pcap-filter(7)
-- @usage
-- luabox.sys.net.link_set { name = "lo", up = true }
-- local capture <close> = luabox.pcap.capture { link = "lo", filter = "icmp", to = "/tmp/ping.pcap" }
-- local ping <close> = luabox.sys.process.spawn { program = { "ping", "-c", "1", "127.0.0.1" }, stdout = "null" }
-- ping:wait()
-- capture:stop()
-- for packet in capture:packets() do print(packet, packet.icmp.sequence) end
function M.capture(o)
  o = options.check(capture_options, o, "capture")
  return new(errors.within(("capture on link '%s'"):format(o.link), start, o), "of link '" .. o.link .. "'")
end

--- Opens a file of packets, of luabox, tcpdump or Wireshark (pcap or pcapng).
-- @tparam string path
-- @tparam[opt] table o
-- @tparam[opt] string o.filter only packets that it describes
-- @tparam[opt] integer o.count at most so many
-- @treturn luabox.capture
-- @raise luabox.error: ENOENT, EACCES; EINVAL if it is no such file, or for the filter; ELIBACC without libpcap
-- @see pcap-savefile(5)
-- @usage
-- luabox.pcap.capture({ link = "any", to = "/tmp/none.pcap" }):close()
-- local file <close> = luabox.pcap.read "/tmp/none.pcap"
-- for packet in file:packets() do print(packet) end
function M.read(path, o)
  path = options.argument({ "string", required = true, min = 1 }, path, "read")
  o = options.check(read_options, o or {}, "read", 2)
  return new(sys.pcap.read(path, o), ("from '%s'"):format(path))
end

--- Decodes the bytes of one packet. Whatever they are, it does not raise.
-- @tparam string bytes
-- @tparam[opt="EN10MB"] string link_type what they begin with, as libpcap calls it: "EN10MB" (Ethernet), "RAW" (IP),
--   "LINUX_SLL", "LINUX_SLL2", "NULL"
-- @tparam[opt] integer length what the packet had on the link; by default it is whole
-- @treturn table the packet
-- @see pcap-linktype(7)
-- @usage
-- local packet = luabox.pcap.decode(("\0"):rep(12) .. "\x08\x06", "EN10MB")
-- assert(packet.ether.type == 0x0806 and packet.note == "the ARP header is cut off")
function M.decode(bytes, link_type, length)
  if type(bytes) ~= "string" then options.argument({ "string", required = true }, bytes, "decode") end
  link_type = options.argument({ "string", default = "EN10MB" }, link_type, "decode", 2)
  length = options.argument({ "integer", min = 0 }, length, "decode", 3)
  return decode(bytes, link_type, length or #bytes)
end

-- ---- a capture ----

-- The oldest of those that stop() took out of the ring; otherwise the next one.
local function take(self, timeout)
  local kept = self.waiting[self.first]
  if kept then
    self.waiting[self.first] = nil
    self.first = self.first + 1
    return table.unpack(kept)
  end
  if not self.closed then return self.source:next(timeout) end
end

local TIMEOUT = { "duration", min = 0 }

--- The next packet. Ctrl-C interrupts the wait.
-- @function capture:next
-- @tparam[opt] number|string timeout how long to wait; as long as it takes by default
-- @treturn ?table nil if none came in time, or the capture has ended
-- @raise luabox.error: ENODEV if the link is gone; EINVAL for a file that is broken off; ENOSPC
function capture_methods:next(timeout)
  timeout = options.argument(TIMEOUT, timeout, "next")
  local bytes, nanoseconds, length = take(self, timeout)
  if bytes then return decode(bytes, self.link_type, length, nanoseconds) end
end

--- The packets one by one, until the capture ends or none comes in time.
-- @function capture:packets
-- @tparam[opt] table o
-- @tparam[opt] number|string o.timeout how long to wait for each; as long as it takes by default
-- @treturn function an iterator
-- @usage
-- local capture <close> = luabox.pcap.capture { link = "any", filter = "tcp port 80" }
-- for packet in capture:packets { timeout = "100ms" } do print(packet.tcp.flags, #packet.payload) end
function capture_methods:packets(o)
  o = options.check({ timeout = TIMEOUT }, o or {}, "packets")
  return function() return self:next(o.timeout) end
end

--- Takes packets until the capture ends by its `count` or `seconds`, or is interrupted: they are written to its file.
-- @function capture:wait
-- @tparam[opt] number|string timeout ends as well when none comes for so long
-- @treturn integer how many were taken
-- @usage
-- local capture <close> = luabox.pcap.capture { link = "any", seconds = 0.1, to = "/tmp/all.pcap" }
-- print(capture:wait() .. " packets")
function capture_methods:wait(timeout)
  timeout = options.argument(TIMEOUT, timeout, "wait")
  local count = 0
  while take(self, timeout) do count = count + 1 end
  return count
end

--- Ends the capture: no packet comes any more. Those that wait are written to its file now, and can still be read.
-- @function capture:stop
-- @raise luabox.error: ENOSPC
function capture_methods:stop()
  if self.stopped or self.closed then return end
  self.stopped = true
  self.source:stop()
  repeat
    local bytes, nanoseconds, length = self.source:next(0)
    self.waiting[#self.waiting + 1] = bytes and { bytes, nanoseconds, length }
  until not bytes
end

--- How many packets there were.
-- @function capture:stats
-- @treturn table `taken`; of a link also `received` (those that passed the filter) and `dropped` (those of them for
--   which there was no room)
function capture_methods:stats()
  return self.source:stats()
end

--- Ends the capture. What waits for being read is written to its file, if it has one.
-- @function capture:close
function capture_methods:close()
  self.closed = true
  self.source:close()
end

options.methods(capture_mt.__name, capture_methods)

capture_mt.__close = errors.closer(capture_methods.close)
capture_mt.__tostring = function(self) return "luabox.capture " .. self.what end

return M
