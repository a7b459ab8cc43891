--- Port maps, as in "8080:80", "127.0.0.1:8080:80/udp", "[::1]:8080:80" and "8000-8010:80-90".
--
-- A host port 0 stands for any that is free when the map is made, as in "0:80".
--
-- One map in its normal form is a table: `host` and `container` (ports), `protocol` ("tcp" or "udp"), `address` (a
-- luabox.address of the host; nil for all) and `text` (as it was written).
-- @module luabox.port_map
local LAST_PORT = 65535
local ANY = 0

local M = {}

-- "80" or "80-90" as first and last; nil if it is neither.
local function read_range(text)
  local first, dash, last = text:match("^(%d+)(%-?)(%d*)$")
  if not first or (dash == "") ~= (last == "") then return nil end
  first = tonumber(first)
  return first, tonumber(last) or first
end

-- What is wrong with a range of ports, or nil.
local function range_problem(first, last)
  if first > last then return ("the range %.0f-%.0f runs backwards"):format(first, last) end
  local wrong = first < 1 and first or last > LAST_PORT and last
  if wrong then return ("port %.0f is out of range (1 to %d)"):format(wrong, LAST_PORT) end
end

local function parse_range(text, whose)
  if text == "" then return nil, nil, ("the %s port is missing"):format(whose) end
  local first, last = read_range(text)
  if not first then return nil, nil, ("'%s' is neither a port nor a range of ports"):format(text) end
  return first, last, range_problem(first, last)
end

-- Splits "address:host:container" into the three texts, the address without its brackets.
local function split(text)
  local host, container = text:match("^([^:]*):([^:]*)$")
  if host then return nil, host, container end
  local front
  front, host, container = text:match("^(.+):([^:]*):([^:]*)$")
  if not front then return nil, text, text end
  local inner = front:match("^%[(.*)%]$")
  return inner or front, host, container, inner ~= nil
end

local function parse_address(text, bracketed)
  local address = require "luabox.address" -- here: a container without ports loads this file too
  local parsed, problem = address.parse(text)
  if not parsed then return nil, problem end
  if parsed.version == 6 and not bracketed then
    return nil, ("an IPv6 address stands in brackets: '[%s]'"):format(text)
  end
  return address.require_prefix(parsed, "none")
end

-- Appends the maps of a range, one for each port.
local function append(list, ports, o)
  for i = 0, ports.last - ports.first do
    list[#list + 1] = {
      host = ports.any and ANY or ports.first + i, container = ports.container + i,
      protocol = o.protocol, address = o.address, text = o.text,
    }
  end
end

local function parse_free(container)
  local first, last, problem = parse_range(container, "container")
  if problem then return nil, problem end
  return { any = true, first = first, last = last, container = first }
end

local function parse_ports(host, container)
  if host == tostring(ANY) then return parse_free(container) end
  local first, last, problem = parse_range(host, "host")
  if problem then return nil, problem end
  local into, into_last
  into, into_last, problem = parse_range(container, "container")
  if problem then return nil, problem end
  if last - first ~= into_last - into then
    return nil, ("%d host ports for %d container ports"):format(last - first + 1, into_last - into + 1)
  end
  return { first = first, last = last, container = into }
end

-- Appends the maps of one text to `list`; returns a problem or nil.
local function append_text(list, text)
  local body, slash, protocol = text:match("^([^/]*)(/?)(.*)$")
  local o = { text = text, protocol = slash == "" and "tcp" or protocol }
  if o.protocol ~= "tcp" and o.protocol ~= "udp" then
    return ("unknown protocol '%s'; expected 'tcp' or 'udp'"):format(protocol)
  end
  local front, host, container, bracketed = split(body)
  local problem
  if front then
    o.address, problem = parse_address(front, bracketed)
    if problem then return problem end
  end
  local ports
  ports, problem = parse_ports(host, container)
  if problem then return problem end
  append(list, ports, o)
end

local function text_of(o)
  local host = o.address and ((o.address.version == 6 and "[%s]:" or "%s:"):format(o.address) .. o.host) or o.host
  return ("%s:%d/%s"):format(host, o.container, o.protocol)
end

local function append_table(list, o)
  local host = o.host or o.container
  local entry = { host = host, container = o.container, protocol = o.protocol, address = o.address }
  entry.text = text_of(entry)
  list[#list + 1] = entry
end

-- An address takes a port from itself, and the address for all takes it from each of its version.
local function collide(a, b)
  if not a or not b then return true end
  return a.version == b.version and (a == b or a:is_unspecified() or b:is_unspecified())
end

-- What is wrong with the maps as a whole: one port of the host cannot lead to two places.
local function duplicate(list)
  local seen = {}
  for _, o in ipairs(list) do
    local key = o.host .. "/" .. o.protocol
    for _, other in ipairs(seen[key] or {}) do
      if o.host ~= ANY and collide(o.address, other.address) then
        return ("host port %s is mapped twice: by '%s' and by '%s'"):format(key, other.text, o.text)
      end
    end
    seen[key] = seen[key] or {}
    table.insert(seen[key], o)
  end
end

local function parse(list)
  local maps = {}
  for _, entry in ipairs(list) do
    if type(entry) == "table" then
      append_table(maps, entry)
    else
      local problem = append_text(maps, tostring(entry))
      if problem then return nil, ("'%s': %s"):format(entry, problem) end
    end
  end
  local problem = duplicate(maps)
  if problem then return nil, problem end
  return maps
end

local port = { "integer", min = 1, max = LAST_PORT }

--- The description of an option that takes a list of port maps, for luabox.options.
M.option = {
  "list",
  of = {
    "any",
    port,
    { "string" },
    {
      "table",
      fields = {
        host = { "integer", min = ANY, max = LAST_PORT },
        container = { "integer", min = 1, max = LAST_PORT, required = true },
        protocol = { "enum", names = { "tcp", "udp" }, default = "tcp" },
        address = { "address", prefix = "none" },
      },
    },
  },
  check = parse,
}

-- Of an integer, too, it is for the parser to say that it is no port.
local LIST = { "list", of = { "any", { "integer" }, table.unpack(M.option.of, 3) }, required = true }

--- Brings a list of port maps into their normal form; a range becomes one map for each port.
-- @tparam {string|integer|table,...} list each "[address:]host:container[/protocol]", "port" for the same on both
--   sides, or a table with `host` (that of the container by default), `container`, `protocol` ("tcp") and `address`
-- @treturn ?{table,...} nil if one is wrong, or a port of the host is used twice
-- @treturn[2] string the sentence that says so
-- @usage
-- local map = luabox.port_map.parse({ "127.0.0.1:8080:80/udp" })[1]
-- assert(map.host == 8080 and map.container == 80 and map.protocol == "udp")
-- local _, problem = luabox.port_map.parse { "8080:http" }
-- assert(problem == "'8080:http': 'http' is neither a port nor a range of ports")
function M.parse(list)
  if type(list) ~= "table" then return nil, "list expected, got " .. type(list) end
  return parse(require("luabox.options").argument(LIST, list, "parse"))
end

return M
