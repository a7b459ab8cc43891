--- Namespaces around the spec's own, which plays the host:
--
--     out (10.9.0.2) --- host --- gw0 (10.77.0.1) --- [bridge] --- c (10.77.0.2), n (10.77.0.3)
--     fd09::2            10.9.0.1  fd77::1             switch       fd77::2       fd77::3
--
-- made with ip alone, so that what is tested is nftables.
local spec = require "spec"

local lab = {}

local methods = {}
local meta = { __index = methods }

local LINKS = [[
link add up0 type veth peer name eth0 netns out
link add gw0 type veth peer name gw netns switch
]]

local HOST = [[
addr add 10.9.0.1/24 dev up0
addr add fd09::1/64 dev up0 nodad
addr add 10.77.0.1/24 dev gw0
addr add fd77::1/64 dev gw0 nodad
link set dev up0 up
link set dev gw0 up
]]

local SWITCH = [[
link add name br type bridge
link add name c type veth peer name eth0 netns c
link add name n type veth peer name eth0 netns n
link set dev gw master br up
link set dev c master br up
link set dev n master br up
link set dev br up
]]

local function node(address, gateway)
  return ([[
link set dev lo up
addr add 10.%s dev eth0
addr add fd%s dev eth0 nodad
link set dev eth0 up
]]):format(address[1], address[2]) .. (gateway and ("route add default via 10.%s\nroute add default via fd%s\n")
    :format(gateway[1], gateway[2]) or "")
end

local NODES = {
  out = node({ "9.0.2/24", "09::2/64" }),
  c = node({ "77.0.2/24", "77::2/64" }, { "77.0.1", "77::1" }),
  n = node({ "77.0.3/24", "77::3/64" }, { "77.0.1", "77::1" }),
}

local function batch(where, lines)
  local pipe = assert(io.popen(where .. "ip -batch -", "w"))
  pipe:write(lines)
  assert(pipe:close())
end

local function inside(where)
  return where and "ip netns exec " .. where or ""
end

-- What a command prints, in a namespace (nil: the host's).
function lab.output(command, where)
  local pipe <close> = io.popen(inside(where) .. " " .. command .. " 2>&1")
  return (pipe:read "a":gsub("%s+$", ""))
end

-- Sets a sysctl of the host and remembers how it was.
function methods:sysctl(name, value)
  local path = "/proc/sys/" .. name
  local file <close> = assert(io.open(path))
  table.insert(self.sysctls, { path, file:read "l" })
  local out <close> = assert(io.open(path, "w"))
  out:write(value)
end

-- Starts a server in a namespace (nil: the host) that answers on places such as "tcp:80" with the address it sees.
function methods:serve(where, ...)
  local pipe <close> = io.popen(("%s sh -c 'python3 tests/peer.py serve %s & echo $!'"):format(inside(where),
    table.concat({ ... }, " ")))
  table.insert(self.pids, pipe:read "n")
  assert(pipe:read "l" == "" and pipe:read "l" == "ready")
end

-- Asks a server from a namespace (nil: the host); gives the address that it saw, or an errno's symbol.
function methods.ask(_, where, kind, address, port)
  return lab.output(("python3 tests/peer.py ask %s %s %d"):format(kind, address, port), where)
end

-- Whether a server that is asked gives no answer: what is dropped is waited for in vain.
function methods.is_silent(_, where, kind, address, port)
  return lab.output(("python3 tests/peer.py ask %s %s %d 3"):format(kind, address, port), where) == "no answer"
end

function meta:__close()
  if self.socket then self.socket:close() end
  for _, pid in ipairs(self.pids) do os.execute("kill " .. pid) end
  for i = #self.sysctls, 1, -1 do
    local file <close> = assert(io.open(self.sysctls[i][1], "w"))
    file:write(self.sysctls[i][2])
  end
  os.execute "ip link del up0; ip link del gw0"
  for _, name in ipairs { "out", "switch", "c", "n" } do os.execute("ip netns del " .. name) end
  os.execute "umount /run/netns && rmdir /run/netns"
end

local function count(text, pattern)
  return select(2, text:gsub(pattern, ""))
end

-- The kernel takes links into use later than they are up, at times by a second; until then packets are lost.
local function are_in_use()
  local links = lab.output "ip -br link"
  for name in pairs(NODES) do links = links .. "\n" .. lab.output("ip -br link", name) end
  return count(links, "@%S+ +UP ") == 5 and count(lab.output("bridge link", "switch"), " state forwarding ") == 3
end

function lab.new()
  local self = setmetatable({ pids = {}, sysctls = {} }, meta)
  for _, name in ipairs { "out", "switch", "c", "n" } do spec.shell("ip netns add " .. name) end
  batch("", LINKS)
  -- A router asks for neighbours by its link-local addresses; the kernel would first try these out, for two seconds.
  for _, link in ipairs { "up0", "gw0" } do spec.write(("/proc/sys/net/ipv6/conf/%s/accept_dad"):format(link), "0") end
  batch("", HOST)
  batch("ip netns exec switch ", SWITCH)
  for name, lines in pairs(NODES) do batch("ip netns exec " .. name .. " ", lines) end
  if not spec.eventually(are_in_use) then error("the links of the lab do not come into use", 2) end
  self:sysctl("net/ipv4/ip_forward", "1")
  self:sysctl("net/ipv6/conf/all/forwarding", "1")
  return self
end

return lab
