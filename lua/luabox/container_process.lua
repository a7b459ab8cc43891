--- What all processes of a container have in common: its namespaces, its cgroup, its streams, how they end.
-- Internal: a part of `luabox.container`, for nobody else.
-- @module luabox.container_process

local luabox = require "luabox"

local UMASK = 18 -- 022: the caller's might keep the container's users out of its root

local M = {}

--- The namespaces that each container has; the network's and the user's are there or not.
M.NAMESPACES = "mnt,pid,uts,ipc,cgroup"

--- Options of `luabox.sys.process.spawn`.
-- @tparam luabox.container self
-- @tparam {table,...} steps that follow the entry into the cgroup
-- @treturn table
function M.options(self, steps)
  table.insert(steps, 1, { "cgroup", fds = self.cgroup and self.cgroup_fds or {} })
  return {
    steps = steps, cgroup = self.cgroup and self.cgroup:fd(), env = self.env, cwd = self.cwd,
    stdin = self.stdin, stdout = self.stdout, stderr = self.stderr, setsid = true,
    umask = UMASK,
  }
end

--- How often its limits were met, when a process begins.
-- @tparam luabox.container self
-- @treturn ?table for `explain`; nil without limits
function M.events(self)
  return self.cgroup and luabox.limits.events(self.cgroup, self.limits)
end

--- Adds to a result which limit it was, if one killed the process, or refused one to it.
-- @tparam luabox.container self
-- @tparam table result of the process
-- @tparam ?table before of `events`; nil for the first process
function M.explain(self, result, before)
  if not self.cgroup then return end
  result.reason, result.killed_by = luabox.limits.reason(self.cgroup, self.name, self.limits, result, before)
end

return M
