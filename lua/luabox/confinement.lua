--- What a process of a container gives up before it runs: limits, the keyring, capabilities, its user, system calls.
-- Internal: a part of `luabox.container`, for nobody else.
-- @module luabox.confinement

local sys = require("luabox").sys

local M = {}

local function append(steps, more)
  table.move(more, 1, #more, #steps + 1, steps)
end

-- A default filter is held as long as a container uses it; what a container's capabilities are for passes its filter.
local shared = setmetatable({}, { __mode = "v" })

local function filter_of(d)
  if d.seccomp ~= true then return d.seccomp or nil end
  d.filter = shared[d.capabilities] or sys.seccomp.default(d.capabilities)
  shared[d.capabilities] = d.filter
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
  local filter = filter_of(d)
  filter = filter and { "seccomp", filter = filter }
  -- A filter is loaded as late as can be: with no_new_privs last, else while sys_admin is still there.
  if not d.no_new_privs then steps[#steps + 1] = filter end
  -- The bounding set shrinks while setpcap is there, the user changes while setuid and setgid are; what the container
  -- is to have is kept over that change.
  append(steps, {
    { "capabilities", bounding = d.capabilities, keep = true },
    { "user", uid = d.uid, gid = d.gid, groups = d.groups },
    { "capabilities", permitted = d.capabilities, effective = d.capabilities, inheritable = "", ambient = "" },
  })
  if d.no_new_privs then append(steps, { { "no_new_privs" }, filter }) end
  return steps
end

return M
