--- Random arguments. What a function is documented with says which options it has and of which types; a value is
-- now and then of another type, too long, too large, or nested where none is expected.
--
-- Everything in the vocabulary is harmless where api_fuzz.lua uses it: in a root and a network of its own.
-- There is no sysctl in it but the network's.
local M = {}

local random = math.random

local WORDS = {
  "", "a", "web", "eth0", "lo", "a/b", "../a", ".", "..", "a\0b", "a b", "%s", "%d%n", "\n", "\xff\xfe",
  ("x"):rep(15), ("x"):rep(16), ("x"):rep(300), ("x"):rep(5000), "/", "/tmp", "/tmp/a", "/tmp/a/b", "/tmp/../tmp/a",
  "/nowhere", "/proc/self/ns/net", "/proc/self/ns/mnt", "/proc/self", "a/" .. ("b/"):rep(100), "10.0.0.1",
  "10.0.0.1/24", "10.0.0.0/8", "255.255.255.255", "0.0.0.0", "0.0.0.0/0", "::", "::1", "fd00::1/64", "fe80::1",
  "1.2.3", "1.2.3.4.5", "10.0.0.1/33", "fd00::/129", "default", "02:00:00:00:00:01", "80", "80:80",
  "127.0.0.1:80:80/udp", "[::1]:0:80", "8000-8002:80-82", "65536:1", "0:0", "80:80/sctp", "64M", "1.5G", "-1",
  "1e99K", "0x10", "nan", "inf", "10ms", "0.01s", "1d", "max", "0-1", "0-1,3", "50%", "mnt", "net", "user", "mnt,net",
  "uts,ipc,pid", "all", "none", "ro", "rec,ro", "bind", "private,rec", "shared", "tmpfs", "proc", "overlay", "bridge",
  "veth", "dummy", "vlan", "vxlan", "inet", "inet6", "ip", "ip6", "arp", "KILL", "TERM", "CHLD", "0", "NONE", "allow",
  "errno", "net_admin", "chown", "-all,chown", "nofile", "nproc", "net.ipv4.ip_forward",
  "net/ipv4/conf/lo/forwarding", "net..x", "true", "tcp", "udp", "tcp/80", "masquerade", "accept", "drop", "filter",
  "nat", "prerouting", "postrouting", "add", "delete", "table", "chain", "rule", "set", "map", "element", "ipv4_addr",
  "inet_service", "ipv4_addr . inet_service", "inherit", "null", "pipe", "host",
}

local NUMBERS = {
  0, 1, 2, 3, 7, 80, 255, 256, 1000, 65535, 65536, -1, -2, 1 << 31, (1 << 31) - 1, 1 << 32, (1 << 32) - 1, 1 << 53,
  math.maxinteger, math.mininteger, 0.0, 0.5, 1.5, -0.5, 1e10, 1e308, -1e308, math.huge, -math.huge, 0 / 0, 0x1p-1074,
  448, 511,
}

local function pick(list) return list[random(#list)] end

local makers = {}

function makers.string()
  if random(4) > 1 then return pick(WORDS) end
  return pick(WORDS) .. pick { ",", "/", ":", " ", "-", ".", "" } .. pick(WORDS)
end

function makers.number() return pick(NUMBERS) end

function makers.boolean() return random(2) == 1 end

makers["function"] = function() return pick { function() end, function(...) return ... end, tostring } end

-- What `handles` makes: an open or a closed handle, a file, a descriptor's number that is not in use.
function makers.handle(world)
  local made = world.handle()
  return made ~= nil and made or 1000
end

makers["nil"] = function() return nil end

local KINDS = { "string", "string", "number", "boolean", "function", "handle", "nil", "table" }

local function anything(world, depth) return makers[pick(KINDS)](world, depth) end

function makers.list(world, depth)
  local list = {}
  for i = 1, random(0, 3) do list[i] = anything(world, depth + 1) end
  return list
end

function makers.table(world, depth)
  if depth > 3 then return {} end
  local t = makers.list(world, depth)
  for _ = 1, random(0, 3) do
    local key = random(3) == 1 and anything(world, depth + 1) or pick(world.names)
    if key ~= nil and key == key then t[key] = anything(world, depth + 1) end
  end
  if random(20) == 1 then t.self = t end
  return t
end

-- A value of a documented type: "string", "?integer", "string|table", "{string,...}", "luabox.fd".
local function of_type(type_, world, depth)
  local alternatives = {}
  for one in type_:gmatch "[^|]+" do alternatives[#alternatives + 1] = one:match "^%??(.*)$" end
  local one = pick(alternatives)
  if one == "integer" or one == "int" or one == "number" then return makers.number(world, depth) end
  if one == "bool" or one == "boolean" then return makers.boolean() end
  local item = one:match "^{(.-),%.%.%.}$"
  if item and depth < 3 then
    local list = {}
    for i = 1, random(0, 3) do list[i] = of_type(item:match "=(.*)$" or item, world, depth + 1) end
    return list
  end
  if one:find "^luabox" then return makers.handle(world, depth) end
  return (makers[one] or makers.string)(world, depth)
end

-- A table with some of the options that are documented.
local function of_options(options, world)
  local t = {}
  for _, o in ipairs(options) do
    if random(#options) <= 4 then
      local value = anything(world, 1)
      if random(5) > 1 then value = of_type(o.type, world, 1) end
      t[o.name] = value
    end
  end
  if random(12) == 1 then t[makers.string()] = anything(world, 1) end
  return t
end

--- The arguments of one call.
-- @tparam ?table documented its parameters: each with `name`, `type` and, of a table, `options`
-- @tparam table world `names` of options, and `handle`, which makes one
-- @treturn table packed
function M.arguments(documented, world)
  local arguments = { n = 0 }
  local count = documented and #documented or random(0, 3)
  if random(20) == 1 then count = random(0, 5) end
  for i = 1, count do
    local parameter = documented and documented[i]
    local value
    if not parameter or random(10) == 1 then
      value = anything(world, 0)
    elseif parameter.options and random(10) > 1 then
      value = of_options(parameter.options, world)
    else
      value = of_type(parameter.type, world, 0)
    end
    arguments.n, arguments[i] = i, value
  end
  return arguments
end

--- A value as a message shows it, on one line.
function M.show(value, depth)
  depth = depth or 0
  if type(value) == "string" then
    return (("%q"):format(#value > 60 and value:sub(1, 60) .. "…" or value):gsub("\n", "n"))
  end
  if type(value) ~= "table" or depth > 3 or getmetatable(value) then return tostring(value) end
  local parts = {}
  for k, v in pairs(value) do
    parts[#parts + 1] = ("[%s] = %s"):format(M.show(k, depth + 1), v == value and "itself" or M.show(v, depth + 1))
  end
  table.sort(parts)
  return "{ " .. table.concat(parts, ", ") .. " }"
end

--- Arguments, packed, as in a call.
function M.show_all(arguments)
  local parts = {}
  for i = 1, arguments.n do parts[i] = M.show(arguments[i]) end
  return table.concat(parts, ", ")
end

return M
