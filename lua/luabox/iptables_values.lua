--- The values that stand in an iptables command line: each reader makes of a text what nftables is given, and how
-- iptables would write it.
-- Internal: a part of `luabox.nat`, for nobody else.
--
-- A reader takes the text and the version of IP, and gives `{ value =, text = }`, or nil and a problem. A value is as
-- `luabox.sys.nft` takes it in a rule; without one the match is true of every packet.
-- @module luabox.iptables_values

local address = require "luabox.address"
local words = require "luabox.iptables_words"

local M = {}

local LAST_PORT = 65535

-- ---- addresses ----

local FAMILY = { [4] = "IPv4", [6] = "IPv6" }
local WIDTH = { [4] = 32, [6] = 128 }

-- "255.255.255.0" as 24; nil if it is no mask.
local function mask_length(text)
  local mask = address.parse(text)
  if not mask or mask.version ~= 4 or mask.prefix then return nil end
  local bits = 0
  for byte in tostring(mask):gmatch "%d+" do bits = bits << 8 | math.tointeger(byte) end
  for length = 0, 32 do
    if bits == (0xffffffff << (32 - length)) & 0xffffffff then return length end
  end
end

local function with_prefix(text)
  local host, mask = text:match "^([^/]*)/(%d+%.[%d.]+)$"
  local length = mask and mask_length(mask)
  return length and ("%s/%d"):format(host, length) or text
end

--- Of -s and -d: an address, or a network with a prefix or a mask.
function M.address(text, version)
  if text == "0/0" or text == "any" then text = version == 4 and "0.0.0.0/0" or "::/0" end
  local parsed, problem = address.parse(with_prefix(text))
  if not parsed then return nil, problem .. (text:find "^%a" and "; names are not looked up" or "") end
  if parsed.version ~= version then
    local instead = version == 4 and "; for IPv6 there is ip6tables" or ""
    return nil, ("'%s' is not %s%s"):format(text, FAMILY[version], instead)
  end
  local network = parsed:network()
  if network:length() == 0 then return { text = tostring(network) } end
  local shown = ("%s/%d"):format(network:host(), network:length())
  return { value = network:length() == WIDTH[version] and tostring(network:host()) or shown, text = shown }
end

--- Of -i and -o: a link's name, "eth+" for all that begin so.
function M.interface(text)
  if text == "+" then return { text = text } end
  if text == "" then return nil, "the interface's name is empty" end
  if #text > 15 then
    return nil, ("'%.80s' is %d bytes long; an interface's name has at most 15"):format(text, #text)
  end
  if text:find "[/*%s%c]" then
    return nil, ("'%s' is no interface's name; 'eth+' stands for all that begin so"):format(text)
  end
  return { value = text:gsub("%+$", "*"), text = words.name(text) }
end

-- ---- protocols ----

local PROTOCOLS = {
  icmp = 1, igmp = 2, tcp = 6, udp = 17, dccp = 33, gre = 47, esp = 50, ah = 51, ["ipv6-icmp"] = 58, sctp = 132,
  udplite = 136,
}
local PROTOCOL_NAMES = {}
for name, number in pairs(PROTOCOLS) do PROTOCOL_NAMES[number] = name end

--- Of -p: a name or a number; "all" and 0 are every one.
function M.protocol(text)
  local lower = text:lower()
  if lower == "all" then return { text = "all" } end
  if lower == "icmpv6" then lower = "ipv6-icmp" end
  local number = PROTOCOLS[lower] or text:find "^%d+$" and math.tointeger(text)
  if not number or number > 255 then
    return nil, ("'%s' is not a protocol: tcp, udp, icmp, … or a number up to 255"):format(text)
  end
  if number == 0 then return { text = "all" } end
  local name = PROTOCOL_NAMES[number] or tostring(number)
  return { value = PROTOCOL_NAMES[number] or number, text = name }
end

-- ---- ports ----

local function port(text)
  local number = text:find "^%d+$" and #text < 8 and math.tointeger(text)
  if number and number <= LAST_PORT then return number end
  return nil, ("'%s' is not a port (0 to %d); names of services are not looked up"):format(text, LAST_PORT)
end

-- The ends of "80", "80:90", "80:" and ":90", with ":" or "-" between them.
local function range(text, between)
  local low, high = text:match("^([^" .. between .. "]*)" .. between .. "(.*)$")
  local first, last, problem
  first, problem = port(low and (low == "" and "0" or low) or text)
  if problem then return nil, nil, problem end
  last, problem = port(high and (high == "" and tostring(LAST_PORT) or high) or text)
  if problem then return nil, nil, problem end
  if first > last then return nil, nil, ("the range '%s' runs backwards"):format(text) end
  return first, last
end

local function joined(first, last, between)
  return first == last and tostring(first) or first .. between .. last
end

--- Of --dport and --sport: a port, or a range as in "80:90".
function M.ports(text)
  if text == ":" then return nil, "':' is no range of ports" end
  local first, last, problem = range(text, ":")
  if problem then return nil, problem end
  if first == 0 and last == LAST_PORT then return {} end
  return { value = joined(first, last, "-"), text = joined(first, last, ":") }
end

-- Sorted, and those that touch made one: the elements of an nftables set must not overlap.
local function merged(ranges)
  table.sort(ranges, function(a, b) return a[1] < b[1] end)
  local list = {}
  for _, r in ipairs(ranges) do
    local before = list[#list]
    if before and r[1] <= before[2] + 1 then
      before[2] = math.max(before[2], r[2])
    else
      list[#list + 1] = { r[1], r[2] }
    end
  end
  for i, r in ipairs(list) do list[i] = joined(r[1], r[2], "-") end
  return list
end

--- Of --dports and --sports: a list, as in "80,443,8000:8010".
function M.port_list(text)
  local ranges, shown = {}, {}
  for item in (text .. ","):gmatch "([^,]*)," do
    local first, last, problem = range(item, ":")
    if problem then return nil, problem end
    ranges[#ranges + 1] = { first, last }
    shown[#shown + 1] = joined(first, last, ":")
  end
  return { value = merged(ranges), text = table.concat(shown, ",") }
end

--- Of --to-ports: a port, or a range as in "80-90".
function M.to_ports(text)
  local first, last, problem = range(text, "-")
  if problem then return nil, problem end
  local shown = joined(first, last, "-")
  return { value = shown, text = shown, needs_ports = true }
end

-- ---- addresses to rewrite to ----

local function host(text, version)
  local parsed, problem = address.parse(text)
  if not parsed then return nil, problem end
  if parsed.prefix then return nil, ("'%s' is a network; an address or a range is rewritten to"):format(text) end
  if parsed.version ~= version then return nil, ("'%s' is not %s"):format(text, FAMILY[version]) end
  return parsed
end

local function host_range(text, version)
  local low, high = text:match "^([^-]*)%-(.*)$"
  local first, problem = host(low or text, version)
  if not first then return nil, problem end
  if not high then return tostring(first) end
  local last
  last, problem = host(high, version)
  if not last then return nil, problem end
  if last < first then return nil, ("the range '%s' runs backwards"):format(text) end
  return first == last and tostring(first) or ("%s-%s"):format(first, last)
end

-- "10.0.0.2:80" as two texts, "[fd00::2]:80" too; the second is nil without a port.
local function split_port(text, version)
  if version == 4 then
    local before, ports = text:match "^([^:]*):(.*)$"
    return before or text, ports
  end
  local before, rest = text:match "^%[(.*)%](.*)$"
  if not before then return text end
  return before, rest ~= "" and rest:gsub("^:", "") or nil
end

--- Of --to-source and --to-destination: "10.0.0.2", "10.0.0.2-10.0.0.9", "10.0.0.2:80-90", "[fd00::2]:80".
function M.to_address(text, version)
  local addresses, ports = split_port(text, version)
  if addresses == "" then return nil, ("'%s' has no address"):format(text) end
  local shown, problem = host_range(addresses, version)
  if not shown then return nil, problem end
  if not ports then return { value = shown, text = shown } end
  local first, last
  first, last, problem = range(ports, "-")
  if problem then return nil, problem end
  shown = ("%s:%s"):format(version == 6 and "[" .. shown .. "]" or shown, joined(first, last, "-"))
  return { value = shown, text = shown, needs_ports = true }
end

-- ---- marks and words ----

local function number(text)
  local digits = text:match "^0[xX](%x+)$"
  local value = digits and #digits <= 16 and tonumber(digits, 16)
  if not digits then value = text:find "^%d+$" and #text < 19 and math.tointeger(text) end
  return value and value >= 0 and value <= 0xffffffff and value or nil
end

--- Of --mark: a number, or "number/mask".
function M.mark(text)
  local value, mask = text:match "^([^/]*)/(.*)$"
  value, mask = number(value or text), mask and number(mask) or not mask and 0xffffffff
  if not value or not mask then return nil, ("'%s' is not a mark (0 to 0xffffffff), or mark/mask"):format(text) end
  local shown = mask == 0xffffffff and ("0x%x"):format(value) or ("0x%x/0x%x"):format(value, mask)
  return { value = shown, text = shown }
end

-- Reads "A,B" against the words in their order: the set of them, or nil and a problem.
local function known_words(text, known, what)
  local given = {}
  for item in (text .. ","):gmatch "([^,]*)," do
    local word = item:upper()
    if not known[word] then
      return nil, ("'%s' is not %s; expected %s"):format(item, what, table.concat(known, ", "))
    end
    given[word] = true
  end
  local list = {}
  for _, word in ipairs(known) do
    if given[word] then list[#list + 1] = word end
  end
  return list
end

local function set_of(...)
  local t = { ... }
  for _, word in ipairs(t) do t[word] = true end
  return t
end

local STATES = set_of("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")
local CT_STATES = set_of("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
local TYPES = set_of("UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE",
  "PROHIBIT")

--- Of -m state --state.
function M.states(text)
  local list, problem = known_words(text, STATES, "a state")
  if not list then return nil, problem end
  local shown = table.concat(list, ",")
  return { value = shown:lower(), text = shown }
end

--- Of -m conntrack --ctstate: SNAT and DNAT are nftables' `ct_status`, the others `ct_state`.
function M.conntrack_states(text)
  local list, problem = known_words(text, CT_STATES, "a state of conntrack")
  if not list then return nil, problem end
  local statuses = 0
  for _, word in ipairs(list) do
    if word == "SNAT" or word == "DNAT" then statuses = statuses + 1 end
  end
  if statuses > 0 and statuses < #list then
    return nil, ("'%s': SNAT and DNAT go with no other state in one rule of nftables; write two rules"):format(text)
  end
  local shown = table.concat(list, ",")
  return { value = shown:lower(), text = shown, selector = statuses > 0 and "ct_status" or "ct_state" }
end

--- Of --src-type and --dst-type: one type of addresses.
function M.address_type(text)
  local word = text:upper()
  if not TYPES[word] then
    return nil, ("'%s' is not a type of addresses; expected one of %s"):format(text, table.concat(TYPES, ", "))
  end
  return { value = word:lower(), text = word }
end

--- A reader of texts of a bounded length.
function M.text(max)
  return function(text)
    if #text > max then return nil, ("'%.40s' is %d bytes long; at most %d are allowed"):format(text, #text, max) end
    return { value = text, text = words.quote(text) }
  end
end

local LEVELS = { [0] = "emerg", "alert", "crit", "err", "warn", "notice", "info", "debug" }
local LEVEL_NUMBERS = { emergency = 0, panic = 0, critical = 2, error = 3, warning = 4 }
for i, name in pairs(LEVELS) do LEVEL_NUMBERS[name] = i end

--- Of --log-level: a name or 0 to 7.
function M.log_level(text)
  local level = LEVEL_NUMBERS[text:lower()] or text:find "^[0-7]$" and math.tointeger(text)
  if not level then return nil, ("'%s' is not a level: 0 to 7, %s"):format(text, table.concat(LEVELS, ", ", 0)) end
  return { value = LEVELS[level], text = level ~= 4 and tostring(level) or nil } -- 4 is not written
end

return M
