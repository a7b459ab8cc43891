--- Does it answer? Pings, connections and requests from inside any network namespace, as tables and not as text.
--
-- Each is done with sockets of that namespace: no program is run and no process is started there. That nobody answers
-- is a result, with `ok` false and `error` a symbol such as "ECONNREFUSED" or "ETIMEDOUT"; where an ICMP message said
-- so, `icmp` is its name ("host-unreachable", in nft's words) and `from` who sent it. What answers, but not as
-- expected, is "EBADMSG".
-- @module luabox.probe
local loop = require "luabox.probe_loop"
local options = require "luabox.options"
local ping = require "luabox.probe_ping"
local place = require "luabox.net_place"
local scope = require "luabox.scope"
local sys = require("luabox").sys

local M = {}

-- A neighbour that is not there is given up by the kernel after three seconds: then that is the answer.
local TIMEOUT, INTERVAL = 4, 0.2
local MANY = 65535

local common = {
  namespace = place.option,
  source = { "address", prefix = "none" },
  interface = { "string", min = 1, max = 15, pattern = "^[^/:%%%s]+$", says = "is not the name of a link" },
  ttl = { "integer", min = 1, max = 255 },
  timeout = { "duration", min = 0, max = 86400, default = TIMEOUT },
  interval = { "duration", min = 0, max = 86400, default = INTERVAL },
  retries = { "integer", min = 0, max = 1000000, default = 0 },
}

local function with(more)
  for name, description in pairs(common) do more[name] = description end
  return more
end

local function check_bytes(value)
  if type(value) ~= "string" then return nil, ("string expected, got %s"):format(type(value)) end
  return value
end

local function check_pattern(value)
  local ok, problem = pcall(string.find, "", value)
  if not ok then return nil, ("'%.80s' is not a Lua pattern: %s"):format(value, problem) end
  return value
end

local BYTES, PATTERN = { "any", check = check_bytes }, { "string", check = check_pattern }
local LIMIT = { "size", min = 1, max = 1 << 26, default = 1 << 20 }
local WORD = { "string", min = 1, pattern = "^[%w!#$%%&'*+.^_`|~-]+$", says = "is not a word of HTTP" }
local PATH = { "string", pattern = "^/[^%c ]*$", says = "is not a path: it begins with '/' and has no blanks",
  default = "/" }
local VALUE = { "string", pattern = "^[^\r\n]*$", says = "has more than one line" }

local specs = {
  ping = with {
    count = { "integer", min = 1, max = MANY, default = 1 },
    size = { "integer", min = 0, max = 65507, default = 56 },
    dont_fragment = { "boolean", default = false },
  },
  tcp = with { send = BYTES, expect = PATTERN, limit = LIMIT },
  udp = with { send = { "any", check = check_bytes, default = "" }, expect = PATTERN },
  http = with {
    port = { "integer", min = 1, max = 65535 }, path = PATH, limit = LIMIT, body = BYTES,
    method = { "string", min = 1, pattern = WORD.pattern, says = WORD.says, default = "GET" },
    headers = { "map", key = WORD, of = VALUE, default = {} },
    expect = { "any", { "integer", min = 100, max = 599 }, PATTERN },
  },
}

local port_argument = { "integer", min = 1, max = 65535, required = true }

-- ---- results ----

local function milliseconds(seconds)
  return ("%.3f ms"):format(seconds * 1000)
end

local function said(result)
  if not result.icmp then return result.error end
  return ("%s (%s from %s)"):format(result.error, result.icmp, result.from)
end

local sentences = {}

function sentences.ping(r)
  local text = ("%s: %d of %d answered"):format(r.address, r.received, r.sent)
  if r.rtt then return text .. ", " .. milliseconds(r.rtt.avg) end
  return text .. ": " .. said(r.replies[#r.replies])
end

local function port_sentence(good)
  return function(r)
    return ("%s port %d: %s"):format(r.address, r.port, r.ok and good .. milliseconds(r.time) or said(r))
  end
end

sentences.tcp, sentences.udp = port_sentence "connected in ", port_sentence "answered in "

function sentences.http(r)
  local text = ("%s: "):format(r.url)
  if not r.status then return text .. said(r) end
  return ("%s%d %s, %d bytes in %s"):format(text, r.status, r.reason, #r.body, milliseconds(r.time))
end

local metatables = {}
for kind, sentence in pairs(sentences) do
  metatables[kind] = { __name = "luabox.probe." .. kind, __tostring = sentence }
end

-- ---- one probe ----

-- What sys.probe.open is called with, but for the namespace.
local function socket_options(kind, target, port, o, where)
  if o.source and o.source.version ~= target.version then
    options.fail(where, "source", ("%s is not of the version of %s"):format(o.source, target), port and 3 or 2)
  end
  return { kind = kind, address = tostring(target), port = port, source = o.source and tostring(o.source),
    interface = o.interface, ttl = o.ttl, dont_fragment = o.dont_fragment }
end

-- A function for the loop: attempts until one is good or there were enough. `once` is called with a function that opens
-- the socket.
local function attempts(kind, socket, o, once)
  return function()
    local undo <close> = scope.new()
    socket.netns = place.namespace(o.namespace, undo)
    local function open() return sys.probe.open(socket) end
    local result
    for try = 1, o.retries + 1 do
      if try > 1 then loop.sleep(o.interval) end
      result = once(open)
      result.address, result.port, result.tries = socket.address, socket.port, try
      if result.ok then break end
    end
    return setmetatable(result, metatables[kind])
  end
end

local prepare = {}

function prepare.ping(target, o)
  o = options.check(specs.ping, o or {}, "ping", 2)
  target = place.check_address(target, o.namespace, "ping")
  local socket = socket_options("icmp", target, nil, o, "ping")
  o.window = MANY
  return attempts("ping", socket, o, function(open)
    local icmp <close> = open()
    return ping.summary(ping.run(icmp, { socket.address }, o)[1])
  end)
end

local function prepare_port(kind, target, port, o)
  port = options.argument(port_argument, port, kind, 2)
  o = options.check(specs[kind], o or {}, kind, 3)
  target = place.check_address(target, o.namespace, kind)
  local attempt = require("luabox.probe_stream")[kind]
  return attempts(kind, socket_options(kind, target, port, o, kind), o, function(open) return attempt(open, o) end)
end

function prepare.tcp(target, port, o) return prepare_port("tcp", target, port, o) end
function prepare.udp(target, port, o) return prepare_port("udp", target, port, o) end

-- "http://web:8080/x" as host, port and path; nil for what is no URL.
local function split_url(url)
  local scheme, host, rest = url:match "^(%a+)://(%[[%x:.]+%])(.*)$"
  if not scheme then scheme, host, rest = url:match "^(%a+)://([^/:%[%]]+)(.*)$" end
  if not scheme then return nil end
  local port, path = rest:match "^:?(%d*)(.*)$"
  return { scheme = scheme, host = host:gsub("[%[%]]", ""), port = port ~= "" and tonumber(port) or nil,
    path = path ~= "" and path or nil }
end

local function read_url(target, given)
  local url = type(target) == "string" and target:find("://", 1, true) and split_url(target)
  if not url then return target, given end
  if url.scheme ~= "http" then options.fail("http", nil, ("'%s' is not of http://"):format(target)) end
  for _, name in ipairs { "port", "path" } do
    if url[name] and given[name] then options.fail("http", name, "is in the URL already", 2) end
  end
  local merged = {}
  for name, value in next, given do merged[name] = value end
  merged.port, merged.path = merged.port or url.port, merged.path or url.path
  return url.host, merged
end

local function request_of(o, host)
  local lines = { ("%s %s HTTP/1.0"):format(o.method, o.path), "Host: " .. host, "Connection: close" }
  for name, value in pairs(o.headers) do lines[#lines + 1] = name .. ": " .. value end
  if o.body then lines[#lines + 1] = "Content-Length: " .. #o.body end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (o.body or "")
end

function prepare.http(target, o)
  if o ~= nil and type(o) ~= "table" then options.check(specs.http, o, "http", 2) end
  target, o = read_url(target, o or {})
  o = options.check(specs.http, o, "http", 2)
  local found, port = place.check_address(target, o.namespace, "http"), o.port or 80
  local host = (type(target) == "string" and not target:find(":", 1, true)) and target
    or found.version == 6 and "[" .. tostring(found) .. "]" or tostring(found)
  if port ~= 80 then host = host .. ":" .. port end
  o.request = request_of(o, host)
  local attempt = require("luabox.probe_stream").http
  return attempts("http", socket_options("tcp", found, port, o, "http"), o, function(open)
    local result = attempt(open, o)
    result.url = "http://" .. host .. o.path
    return result
  end)
end

local function run(body) return loop.run({ body })[1] end

--- Sends echo requests and waits for the answers.
-- Without `net.ipv4.ping_group_range` of the namespace (containers of luabox have it) it takes the capability net_raw.
-- @tparam string|luabox.container|luabox.endpoint target an address, a member of a network, or, if `namespace` is a
--   luabox.container, the name of one in its networks; names of elsewhere are not looked up
-- @tparam[opt] table o
-- @tparam[opt] luabox.namespace|luabox.container|luabox.process|luabox.network|integer|string o.namespace from where: a
--   handle, a container, a process or its pid, a network (its switch), a name of `ip netns`, a container's host name,
--   or a path; this process's own by default
-- @tparam[opt=1] integer o.count of requests
-- @tparam[opt=0.2] number|string o.interval in seconds, between requests, and before another try
-- @tparam[opt=4] number|string o.timeout in seconds, of each request; after three the kernel gives up a neighbour
-- @tparam[opt=0] integer o.retries so many more times until one is answered
-- @tparam[opt=56] integer o.size of a request's data in bytes, at most 65507
-- @tparam[opt] integer o.ttl 1 to 255; the kernel's own (64) by default
-- @tparam[opt=false] boolean o.dont_fragment requests too big for a link on the way are answered with EMSGSIZE
-- @tparam[opt] string o.source an address of the namespace; the kernel's choice by default
-- @tparam[opt] string o.interface a link of the namespace; chosen by its routes by default
-- @treturn table `ok` (whether one was answered), `address`, `sent`, `received`, `loss` (0 to 1), `rtt` (`min`, `avg`,
--   `max` in seconds), `tries`, `error`, `icmp` and `from` of the last that failed, and `replies`: of each its `seq`,
--   and `rtt`, `ttl`, `from` or `error`, and where an ICMP message told it `icmp`, `from`, `mtu`. It prints as a
--   sentence.
-- @raise luabox.error: EPERM, ENOENT for a name or a pid that is not there, ENODEV, EADDRNOTAVAIL for the source
-- @see ping(8)
-- @usage
-- local r = luabox.probe.ping("127.0.0.1", { count = 3, interval = 0.01 })
-- assert(r.received == 3 and r.rtt.avg < 1)
function M.ping(target, o) return run(prepare.ping(target, o)) end

--- Connects to a TCP port, and talks to it if told so.
-- @tparam string|luabox.container|luabox.endpoint target as of `ping`
-- @tparam integer port
-- @tparam[opt] table o
-- @tparam[opt] luabox.namespace|luabox.container|luabox.process|luabox.network|integer|string o.namespace as of `ping`
-- @tparam[opt] string o.send what is sent; then it is read what comes, until the other side closes or the time is over
-- @tparam[opt] string o.expect a Lua pattern: it is read until what came matches
-- @tparam[opt="1M"] integer|string o.limit bytes that are read at most
-- @tparam[opt=4] number|string o.timeout in seconds, of each try
-- @tparam[opt=0] integer o.retries so many more times until it is well: no script needs a sleep until its server is up
-- @tparam[opt=0.2] number|string o.interval in seconds, before another try
-- @tparam[opt] integer o.ttl as of `ping`
-- @tparam[opt] string o.source as of `ping`
-- @tparam[opt] string o.interface as of `ping`
-- @treturn table `ok`; `time` of the connection's beginning in seconds; `error`: ECONNREFUSED, ETIMEDOUT, EBADMSG if
--   what came does not match …; `icmp` and `from` if an ICMP message told it; `local_address`, `local_port`,
--   `received`, `tries`. It prints as a sentence.
-- @raise luabox.error as `ping`
-- @see connect(2)
-- @usage
-- assert(luabox.probe.tcp("127.0.0.1", 1).error == "ECONNREFUSED")
function M.tcp(target, port, o) return run(prepare.tcp(target, port, o)) end

--- Sends a UDP packet and waits for one that answers. That none comes may mean that the other side had nothing to say.
-- @tparam string|luabox.container|luabox.endpoint target as of `ping`
-- @tparam integer port
-- @tparam[opt] table o
-- @tparam[opt] luabox.namespace|luabox.container|luabox.process|luabox.network|integer|string o.namespace as of `ping`
-- @tparam[opt=""] string o.send the packet
-- @tparam[opt] string o.expect a Lua pattern that the answer is to match
-- @tparam[opt=4] number|string o.timeout in seconds, of each try
-- @tparam[opt=0] integer o.retries as of `tcp`
-- @tparam[opt=0.2] number|string o.interval as of `tcp`
-- @tparam[opt] integer o.ttl as of `ping`
-- @tparam[opt] string o.source as of `ping`
-- @tparam[opt] string o.interface as of `ping`
-- @treturn table as `tcp`; ECONNREFUSED is an ICMP message that nobody has the port
-- @raise luabox.error as `ping`
-- @see udp(7)
-- @usage
-- assert(luabox.probe.udp("127.0.0.1", 9).icmp == "port-unreachable")
function M.udp(target, port, o) return run(prepare.udp(target, port, o)) end

--- Asks an HTTP server, in HTTP/1.0.
-- @tparam string|luabox.container|luabox.endpoint target as of `ping`, or an "http://host:port/path" with such a host
-- @tparam[opt] table o
-- @tparam[opt] luabox.namespace|luabox.container|luabox.process|luabox.network|integer|string o.namespace as of `ping`
-- @tparam[opt=80] integer o.port
-- @tparam[opt="/"] string o.path
-- @tparam[opt="GET"] string o.method
-- @tparam[opt] {[string]=string} o.headers
-- @tparam[opt] string o.body of the request
-- @tparam[opt] integer|string o.expect a status, or a Lua pattern that the body of a 2xx is to match
-- @tparam[opt="1M"] integer|string o.limit bytes of the response that are read at most; then it is `truncated`
-- @tparam[opt=4] number|string o.timeout in seconds, of each try
-- @tparam[opt=0] integer o.retries as of `tcp`
-- @tparam[opt=0.2] number|string o.interval as of `tcp`
-- @tparam[opt] integer o.ttl as of `ping`
-- @tparam[opt] string o.source as of `ping`
-- @tparam[opt] string o.interface as of `ping`
-- @treturn table `ok` (a whole response, of status 2xx or as expected), `status`, `reason`, `headers` (by their names
--   in lower case), `body`, `truncated`, `time` of all of it in seconds, `url`, and as `tcp`. It prints as a sentence.
-- @raise luabox.error as `ping`
-- @usage
-- local lan <close> = luabox.network { name = "lan" }
-- local web <close> = luabox.container { name = "web", network = lan, files = { ["/www/index.html"] = "hello\n" },
--   command = { "httpd", "-f", "-p", "80", "-h", "/www" } }
-- local client <close> = luabox.container { name = "client", network = lan }
-- web:start()
-- client:start()
-- assert(luabox.probe.http("http://web/", { namespace = client, retries = 50 }).body == "hello\n")
function M.http(target, o) return run(prepare.http(target, o)) end

local KIND = { "enum", names = { "http", "ping", "tcp", "udp" }, required = true }

--- Does many of these at once.
-- @tparam {table,...} probes each the name of a function above and its arguments, as `{ "ping", "10.0.0.2" }`
-- @treturn {table,...} their results, in the same order
-- @raise an argument error, before anything is sent; luabox.error as those functions
-- @usage
-- local results = luabox.probe.all { { "ping", "127.0.0.1" }, { "tcp", "127.0.0.1", 1 } }
-- assert(results[1].ok and not results[2].ok)
function M.all(probes)
  probes = options.argument({ "list", of = { "table" }, required = true }, probes, "all")
  local bodies = {}
  for i, probe in ipairs(probes) do
    bodies[i] = prepare[options.argument(KIND, probe[1], "all")](table.unpack(probe, 2, 4))
  end
  return loop.run(bodies)
end

return M
