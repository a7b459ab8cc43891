--- IPv4 and IPv6 addresses and prefixes as values: compared, counted, handed out.
--
-- An address has `version` (4 or 6) and, if it was written with one, `prefix`. It prints as it is written, IPv6 in
-- the form of RFC 5952. The number is in `hi` and `lo`, two unsigned halves of 64 bits; `hi` is 0 in IPv4.
-- @module luabox.address
local match, ult = string.match, math.ult

local address_methods = {}
local address_mt = { __name = "luabox.address", __index = address_methods }

local WIDTH = { [4] = 32, [6] = 128 }

local M = {}

-- Loaded here: most who use addresses have checked them before.
local function check(description, value, where)
  description.required = true
  return require("luabox.options").argument(description, value, where)
end

local function check_address(value, where)
  if getmetatable(value) ~= address_mt then check({ "object", is = address_mt.__name }, value, where) end
end

local function make(version, hi, lo, prefix)
  return setmetatable({ version = version, hi = hi, lo = lo, prefix = prefix }, address_mt)
end

-- ---- text ----

local function octet(digits)
  local number = tonumber(digits)
  -- A leading zero means octal to some readers and nothing to others.
  return number <= 255 and (#digits == 1 or digits:byte() ~= 48) and number
end

local function parse_ipv4(text)
  local a, b, c, d = match(text, "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a then return nil end
  a, b, c, d = octet(a), octet(b), octet(c), octet(d)
  return a and b and c and d and a << 24 | b << 16 | c << 8 | d
end

-- "1:2:1.2.3.4" as "1:2:102:304".
local function without_ipv4_tail(text)
  local head, tail = text:match("^(.*:)(%d+%.%d+%.%d+%.%d+)$")
  if not head then return text end
  local lo = parse_ipv4(tail)
  return lo and ("%s%x:%x"):format(head, lo >> 16, lo & 0xffff)
end

-- Appends the groups of a text without "::"; false if one is malformed.
local function read_groups(text, groups)
  if text == "" then return true end
  for group in (text .. ":"):gmatch("([^:]*):") do
    if not group:find("^%x%x?%x?%x?$") then return false end
    groups[#groups + 1] = tonumber(group, 16)
  end
  return true
end

local function half(groups, from)
  return groups[from] << 48 | groups[from + 1] << 32 | groups[from + 2] << 16 | groups[from + 3]
end

local function parse_ipv6(text)
  text = without_ipv4_tail(text)
  if not text then return nil end
  local before, after = text, nil
  local gap = text:find("::", 1, true)
  if gap then before, after = text:sub(1, gap - 1), text:sub(gap + 2) end
  local groups, tail = {}, {}
  if not read_groups(before, groups) or after and not read_groups(after, tail) then return nil end
  local zeros = 8 - #groups - #tail
  if gap and zeros < 1 or not gap and zeros ~= 0 then return nil end
  for _ = 1, zeros do groups[#groups + 1] = 0 end
  table.move(tail, 1, #tail, #groups + 1, groups)
  return half(groups, 1), half(groups, 5)
end

local function parse_number(text)
  local lo = parse_ipv4(text)
  if lo then return 4, 0, lo end
  local hi
  hi, lo = parse_ipv6(text)
  if hi then return 6, hi, lo end
end

local function parse_prefix(text, digits, width)
  if not digits:find("^%d+$") or digits:find("^0.") then return nil, ("'%s' is not an address"):format(text) end
  local prefix = tonumber(digits)
  if prefix <= width then return math.tointeger(prefix) end
  return nil, ("'%s' has a prefix of more than %d bits"):format(text, width)
end

--- Reads "10.0.0.2", "10.0.0.2/24", "fd00::2", "fd00::2/64".
-- @tparam string text
-- @treturn ?luabox.address nil if it is none
-- @treturn[2] string the sentence that says so
-- @usage
-- assert(luabox.address.parse("10.0.0.2/24").prefix == 24)
-- assert(select(2, luabox.address.parse("10.0.0.300/24")) == "'10.0.0.300/24' is not an address")
function M.parse(text)
  local number, digits = match(text, "^([^/]*)/?(.*)$")
  local version, hi, lo = parse_number(number)
  if not version then return nil, ("'%s' is not an address"):format(text) end
  if number == text then return make(version, hi, lo) end
  local prefix, problem = parse_prefix(text, digits, WIDTH[version])
  if not prefix then return nil, problem end
  return make(version, hi, lo, prefix)
end

local function format_ipv4(lo)
  return ("%d.%d.%d.%d"):format(lo >> 24, lo >> 16 & 255, lo >> 8 & 255, lo & 255)
end

-- Where the longest run of two or more zero groups begins, the first of several, and its length.
local function longest_zeros(groups)
  local start, length, run = 0, 1, 0
  for i, group in ipairs(groups) do
    run = group == 0 and run + 1 or 0
    if run > length then start, length = i - run + 1, run end
  end
  return start, length
end

local function format_ipv6(hi, lo)
  if hi == 0 and lo >> 32 == 0xffff then return "::ffff:" .. format_ipv4(lo & 0xffffffff) end
  local groups, texts = {}, {}
  for i = 0, 7 do groups[i + 1] = (i < 4 and hi or lo) >> (48 - i % 4 * 16) & 0xffff end
  for i, group in ipairs(groups) do texts[i] = ("%x"):format(group) end
  local start, length = longest_zeros(groups)
  if start == 0 then return table.concat(texts, ":") end
  return table.concat(texts, ":", 1, start - 1) .. "::" .. table.concat(texts, ":", start + length)
end

function address_mt:__tostring()
  local text = self.version == 4 and format_ipv4(self.lo) or format_ipv6(self.hi, self.lo)
  return self.prefix and text .. "/" .. self.prefix or text
end

-- ---- order ----

-- Equal are the same number with the same prefix: "10.0.0.2" is not "10.0.0.2/24".
function address_mt.__eq(a, b)
  return a.version == b.version and a.hi == b.hi and a.lo == b.lo and a.prefix == b.prefix
end

function address_mt.__lt(a, b)
  if a.version ~= b.version then return a.version < b.version end
  if a.hi ~= b.hi then return ult(a.hi, b.hi) end
  if a.lo ~= b.lo then return ult(a.lo, b.lo) end
  return (a.prefix or 128) < (b.prefix or 128)
end

function address_mt.__le(a, b)
  return a < b or a == b
end

--- The address so many numbers further on, in the same prefix: `address + 1`.
function address_mt.__add(a, count)
  if math.type(a) == "integer" then a, count = count, a end
  local lo = a.lo + count
  if a.version == 4 then return make(4, 0, lo & 0xffffffff, a.prefix) end
  local carry = (count >= 0 and ult(lo, a.lo)) and 1 or (count < 0 and ult(a.lo, lo)) and -1 or 0
  return make(6, a.hi + carry, lo, a.prefix)
end

-- ---- prefixes ----

-- The network's bits of `prefix` as two halves.
local function mask(version, prefix)
  if version == 4 then return 0, ~0 << (32 - prefix) & 0xffffffff end
  return prefix == 0 and 0 or ~0 << math.max(64 - prefix, 0), prefix <= 64 and 0 or ~0 << (128 - prefix)
end

--- Whether a value is an address.
-- @param value
-- @treturn boolean
-- @usage assert(luabox.address.is("10.0.0.2") == false)
function M.is(value)
  return getmetatable(value) == address_mt
end

--- An address as an option wants it: with a prefix, or without.
-- @tparam luabox.address address
-- @tparam ?string wanted "required", "none", or nil for either
-- @treturn ?luabox.address nil if it is not so
-- @treturn[2] string the sentence that says so
-- @usage
-- local a = luabox.address.parse("10.0.0.2")
-- assert(luabox.address.require_prefix(a, "none") == a)
function M.require_prefix(address, wanted)
  if wanted == "required" and not address.prefix then
    local example = address.version == 4 and 24 or 64
    return nil, ("'%s' has no prefix; write it as '%s/%d'"):format(address, address, example)
  end
  if wanted == "none" and address.prefix then
    return nil, ("'%s' has a prefix; only the address '%s' belongs here"):format(address, address:host())
  end
  return address
end

--- Reads a subnet: a prefix with all bits after it zero.
-- @tparam string text
-- @treturn ?luabox.address nil if it is none
-- @treturn[2] string the sentence that says so
-- @usage
-- assert(luabox.address.subnet("192.168.2.0/24"):contains(luabox.address.parse("192.168.2.7")))
function M.subnet(text)
  local subnet, problem = M.parse(text)
  if not subnet then return nil, (problem:gsub("is not an address$", "is not a subnet, such as '10.0.0.0/24'")) end
  if not subnet.prefix then return M.require_prefix(subnet, "required") end
  if subnet ~= subnet:network() then
    return nil, ("'%s' is an address within the subnet '%s'"):format(text, subnet:network())
  end
  return subnet
end

--- The address without its prefix.
-- @function address:host
-- @treturn luabox.address
function address_methods:host()
  return make(self.version, self.hi, self.lo)
end

--- The address with another prefix.
-- @function address:with_prefix
-- @tparam integer prefix
-- @treturn luabox.address
function address_methods:with_prefix(prefix)
  return make(self.version, self.hi, self.lo, prefix)
end

--- The length of the prefix, or of the whole address where there is none.
-- @function address:length
-- @treturn integer
function address_methods:length()
  return self.prefix or WIDTH[self.version]
end

--- The subnet that the address is in.
-- @function address:network
-- @treturn luabox.address
function address_methods:network()
  local hi, lo = mask(self.version, self:length())
  return make(self.version, self.hi & hi, self.lo & lo, self:length())
end

--- The highest address of the subnet; in IPv4 the one for all hosts.
-- @function address:broadcast
-- @treturn luabox.address without a prefix
function address_methods:broadcast()
  local hi, lo = mask(self.version, self:length())
  if self.version == 4 then return make(4, 0, self.lo | ~lo & 0xffffffff) end
  return make(6, self.hi | ~hi, self.lo | ~lo)
end

-- The lowest and the highest are no hosts', except where a subnet has only one or two (RFC 3021, RFC 6164).
local function has_reserved(self)
  return self:length() < WIDTH[self.version] - 1
end

--- The first address of the subnet that a host can have.
-- @function address:first
-- @treturn luabox.address with the prefix
function address_methods:first()
  local network = self:network()
  return has_reserved(self) and network + 1 or network
end

--- The last address of the subnet that a host can have.
-- @function address:last
-- @treturn luabox.address with the prefix
function address_methods:last()
  local highest = self:broadcast():with_prefix(self:length())
  return self.version == 4 and has_reserved(self) and highest + -1 or highest
end

--- Whether an address, or all of a subnet, is in this subnet.
-- @function address:contains
-- @tparam luabox.address other
-- @treturn boolean
function address_methods:contains(other)
  check_address(other, "contains")
  if self.version ~= other.version or self:length() > other:length() then return false end
  local hi, lo = mask(self.version, self:length())
  return self.hi & hi == other.hi & hi and self.lo & lo == other.lo & lo
end

--- Whether two subnets have an address in common.
-- @function address:overlaps
-- @tparam luabox.address other
-- @treturn boolean
function address_methods:overlaps(other)
  check_address(other, "overlaps")
  return self:contains(other) or other:contains(self)
end

--- Whether it is 0.0.0.0 or ::, which stand for any address.
-- @function address:is_unspecified
-- @treturn boolean
function address_methods:is_unspecified()
  return self.hi == 0 and self.lo == 0
end

--- A locally administered MAC address made from the number: the same address gives the same one, and two of a
-- subnet give two (in IPv6 by the last 40 bits).
-- @function address:mac
-- @treturn string
-- @usage assert(luabox.address.parse("10.0.0.2"):mac() == "02:42:0a:00:00:02")
function address_methods:mac()
  local number = self.version == 4 and 0x0242 << 32 | self.lo or 0x06 << 40 | self.lo & 0xffffffffff
  return (("%012x"):format(number):gsub("%x%x", "%0:", 5))
end

--- The link-local IPv6 address that belongs to a MAC address (RFC 4291, modified EUI-64).
-- @tparam string mac
-- @treturn luabox.address with the prefix 64
-- @usage assert(tostring(luabox.address.link_local("02:42:0a:00:00:02")) == "fe80::42:aff:fe00:2/64")
function M.link_local(mac)
  local number = tonumber((check({ "mac" }, mac, "link_local"):gsub(":", "")), 16)
  local high, low = number >> 24, number & 0xffffff
  return make(6, 0xfe80 << 48, (high ~ 0x020000) << 40 | 0xfffe << 24 | low, 64)
end

return M
