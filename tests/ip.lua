--- ip(8), ping(8) and the rest inside a network namespace, to look at what luabox did.
local json = require "dkjson"

local M = {}

-- A command of the shell in the network namespace of a handle, or in ours.
local function inside(command, ns)
  if not ns then return command end
  return ("nsenter --net=/proc/$PPID/fd/%d %s"):format(ns:fileno(), command)
end

--- What a command prints, errors too, and whether it succeeded.
function M.run(command, ns)
  local pipe = assert(io.popen(inside(command, ns) .. " 2>&1"))
  local output = pipe:read "a"
  return output, (pipe:close())
end

--- What "ip -j …" prints, decoded; an empty list if ip(8) prints nothing or knows no such thing.
function M.json(arguments, ns)
  local output, ok = M.run("ip -j " .. arguments, ns)
  if not ok then return {} end
  return json.decode(output == "" and "[]" or output)
end

--- The one link of a name, with details, or nil.
function M.link(name, ns)
  return M.json("-d -s link show dev " .. name, ns)[1]
end

--- True if a ping passes from a namespace to an address.
function M.ping(address, ns)
  return (select(2, M.run("ping -n -q -c 1 -W 30 " .. address, ns)))
end

return M
