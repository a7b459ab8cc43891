--- What a process of a container gives up before it runs: limits, the keyring, capabilities, its user, system calls.
-- @module luabox.confinement

local sys = require("luabox").sys

local M = {}

-- The default filter is held as long as a container uses it.
local shared = setmetatable({}, { __mode = "v" })

local function filter_of(d)
  if d.seccomp ~= true then return d.seccomp or nil end
  shared.filter = shared.filter or sys.seccomp.default()
  d.filter = shared.filter
  return d.filter
end

--- The steps, each while the next ones still may.
-- @tparam table d a container's description
-- @treturn {table,...} steps for `luabox.sys.process.spawn`
function M.steps(d)
  local steps = {}
  for name, limit in pairs(d.rlimits) do
    steps[#steps + 1] = { "rlimit", name = name, soft = limit, hard = limit }
  end
  -- There is no namespace of keys: without one of its own a container reads the caller's.
  steps[#steps + 1] = { "session_keyring" }
  if d.no_new_privs then steps[#steps + 1] = { "no_new_privs" } end
  steps[#steps + 1] = { "capabilities", bounding = d.capabilities, permitted = d.capabilities,
    effective = d.capabilities }
  steps[#steps + 1] = { "user", uid = d.uid, gid = d.gid, groups = d.groups }
  local filter = filter_of(d)
  if filter then steps[#steps + 1] = { "seccomp", filter = filter } end
  return steps
end

return M
