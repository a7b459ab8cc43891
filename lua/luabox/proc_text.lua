--- What files of /proc and of the system say, where they may be read.
-- Internal: a part of `luabox.ns`, `luabox.nat`, `luabox.map` and `luabox.doctor`, for nobody else.
-- @module luabox.proc_text

local errors = require "luabox.error"
local sys = require("luabox").sys

local M = {}

--- A file's text without the newline at its end; nil if it cannot be read.
-- @string path
-- @treturn ?string
function M.contents(path)
  local text = errors.try(sys.file.read, path)
  return text and (text:gsub("\n$", ""))
end

--- Whether the iptables before nftables has a table in a network namespace. Of its tables only the names are seen.
-- @string name "filter", "nat"
-- @tparam[opt] integer pid of a process in it; this process by default
-- @treturn boolean
function M.has_legacy_table(name, pid)
  local names = M.contents(("/proc/%s/net/ip_tables_names"):format(pid or "self"))
  return ("\n%s\n"):format(names or ""):find(("\n%s\n"):format(name), 1, true) ~= nil
end

return M
