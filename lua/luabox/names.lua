--- What a container sees under /etc to find others: hosts and resolv.conf.
-- Internal: a part of `luabox.container`, for nobody else.
-- @module luabox.names

local errors = require "luabox.error"
local sys = require("luabox").sys

local M = {}

local LOOPBACK = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"

local function add(lines, address, name)
  lines[#lines + 1] = address .. "\t" .. name .. "\n"
end

--- The text of /etc/hosts: itself, all members of its networks, and the entries of its own.
-- @tparam {luabox.endpoint,...} endpoints the container's
-- @tparam {[string]=luabox.address} extra name → address
-- @treturn string
function M.hosts(endpoints, extra)
  local lines = { LOOPBACK }
  for _, endpoint in ipairs(endpoints) do
    for _, member in ipairs(endpoint.network.members) do
      for _, a in ipairs(member.addresses) do add(lines, tostring(a:host()), member.name) end
    end
  end
  local names = {}
  for name in pairs(extra) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do add(lines, tostring(extra[name]), name) end
  return table.concat(lines)
end

-- A name server on the host's loopback is another machine's from inside.
local function host_servers()
  local servers = {}
  local text = sys.file.exists("/etc/resolv.conf") and sys.file.read("/etc/resolv.conf") or ""
  for server in text:gmatch("nameserver%s+(%S+)") do
    if not server:find("^127%.") and server ~= "::1" then servers[#servers + 1] = server end
  end
  return servers
end

--- The text of /etc/resolv.conf: the name servers asked for, else the host's that can be reached from inside.
-- @tparam ?{luabox.address,...} dns
-- @treturn string
function M.resolv_conf(dns)
  local lines = {}
  for i, server in ipairs(dns or host_servers()) do
    lines[i] = "nameserver " .. tostring(server) .. "\n"
  end
  return table.concat(lines)
end

--- Writes /etc/hosts anew in a container that runs, in place: programs that hold it open see it too. What the container
-- itself has made of the file, or of the room for it, is its own matter and no failure of its neighbours.
-- @tparam integer pid of its first process
-- @tparam table d its description
function M.refresh(pid, d)
  local text, place = M.hosts(d.endpoints, d.hosts), { root = ("/proc/%d/root"):format(pid) }
  local ok, e = pcall(sys.file.write, "/etc/hosts", text, place)
  if not ok and (not errors.is(e) or e.code == "EINTR") then error(e, 0) end
end

return M
