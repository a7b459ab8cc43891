-- luabox.sys.nft's N port maps, as floor_nft.c makes them: TIMES over, prints the microseconds of each, from the
-- open of the socket to the kernel's acknowledgement. The list of what is wanted is there before.
local luabox = require "luabox"
local nft, system = luabox.sys.nft, luabox.sys.system

local count, times = tonumber(arg[1]), tonumber(arg[2])

local function elements()
  local list = {}
  for i = 0, count - 1 do
    local number = 0x0a400002 + i
    list[i + 1] = { 10000 + i, ("10.64.%d.%d"):format(number >> 8 & 255, number & 255), 80 }
  end
  return list
end

local wanted = elements()

for _ = 1, times do
  local begin = system.clock()
  local socket <close> = nft.socket()
  socket:apply {
    { "add", "table", family = "ip", name = "floor" },
    { "add", "chain", family = "ip", table = "floor", name = "prerouting", type = "nat", hook = "prerouting",
      priority = "dstnat" },
    { "add", "map", family = "ip", table = "floor", name = "ports", key = "inet_service",
      data = "ipv4_addr,inet_service" },
    { "add", "element", family = "ip", table = "floor", set = "ports", elements = wanted },
    { "add", "rule", family = "ip", table = "floor", chain = "prerouting", protocol = "tcp",
      dnat = { map = "ports", key = "dport" } },
  }
  print(("%.1f"):format((system.clock() - begin) * 1e6))
  socket:apply { { "delete", "table", family = "ip", name = "floor" } }
end
